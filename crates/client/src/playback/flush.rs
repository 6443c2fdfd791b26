use voxpost_proto::Uuid;
use voxpost_proto::playback::Player;

use super::clock::DeviceClock;
use super::journals::{Kept, Page, PlaybackJournals};
use super::listening::is_final;
use crate::client::Client;
use crate::error::Error;

impl Client {
    /// Tells the server what players left that had no network or were killed. Gives how many were told. What does not get
    /// through stays for the next time, and so does what another process is playing.
    ///
    /// # Errors
    /// The first one that has nothing to do with the message that it is about.
    pub async fn flush_playback(&self, journals: &PlaybackJournals, device_id: Uuid) -> Result<usize, Error> {
        let mut told = 0;
        for message in journals.messages() {
            for (page, kept) in journals.claim(message) {
                told += usize::from(self.flush_one(message, page, kept, device_id).await?);
            }
        }
        Ok(told)
    }

    async fn flush_one(&self, message: Uuid, page: Page, kept: Kept, device_id: Uuid) -> Result<bool, Error> {
        if !kept.journal.moved {
            if page.is_old() {
                page.remove();
            }
            return Ok(false);
        }
        let clock = DeviceClock::start();
        let at = kept.journal.at;
        let player_id = kept.journal.player_id;
        let (mut player, _) = Player::open(
            Some(kept.journal),
            None,
            player_id,
            device_id,
            kept.duration_ms,
            clock.now(),
        );
        let Some(report) = player.poll_report(clock.now(), Self::new_id()?) else {
            return Ok(false);
        };
        match self.report_playback_once(message, &report).await {
            Ok(answer) => {
                player.handle_answer(report.report_id, &answer);
                // It is as old as it was: telling it late is no new movement.
                let confirmed = Kept {
                    duration_ms: kept.duration_ms,
                    journal: player.journal(at),
                };
                if let Err(error) = page.save(&confirmed) {
                    tracing::debug!(%error, "it is told once more next time");
                }
                Ok(true)
            }
            Err(error) if is_final(&error) => {
                page.remove();
                Ok(false)
            }
            // Not ready yet, say: this message's own affair.
            Err(Error::Refused { problem, .. }) if problem.code == voxpost_proto::ErrorCode::Conflict => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
