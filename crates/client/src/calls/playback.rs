//! Where the caller stopped, on all their devices.

use std::time::SystemTime;

use reqwest::Method;
use reqwest::header::DATE;
use voxpost_proto::api::{Playback, PlaybackAnswer, PlaybackPage, PlaybackReport};
use voxpost_proto::{Timestamp, Uuid};

use crate::client::{Client, Repeat, read_json};
use crate::error::Error;

impl Client {
    /// Where the caller is in a message; version 0 when they never played it.
    pub async fn playback(&self, message: Uuid) -> Result<Playback, Error> {
        Ok(self.playback_and_date(message).await?.0)
    }

    /// Tells what a player did. Its `report_id` makes a repetition harmless.
    pub async fn report_playback(
        &self,
        message: Uuid,
        report: &PlaybackReport,
    ) -> Result<PlaybackAnswer, Error> {
        let url = self.message_address(message, &["playback"]);
        self.write(Method::PUT, url, report, Repeat::Always).await
    }

    /// What changed on any of the caller's devices since a change number, 0 for all of it: each message once, oldest change
    /// first. Ask again with `next` until nothing comes.
    pub async fn playback_since(&self, since: i64) -> Result<PlaybackPage, Error> {
        let mut url = self.address(&["v1", "playback"]);
        url.query_pairs_mut().append_pair("since", &since.to_string());
        self.get(url).await
    }

    /// Tries once, for a player that has its own way to try again.
    pub(crate) async fn report_playback_once(
        &self,
        message: Uuid,
        report: &PlaybackReport,
    ) -> Result<PlaybackAnswer, Error> {
        let url = self.message_address(message, &["playback"]);
        let answer = self.once(self.request(Method::PUT, url).json(report)).await?;
        read_json(answer).await
    }

    /// With the server's own time of the answer, to whole seconds.
    pub(crate) async fn playback_and_date(
        &self,
        message: Uuid,
    ) -> Result<(Playback, Option<Timestamp>), Error> {
        let url = self.message_address(message, &["playback"]);
        let answer = self
            .repeat(
                Repeat::Always,
                async || Ok(self.request(Method::GET, url.clone())),
            )
            .await?;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let date = date.and_then(|date| date.duration_since(SystemTime::UNIX_EPOCH).ok());
        let date = date.map(|since| Timestamp::from_millis(since.as_millis() as i64));
        Ok((read_json(answer).await?, date))
    }
}
