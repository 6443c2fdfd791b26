use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;
use voxpost_proto::api::{Message, PlaybackAnswer, PlaybackReport, PlaybackSummary};
use voxpost_proto::playback::{Action, Journal, Player, Resume};
use voxpost_proto::{ErrorCode, Uuid};

use super::clock::{DeviceClock, as_seen_here};
use super::journals::{Kept, Page, PlaybackJournals};
use crate::client::Client;
use crate::error::Error;

/// One player of one message on this device: [`voxpost_proto::playback::Player`] with a clock, a disk and a server.
///
/// Tell it what happens with [`act`](Self::act), about once a second while sound goes on, and await [`next`](Self::next)
/// meanwhile, which sends what is due. Neither fails playing: what cannot be told is told later, by this player or by the
/// one that finds its journal.
///
/// ```no_run
/// # async fn example(client: voxpost_client::Client, message: voxpost_client::Message, device: voxpost_client::Uuid)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use voxpost_client::{Action, PlaybackJournals};
///
/// let journals = PlaybackJournals::new("/home/ana/.local/state/app/playback");
/// let (mut listening, resume) = client.open_playback(&journals, &message, device).await?;
/// let mut position_ms = resume.position_ms;
/// listening.act(Action::Seek { position_ms })?;   // where the three seconds were taken back
/// listening.act(Action::Play)?;
/// let mut second = tokio::time::interval(Duration::from_secs(1));
/// while position_ms < message.duration_ms.unwrap_or(0) {
///     tokio::select! {
///         told = listening.next() => println!("the server knows: {}", told.outcome.is_ok()),
///         _ = second.tick() => {
///             position_ms += 1_000;               // what is heard now
///             listening.act(Action::Progress { position_ms })?;
///         }
///     }
/// }
/// listening.act(Action::End)?;
/// listening.close(Duration::from_secs(3)).await;
/// # Ok(())
/// # }
/// ```
pub struct Listening {
    client: Client,
    journals: PlaybackJournals,
    message: Uuid,
    duration_ms: i64,
    player: Player,
    clock: DeviceClock,
    page: Option<Page>,
    /// What is superseded by `page` as soon as that is written.
    before: Option<Page>,
    kept: Option<Journal>,
    sending: Option<Sending>,
}

/// What became of a report.
#[derive(Debug)]
pub struct Told {
    /// The value that counts, or why the report waits. One about a message that is gone is dropped.
    pub outcome: Result<PlaybackAnswer, Error>,
    /// Whether that is on the disk.
    pub journal: io::Result<()>,
}

#[derive(Debug)]
struct Sending {
    report_id: Uuid,
    task: JoinHandle<Result<PlaybackAnswer, Error>>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Opens a message for playing: the player, and where it begins. Of a server that cannot be reached the device's own
    /// knowledge has to do.
    ///
    /// # Errors
    /// [`Error::Randomness`] when the operating system gives none for ids.
    pub async fn open_playback(
        &self,
        journals: &PlaybackJournals,
        message: &Message,
        device_id: Uuid,
    ) -> Result<(Listening, Resume), Error> {
        let fresh = Self::new_id()?;
        let clock = DeviceClock::start();
        let asked = self.playback_and_date(message.id).await;
        let server = asked
            .ok()
            .map(|(playback, date)| as_seen_here(playback, date, clock.now()));
        let mut left = journals.claim(message.id).into_iter();
        let (before, kept) = left.next().unzip();
        let journal = kept.map(|kept| kept.journal);
        // Others that were killed too are told by `flush_playback`; their files are free again.
        drop(left);
        let server = server.or_else(|| journal.as_ref().filter(|journal| !journal.moved).map(confirmed));
        let duration_ms = message.duration_ms.unwrap_or(0);
        let (player, resume) = Player::open(
            journal,
            server.as_ref(),
            fresh,
            device_id,
            duration_ms,
            clock.now(),
        );
        let player_id = player.journal(clock.now()).player_id;
        let (page, before) = match before {
            Some(page) if page.player() == player_id => (Some(page), None),
            other => (None, other),
        };
        let listening = Listening {
            client: self.clone(),
            journals: journals.clone(),
            message: message.id,
            duration_ms,
            player,
            clock,
            page,
            before,
            kept: None,
            sending: None,
        };
        Ok((listening, resume))
    }
}

impl Listening {
    /// Something happened at the player; it is on the disk when this returns, some milliseconds later.
    ///
    /// # Errors
    /// Those of the disk: what was kept before stays. Playing can go on, and what follows may find room again.
    pub fn act(&mut self, action: Action) -> io::Result<()> {
        self.player.handle(self.clock.now(), action);
        self.keep()
    }

    /// Another device reported. Gives where an idle player should show the playhead.
    pub fn elsewhere(&mut self, playback: &PlaybackSummary) -> Option<i64> {
        self.player.handle_elsewhere(playback)
    }

    /// Sends reports as they are due, and waits until there is an answer to one, or none. May be dropped at any time: what
    /// is under way stays under way.
    pub async fn next(&mut self) -> Told {
        loop {
            if let Ok(id) = Client::new_id()
                && let Some(report) = self.player.poll_report(self.clock.now(), id)
            {
                self.send(report);
            }
            let again = self.player.poll_timeout().map(|at| self.clock.until(at));
            let wait = async {
                match again {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            let Some(sending) = &mut self.sending else {
                wait.await;
                continue;
            };
            tokio::select! {
                () = wait => {}
                done = &mut sending.task => {
                    let report_id = sending.report_id;
                    self.sending = None;
                    // The task neither panics nor is it aborted while we hold it.
                    if let Ok(outcome) = done {
                        return self.settle(report_id, outcome);
                    }
                    self.player.handle_failure(self.clock.now(), report_id);
                }
            }
        }
    }

    /// The playhead.
    pub fn position_ms(&self) -> i64 {
        self.player.position_ms()
    }

    /// The speed that was chosen last, on whatever device.
    pub fn speed(&self) -> f32 {
        self.player.speed()
    }

    /// Whether there is something that the server has not confirmed.
    pub fn is_unsynced(&self) -> bool {
        self.player.journal(self.clock.now()).moved
    }

    /// Ends the player: tells at once what there is to tell, and waits so long for the answer. Gives whether the server knows
    /// all of it; else the journal does.
    pub async fn close(mut self, within: Duration) -> bool {
        // The journal was written with the last action; whether it is written again decides nothing.
        let _ = self.act(Action::Hide);
        let telling = async {
            while self.is_unsynced() {
                if self.next().await.outcome.is_err() {
                    return !self.is_unsynced();
                }
            }
            true
        };
        tokio::time::timeout(within, telling).await.unwrap_or(false)
    }

    fn send(&mut self, report: PlaybackReport) {
        let (client, message) = (self.client.clone(), self.message);
        let report_id = report.report_id;
        let task = tokio::spawn(async move { client.report_playback_once(message, &report).await });
        self.sending = Some(Sending { report_id, task });
    }

    fn settle(&mut self, report_id: Uuid, outcome: Result<PlaybackAnswer, Error>) -> Told {
        match &outcome {
            Ok(answer) => {
                self.player.handle_answer(report_id, answer);
            }
            Err(error) if is_final(error) => self.player.handle_refusal(report_id),
            Err(_) => self.player.handle_failure(self.clock.now(), report_id),
        }
        let journal = self.keep();
        Told { outcome, journal }
    }

    /// Writes the journal, unless it would say the same again or nothing was ever moved.
    fn keep(&mut self) -> io::Result<()> {
        let journal = self.player.journal(self.clock.now());
        let unchanged = self.kept.as_ref().map_or(!journal.moved, |kept| {
            *kept
                == Journal {
                    at: kept.at,
                    ..journal.clone()
                }
        });
        if unchanged {
            return Ok(());
        }
        if self.page.is_none() {
            self.page = Some(self.journals.create(self.message, journal.player_id)?);
        }
        if let Some(page) = &self.page {
            page.save(&Kept {
                duration_ms: self.duration_ms,
                journal: journal.clone(),
            })?;
        }
        self.kept = Some(journal);
        if let Some(before) = self.before.take() {
            before.remove();
        }
        Ok(())
    }
}

/// Whether the same report will never be taken: the message is gone, or somebody else's.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::NotFound | ErrorCode::Forbidden | ErrorCode::InvalidRequest)
    )
}

/// What the server had when this was written, for a device that cannot ask it.
fn confirmed(journal: &Journal) -> voxpost_proto::api::Playback {
    voxpost_proto::api::Playback {
        version: journal.base_version.max(1),
        position_ms: journal.position_ms,
        speed: journal.speed,
        heard: journal.heard.clone(),
        heard_ms: 0,
        played: false,
        player_id: Some(journal.player_id),
        device_id: None,
        updated_at: Some(journal.at),
    }
}
