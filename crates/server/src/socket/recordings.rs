//! What one socket has to do with recordings: those that it sends and those that it hears.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::body::Bytes;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;
use voxpost_proto::live::entries;
use voxpost_proto::socket::{ClientMessage, ServerMessage};
use voxpost_proto::{BINARY_HEAD_BYTES, BinaryKind, BinaryMessage, ErrorCode};

use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::hub::Mailbox;
use crate::live::{self, Finish, Heard, Listener, Opened, Outlet, Recording, Taken};
use crate::playback::Seen;
use crate::render;
use crate::store::messages::MessageRow;

/// Recordings and listeners of one socket at a time.
const MAX_HANDLES: usize = 4_096;

/// The recordings of a socket; made when the first is asked for.
pub(super) struct SocketRecordings {
    outlet: Arc<Outlet>,
    sent: HashMap<u32, Arc<Recording>>,
    heard: HashMap<u32, Listener>,
    last_handle: u32,
    /// Those of which their sender was told that they are over.
    told: HashSet<u32>,
    /// Its person has sent too much in too short a time.
    slow_until: Option<Instant>,
    /// The recording that is read no further until it is durable.
    full: Option<Arc<Recording>>,
}

/// Something to send.
pub(super) enum Outgoing {
    Text(Box<ServerMessage>),
    Binary(Bytes),
}

impl SocketRecordings {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            outlet: Arc::new(Outlet::new(mailbox)),
            sent: HashMap::new(),
            heard: HashMap::new(),
            last_handle: 0,
            told: HashSet::new(),
            slow_until: None,
            full: None,
        }
    }

    /// Does what was asked and gives the answer, without its `ref`; None when it is no matter of recordings.
    pub(super) async fn answer(
        &mut self,
        app: &App,
        caller: Caller,
        message: ClientMessage,
    ) -> ApiResult<ServerMessage> {
        match message {
            ClientMessage::RecordingStart { start, .. } => {
                let handle = self.new_handle()?;
                let opened = live::start(app, caller.user_id, start, &self.outlet, handle).await?;
                Ok(self.opened(opened, handle))
            }
            ClientMessage::RecordingResume {
                message_id,
                resume_token,
                ..
            } => {
                let handle = self.new_handle()?;
                let user = caller.user_id;
                let opened = live::resume(app, user, message_id, resume_token, &self.outlet, handle).await?;
                Ok(self.opened(opened, handle))
            }
            ClientMessage::RecordingFinish {
                handle,
                packets,
                samples,
                allow_gaps,
                ..
            } => {
                let recording = self.own(handle)?;
                let how = Finish {
                    packets: Some(packets),
                    samples,
                    allow_gaps,
                };
                let row = live::finish(app, caller.user_id, recording.id, how).await?;
                let message = Some(Box::new(shown(app, caller.user_id, &row).await?));
                Ok(ServerMessage::Ok {
                    reference: None,
                    message,
                })
            }
            ClientMessage::RecordingCancel { handle, .. } => {
                let recording = self.own(handle)?;
                live::cancel(app, &recording).await?;
                self.sent.remove(&handle);
                Ok(done())
            }
            ClientMessage::LiveJoin { message_id, from, .. } => {
                let handle = self.new_handle()?;
                let user = caller.user_id;
                let (listener, next_sequence) =
                    Listener::join(app, user, message_id, from, &self.outlet, handle).await?;
                self.heard.insert(handle, listener);
                Ok(ServerMessage::LiveReady {
                    reference: None,
                    handle,
                    next_sequence,
                })
            }
            ClientMessage::LiveNack {
                handle, sequences, ..
            } => {
                let listener = self.heard.get_mut(&handle).ok_or_else(unknown)?;
                listener.nack(app, &sequences).await?;
                Ok(done())
            }
            ClientMessage::LiveLeave { handle, .. } => {
                self.heard.remove(&handle).ok_or_else(unknown)?;
                Ok(done())
            }
            ClientMessage::Hello { .. } | ClientMessage::Typing { .. } | ClientMessage::Upload(_) => {
                Err(ApiError::invalid("that is no message about recordings"))
            }
        }
    }

    /// Takes the packets of a binary message in.
    ///
    /// # Errors
    /// What to tell the sender; the packets that were good are taken all the same.
    pub(super) fn packets(&mut self, app: &App, caller: Caller, bytes: &Bytes) -> ApiResult<()> {
        let message = BinaryMessage::parse(bytes).map_err(|error| ApiError::invalid(format!("{error}.")))?;
        let handle = message.handle;
        let recording = self.sent.get(&handle).cloned().ok_or_else(unknown)?;
        let mut refused = Ok(());
        let mut count = 0;
        let body = bytes.slice(BINARY_HEAD_BYTES..);
        if message.kind == BinaryKind::PacketUp {
            refused = self.packet(app, &recording, handle, &body);
            count = 1;
        } else {
            for entry in entries(&body) {
                let taken = entry
                    .map_err(|error| ApiError::invalid(format!("{error}.")))
                    .and_then(|packet| self.packet(app, &recording, handle, &body.slice_ref(packet)));
                refused = refused.and(taken);
                count += 1;
            }
        }
        let wait = app.limits.live_packets(caller.user_id, count);
        if !wait.is_zero() {
            self.slow_until = Some(Instant::now() + wait);
        }
        if recording.is_full() {
            self.full = Some(recording);
        }
        refused
    }

    fn packet(&mut self, app: &App, recording: &Arc<Recording>, handle: u32, rtp: &Bytes) -> ApiResult<()> {
        let (taken, first) = recording.handle_packet(&self.outlet, handle, rtp);
        if first {
            app.recordings.put_dirty(Arc::clone(recording));
        }
        match taken {
            Taken::Yes => Ok(()),
            Taken::Bad(reason) => Err(ApiError::invalid(format!("A packet was not taken: {reason}."))),
            Taken::Fenced => {
                // Said once: from now on the handle is not known.
                self.sent.remove(&handle);
                Err(ApiError::new(
                    ErrorCode::Conflict,
                    "This recording is sent by another connection now.",
                ))
            }
            // Once: what follows was on its way already.
            Taken::Over(_) if !self.told.insert(handle) => Ok(()),
            Taken::Over(packets) => {
                let error = ApiError::new(
                    ErrorCode::RecordingFinished,
                    "The recording is finished: what was sent is kept.",
                );
                Err(error.packets(packets))
            }
        }
    }

    /// The next thing to send, if there is one.
    pub(super) async fn next(&mut self, app: &App) -> Vec<Outgoing> {
        let mut outgoing: Vec<Outgoing> = self
            .outlet
            .take()
            .into_iter()
            .map(|message| Outgoing::Text(Box::new(message)))
            .collect();
        let mut gone = Vec::new();
        for (&handle, listener) in &mut self.heard {
            match listener.next(app).await {
                Ok(Heard::Nothing) => {}
                Ok(Heard::Packet(packet)) => outgoing.push(Outgoing::Binary(packet)),
                Ok(Heard::Ended(packets)) => {
                    gone.push(handle);
                    outgoing.push(Outgoing::Text(Box::new(ServerMessage::LiveEnded {
                        handle,
                        packets,
                    })));
                }
                Err(error) => {
                    gone.push(handle);
                    outgoing.push(Outgoing::Text(Box::new(ServerMessage::Error {
                        reference: None,
                        problem: error.problem().clone(),
                    })));
                }
            }
        }
        for handle in gone {
            self.heard.remove(&handle);
        }
        outgoing
    }

    /// Whether the client may be read now.
    pub(super) fn may_read(&mut self) -> bool {
        if self.slow_until.is_some_and(|until| until <= Instant::now()) {
            self.slow_until = None;
        }
        if self.full.as_ref().is_some_and(|recording| !recording.is_full()) {
            self.full = None;
        }
        self.slow_until.is_none() && self.full.is_none()
    }

    /// Returns when a pause for being too fast is over; a full recording wakes the socket by its acknowledgement.
    pub(super) async fn paused(&self) {
        match self.slow_until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    fn opened(&mut self, opened: Opened, handle: u32) -> ServerMessage {
        let message_id = opened.recording.id;
        self.sent.insert(handle, opened.recording);
        ServerMessage::RecordingReady {
            reference: None,
            message_id,
            handle,
            resume_token: opened.resume_token,
            next_sequence: opened.next_sequence,
        }
    }

    /// A recording that this handle may speak for, or one that is over.
    fn own(&self, handle: u32) -> ApiResult<Arc<Recording>> {
        let recording = self.sent.get(&handle).ok_or_else(unknown)?;
        if recording.over().is_none() && !recording.is_owned(&self.outlet, handle) {
            return Err(ApiError::new(
                ErrorCode::Conflict,
                "This recording is sent by another connection now.",
            ));
        }
        Ok(Arc::clone(recording))
    }

    fn new_handle(&mut self) -> ApiResult<u32> {
        if self.sent.len() + self.heard.len() >= MAX_HANDLES {
            self.sent.retain(|_, recording| recording.over().is_none());
        }
        if self.sent.len() + self.heard.len() >= MAX_HANDLES {
            let detail = "This socket has too many recordings. Open another one.";
            return Err(ApiError::new(ErrorCode::RateLimited, detail).retry_after(5));
        }
        self.last_handle = self.last_handle.wrapping_add(1);
        Ok(self.last_handle)
    }
}

impl Drop for SocketRecordings {
    fn drop(&mut self) {
        for recording in self.sent.values() {
            recording.detach(&self.outlet);
        }
    }
}

async fn shown(app: &App, user_id: Uuid, row: &MessageRow) -> ApiResult<voxpost_proto::api::Message> {
    let mut c = app.store.read().await?;
    let seen = Seen::load(&mut c, &app.keys, user_id, [row]).await?;
    drop(c);
    let mut message = render::message(&app.keys, row, user_id, clock::now());
    seen.show(&mut message);
    Ok(message)
}

fn done() -> ServerMessage {
    ServerMessage::Ok {
        reference: None,
        message: None,
    }
}

fn unknown() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "This handle stands for nothing on this connection.",
    )
}
