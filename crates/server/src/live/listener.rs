//! Somebody who hears a recording on a socket while it is made.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::live::packet_down;
use voxpost_proto::socket::LiveFrom;

use super::recording::Reader;
use super::{Outlet, Recording, begin, growth};
use crate::access;
use crate::app::App;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::store::recordings;

/// Runs of the log, and packets of the ring, that are taken at a time.
const PAGE: i64 = 8;
const BATCH: usize = 64;

/// How often it is looked at whether somebody may still listen.
const CHECK: Duration = Duration::from_secs(1);

/// The most packets that one nack gets.
const MAX_NACK: usize = 64;

/// Packets that wait to be sent, beyond which a nack brings nothing: who reads so slowly asks again.
const MAX_WAITING: usize = 512;

pub(crate) struct Listener {
    user_id: Uuid,
    recording: Arc<Recording>,
    outlet: Arc<Outlet>,
    handle: u32,
    place: Place,
    waiting: VecDeque<Bytes>,
    checked: Instant,
    heard_end: bool,
}

/// Where a listener reads.
enum Place {
    /// In the log, from this packet on.
    Log { next: u32, _kept: Reader },
    /// In memory, from this arrival on.
    Ring(u64),
}

/// What a listener gets next.
pub(crate) enum Heard {
    /// A binary message.
    Packet(Bytes),
    /// The recording is over and has so many packets.
    Ended(u32),
    /// Nothing yet.
    Nothing,
}

impl Listener {
    /// Joins; also gives the first packet that will come.
    pub(crate) async fn join(
        app: &App,
        user_id: Uuid,
        message_id: Uuid,
        from: LiveFrom,
        outlet: &Arc<Outlet>,
        handle: u32,
    ) -> ApiResult<(Self, u32)> {
        may_listen(app, user_id, message_id).await?;
        let Some(recording) = app.recordings.get(message_id) else {
            let mut c = app.store.read().await?;
            let row = recordings::by_id(&mut c, message_id).await?;
            return Err(match row {
                Some(row) if !row.is_open() => begin::finished(row.packets.unwrap_or_default()),
                _ => ApiError::new(
                    ErrorCode::Conflict,
                    "Nobody is recording this message. Fetch its sound instead.",
                ),
            });
        };
        let (edge, place) = recording.listen(outlet, handle);
        let (place, next) = match from {
            LiveFrom::Edge => (Place::Ring(place), edge),
            LiveFrom::Start => {
                let first = recording.shape.first_sequence;
                (recording_log(&recording, first), first)
            }
        };
        let listener = Self {
            user_id,
            recording,
            outlet: Arc::clone(outlet),
            handle,
            place,
            waiting: VecDeque::new(),
            checked: Instant::now(),
            heard_end: false,
        };
        Ok((listener, next))
    }

    /// The next message for this listener.
    pub(crate) async fn next(&mut self, app: &App) -> ApiResult<Heard> {
        loop {
            if let Some(packet) = self.waiting.pop_front() {
                return Ok(Heard::Packet(packet));
            }
            if self.heard_end {
                return Ok(Heard::Nothing);
            }
            if self.checked.elapsed() > CHECK {
                may_listen(app, self.user_id, self.recording.id).await?;
                self.checked = Instant::now();
            }
            // Asked before the packets: what came before the end is still sent.
            let over = self.recording.over();
            match self.place {
                Place::Log { next, .. } => self.read_log(app, next).await?,
                Place::Ring(place) => {
                    let (packets, after) = self.recording.ring_from(place, BATCH);
                    self.place = Place::Ring(after);
                    for packet in &packets {
                        self.queue(&packet.rtp);
                    }
                }
            }
            if self.waiting.is_empty()
                && let Place::Ring(_) = self.place
            {
                if let Some(packets) = over {
                    self.heard_end = true;
                    return Ok(Heard::Ended(packets));
                }
                return Ok(Heard::Nothing);
            }
        }
    }

    /// Packets again, as far as they are there.
    pub(crate) async fn nack(&mut self, app: &App, sequences: &[u32]) -> ApiResult<()> {
        for &sequence in sequences.iter().take(MAX_NACK) {
            if self.waiting.len() >= MAX_WAITING {
                break;
            }
            if let Some(packet) = self.recording.ring_find(sequence) {
                self.queue(&packet.rtp);
                continue;
            }
            let rows = {
                let mut c = app.store.read().await?;
                recordings::log_from(&mut c, self.recording.id, sequence, 1).await?
            };
            let found = rows.iter().flat_map(growth::packets_of);
            if let Some((_, packet)) = found.into_iter().find(|(number, _)| *number == sequence) {
                self.queue(packet);
            }
        }
        Ok(())
    }

    async fn read_log(&mut self, app: &App, next: u32) -> ApiResult<()> {
        let rows = {
            let mut c = app.store.read().await?;
            recordings::log_from(&mut c, self.recording.id, next, PAGE).await?
        };
        for row in &rows {
            for (sequence, packet) in growth::packets_of(row) {
                if sequence >= next {
                    self.queue(packet);
                }
            }
        }
        self.place = match rows.last() {
            Some(last) => recording_log(&self.recording, growth::after(last)),
            None => {
                let (begin, lowest) = self.recording.ring_begin();
                // What is older than the ring is in the log by now: look there once more.
                match lowest {
                    Some(lowest) if lowest > next && begin > 0 && self.recording.over().is_none() => {
                        recording_log(&self.recording, next)
                    }
                    _ => Place::Ring(begin),
                }
            }
        };
        Ok(())
    }

    fn queue(&mut self, rtp: &[u8]) {
        self.waiting.push_back(packet_down(self.handle, rtp).into());
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.recording.leave(&self.outlet, self.handle);
    }
}

/// In the log from `next` on; it stays meanwhile.
fn recording_log(recording: &Arc<Recording>, next: u32) -> Place {
    Place::Log {
        next,
        _kept: recording.read_log(),
    }
}

async fn may_listen(app: &App, user_id: Uuid, id: Uuid) -> ApiResult<()> {
    let mut c = app.store.read().await?;
    access::message(&mut c, user_id, id, Action::See).await?;
    Ok(())
}
