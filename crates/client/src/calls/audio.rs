//! Downloading sound.

use std::fmt;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, RANGE};
use reqwest::{Method, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use voxpost_proto::Uuid;
use voxpost_proto::api::{AudioUrl, Message};

use crate::client::{Client, Repeat};
use crate::error::Error;
use crate::retry;

/// What the sound is served as; one of the message's `audio.formats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFormat(String);

impl AudioFormat {
    /// The stored object itself: Ogg Opus.
    pub const CANONICAL: &'static str = "ogg";

    /// A format by its name, such as `ogg`, `webm`, `mp4` or `wav`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name, which is also the usual ending of a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for AudioFormat {
    fn default() -> Self {
        Self::new(Self::CANONICAL)
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A finished download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// As the server says.
    pub media_type: Option<String>,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// Lower-case hex of what arrived; checked against the message where it is the canonical object.
    pub sha256: String,
}

impl Client {
    /// A fresh signed path for the sound of a message, for a player that cannot send a header.
    pub async fn audio_url(&self, message: Uuid) -> Result<AudioUrl, Error> {
        let url = self.message_address(message, &["audio-url"]);
        self.write(Method::POST, url, &(), Repeat::Always).await
    }

    /// Writes the sound of a message to `out`. A connection that breaks is taken up again where it broke.
    ///
    /// `progress` is told how many bytes have arrived.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the canonical object does not have the SHA-256 that the message names: `out` holds rubbish
    /// then. [`Error::File`] when `out` does not take the bytes.
    pub async fn download_audio(
        &self,
        message: &Message,
        format: &AudioFormat,
        out: &mut (impl AsyncWrite + Unpin),
        progress: impl Fn(u64),
    ) -> Result<Download, Error> {
        let mut transfer = Transfer {
            written: 0,
            digest: Sha256::new(),
            version: None,
        };
        let mut failures = 0;
        let media_type = loop {
            let before = transfer.written;
            let error = match self
                .fetch(message.id, format, &mut transfer, out, &progress)
                .await
            {
                Ok(media_type) => break media_type,
                Err(error) => error,
            };
            failures = if transfer.written > before {
                1
            } else {
                failures + 1
            };
            match self
                .retry_policy()
                .pause(failures, error.retry_after(), retry::jitter())
            {
                Some(pause) if error.is_temporary() => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
        };
        out.flush().await.map_err(cannot_write)?;
        let sha256: String = transfer
            .digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        match &message.audio {
            Some(audio) if format.as_str() == AudioFormat::CANONICAL && audio.sha256 != sha256 => {
                Err(Error::Damaged {
                    expected: audio.sha256.clone(),
                    actual: sha256,
                })
            }
            _ => Ok(Download {
                media_type,
                size_bytes: transfer.written,
                sha256,
            }),
        }
    }

    /// One connection's worth of a download; gives the media type when it got to the end.
    async fn fetch(
        &self,
        id: Uuid,
        format: &AudioFormat,
        transfer: &mut Transfer,
        out: &mut (impl AsyncWrite + Unpin),
        progress: &impl Fn(u64),
    ) -> Result<Option<String>, Error> {
        let mut url = self.message_address(id, &["audio"]);
        url.query_pairs_mut().append_pair("format", format.as_str());
        let mut request = self.request(Method::GET, url.clone());
        if transfer.written > 0 {
            request = request.header(RANGE, format!("bytes={}-", transfer.written));
        }
        let answer = self.once(request).await?;
        let mut skip = transfer.resume(&answer)?;
        let media_type = text(answer.headers(), CONTENT_TYPE.as_str());
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let mut chunk = chunk.map_err(|error| Error::from_http(&self.url(), &error))?;
            let known = skip.min(chunk.len() as u64);
            skip -= known;
            let fresh = chunk.split_off(known as usize);
            out.write_all(&fresh).await.map_err(cannot_write)?;
            transfer.digest.update(&fresh);
            transfer.written += fresh.len() as u64;
            progress(transfer.written);
        }
        Ok(media_type)
    }
}

/// What has arrived so far, over as many connections as it took.
struct Transfer {
    written: u64,
    digest: Sha256,
    version: Option<String>,
}

impl Transfer {
    /// Checks that an answer goes on with the same object; gives how many of its first bytes are here already.
    fn resume(&mut self, answer: &Response) -> Result<u64, Error> {
        let version = text(answer.headers(), ETAG.as_str());
        if self.written > 0 && self.version.is_some() && version != self.version {
            return Err(Error::unexpected(
                answer.url(),
                "the sound changed while it was downloaded",
            ));
        }
        self.version = version;
        if answer.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(self.written);
        }
        let from = text(answer.headers(), "content-range").and_then(|range| range_start(&range));
        if from == Some(self.written) {
            Ok(0)
        } else {
            Err(Error::unexpected(answer.url(), "a range that was not asked for"))
        }
    }
}

/// The first position of `bytes FROM-TO/LENGTH` (RFC 9110 §14.4).
fn range_start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn cannot_write(source: std::io::Error) -> Error {
    Error::File {
        path: "output".into(),
        source,
    }
}
