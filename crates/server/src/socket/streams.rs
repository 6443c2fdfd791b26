//! What comes in as binary messages: each handle has a task of its own and a short queue before it, so that no disk and no
//! database holds up the events of this socket. What the tasks have to say comes back through one channel.

use std::collections::HashMap;

use axum::body::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use uuid::Uuid;
use voxpost_proto::socket::{ServerMessage, UploadFinish, UploadRequest};
use voxpost_proto::{BINARY_HEAD_BYTES, BinaryKind, BinaryMessage, ErrorCode};

use super::uploads;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiResult};

/// Streams of one socket at a time.
const MAX_OPEN: usize = 16;

/// Messages that wait for the task of one stream: half a megabyte of chunks.
const QUEUE: usize = 8;

/// What the tasks of one socket may have to say before they wait for it.
const SAID: usize = 32;

/// The streams of one socket. Costs next to nothing before the first one.
pub(super) struct Streams {
    app: App,
    caller: Caller,
    open: Option<Box<Open>>,
}

struct Open {
    /// By handle.
    streams: HashMap<u32, Stream>,
    next_handle: u32,
    say: Sender<ServerMessage>,
    said: Receiver<ServerMessage>,
    /// What came in last and has no place in its queue yet.
    waiting: Option<(u32, Inbound)>,
}

struct Stream {
    kind: BinaryKind,
    /// What it is about.
    id: Uuid,
    queue: Sender<Inbound>,
}

/// What the task of a stream is given, in order.
#[derive(Debug)]
pub(super) enum Inbound {
    /// The body of a binary message.
    Body(Bytes),
    FinishUpload(UploadFinish),
}

/// What happened.
pub(super) enum Step {
    /// There is room again for what comes in.
    Room,
    Say(Box<ServerMessage>),
}

/// The end of a stream that its task holds.
pub(super) struct Outlet {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) handle: u32,
    pub(super) inbound: Receiver<Inbound>,
    say: Sender<ServerMessage>,
}

impl Outlet {
    /// Says something to the client; waits while it takes nothing. False when the socket has ended.
    pub(super) async fn say(&self, message: ServerMessage) -> bool {
        self.say.send(message).await.is_ok()
    }
}

impl Streams {
    pub(super) fn new(app: App, caller: Caller) -> Self {
        Self {
            app,
            caller,
            open: None,
        }
    }

    /// Whether the socket must not be read at present.
    pub(super) fn is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.waiting.is_some())
    }

    /// Waits for what the tasks have to say, or for room. Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self) -> Step {
        let Some(open) = self.open.as_deref_mut() else {
            return std::future::pending().await;
        };
        let queue = match &open.waiting {
            Some((handle, _)) => open.streams.get(handle).map(|stream| stream.queue.clone()),
            None => None,
        };
        let room = async {
            match &queue {
                Some(queue) => queue.reserve().await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            said = open.said.recv() => match said {
                Some(message) => Step::Say(Box::new(message)),
                // This side holds a sender too.
                None => std::future::pending().await,
            },
            place = room => {
                if let (Some(place), Some((_, inbound))) = (place, open.waiting.take()) {
                    place.send(inbound);
                }
                Step::Room
            }
        }
    }

    /// Takes a binary message. The one place where it finds its stream.
    pub(super) fn take(&mut self, message: &Bytes) -> ApiResult<()> {
        let Some(open) = self.open.as_deref_mut() else {
            return Err(ApiError::new(
                ErrorCode::NotSupported,
                "Nothing is being uploaded or recorded on this connection.",
            ));
        };
        let head = BinaryMessage::parse(message).map_err(|error| ApiError::invalid(format!("{error}")))?;
        let (kind, handle) = (head.kind, head.handle);
        match open.streams.get(&handle) {
            Some(stream) if stream.kind != kind => Err(ApiError::invalid(format!(
                "the handle {handle} stands for something else"
            ))),
            Some(_) => {
                open.put(handle, Inbound::Body(message.slice(BINARY_HEAD_BYTES..)));
                Ok(())
            }
            // The stream has ended and its client does not know yet.
            None if handle < open.next_handle => Ok(()),
            None => Err(ApiError::invalid(format!(
                "nothing on this connection has the handle {handle}"
            ))),
        }
    }

    /// A request about an upload; it is answered by the upload's own task.
    pub(super) fn upload(&mut self, request: UploadRequest) -> ApiResult<()> {
        match request {
            UploadRequest::Start(start) => {
                // A new one gets its id here, so that it can be finished by it.
                let id = start.upload_id.unwrap_or_else(clock::new_id);
                let outlet = self.open_stream(BinaryKind::UploadChunk, id)?;
                tokio::spawn(uploads::run(outlet, id, start));
            }
            UploadRequest::Finish(finish) => {
                let open = self.open.as_deref_mut();
                let handle = open.and_then(|open| open.handle_of(finish.upload_id));
                match (handle, self.open.as_deref_mut()) {
                    (Some(handle), Some(open)) => open.put(handle, Inbound::FinishUpload(finish)),
                    _ => {
                        let outlet = self.open_stream(BinaryKind::UploadChunk, finish.upload_id)?;
                        tokio::spawn(uploads::finish_only(outlet, finish));
                    }
                }
            }
        }
        Ok(())
    }

    fn open_stream(&mut self, kind: BinaryKind, id: Uuid) -> ApiResult<Outlet> {
        let open = self.open.get_or_insert_with(|| {
            let (say, said) = mpsc::channel(SAID);
            Box::new(Open {
                streams: HashMap::new(),
                next_handle: 1,
                say,
                said,
                waiting: None,
            })
        });
        open.streams.retain(|_, stream| !stream.queue.is_closed());
        if open.streams.len() >= MAX_OPEN {
            let detail = format!("At most {MAX_OPEN} uploads and recordings go over one socket at a time.");
            return Err(ApiError::new(ErrorCode::RateLimited, detail).retry_after(1));
        }
        let handle = open.next_handle;
        open.next_handle += 1;
        let (queue, inbound) = mpsc::channel(QUEUE);
        open.streams.insert(handle, Stream { kind, id, queue });
        Ok(Outlet {
            app: self.app.clone(),
            caller: self.caller,
            handle,
            inbound,
            say: open.say.clone(),
        })
    }
}

impl Open {
    fn handle_of(&self, id: Uuid) -> Option<u32> {
        let live = |stream: &&Stream| stream.id == id && !stream.queue.is_closed();
        let found = self.streams.iter().filter(|(_, stream)| live(stream));
        // A later start has taken the upload over from an earlier one.
        found.map(|(handle, _)| *handle).max()
    }

    fn put(&mut self, handle: u32, inbound: Inbound) {
        let Some(stream) = self.streams.get(&handle) else {
            return;
        };
        // While something waits the socket is not read, so there is room for one here.
        match stream.queue.try_send(inbound) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(inbound)) => self.waiting = Some((handle, inbound)),
        }
    }
}
