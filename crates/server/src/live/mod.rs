//! Recordings that come in packet by packet: durable while they are made, heard live, whole when their sender lets go.
//!
//! A packet goes from its socket into a [`Recording`], which relays it to listeners at once. The [flusher](flush) writes what
//! came for all recordings in one transaction, then tells the senders. The canonical file [grows](growth) meanwhile, so that a
//! [finish] has little left to do, however long the message is; until its object is [stored](storing) it is served from there,
//! and could be made of the log again at any moment.

mod abandoned;
mod begin;
mod canonical;
mod finish;
mod flush;
mod growing;
mod growth;
mod listener;
mod outlet;
mod recording;
mod storing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;
use voxpost_proto::socket::{Ephemeral, RecordingState};

pub(crate) use begin::{Opened, resume, start};
pub(crate) use canonical::Canonical;
pub(crate) use finish::{Finish, cancel, finish};
pub(crate) use growing::growing;
pub(crate) use listener::{Heard, Listener};
pub(crate) use outlet::Outlet;
pub(crate) use recording::{Recording, Taken};
pub(crate) use storing::ensure_stored;

use crate::app::App;
use crate::clock;
use crate::error::ApiResult;
use crate::ingest::KeyedLocks;
use crate::store::members;
use crate::supervise::keep_running;

/// To more people than this a recording's progress is not told: it would be all that their sockets carry.
const MAX_TOLD: i64 = 100;

/// The recordings of this node.
pub(crate) struct Recordings {
    /// Which process may write to the log of a recording: this one.
    node: Uuid,
    open: Mutex<HashMap<Uuid, Arc<Recording>>>,
    /// Finished ones whose object is not stored yet.
    files: Mutex<HashMap<Uuid, Arc<Canonical>>>,
    dirty: Mutex<Vec<Arc<Recording>>>,
    work: Notify,
    urgent: Notify,
    /// One opening, finishing or cancelling at a time for each message.
    turns: KeyedLocks<Uuid>,
}

impl Recordings {
    pub(crate) fn new() -> Self {
        Self {
            node: clock::new_id(),
            open: Mutex::default(),
            files: Mutex::default(),
            dirty: Mutex::default(),
            work: Notify::new(),
            urgent: Notify::new(),
            turns: KeyedLocks::new(),
        }
    }

    /// A recording that goes on.
    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<Recording>> {
        lock(&self.open).get(&id).cloned()
    }

    /// The sound of a finished one, until its object is stored.
    pub(crate) fn file(&self, id: Uuid) -> Option<Arc<Canonical>> {
        lock(&self.files).get(&id).cloned()
    }

    /// The message is deleted: whoever sends it or hears it learns that it is over.
    pub(crate) fn forget(&self, id: Uuid) {
        lock(&self.files).remove(&id);
        if let Some(recording) = self.get(id) {
            self.close(&recording, 0);
        }
    }

    /// Something came in that has to be written.
    pub(crate) fn put_dirty(&self, recording: Arc<Recording>) {
        lock(&self.dirty).push(recording);
        self.work.notify_one();
    }

    fn take_dirty(&self) -> Vec<Arc<Recording>> {
        std::mem::take(&mut *lock(&self.dirty))
    }

    fn close(&self, recording: &Arc<Recording>, packets: u32) {
        let mut open = lock(&self.open);
        if open
            .get(&recording.id)
            .is_some_and(|present| Arc::ptr_eq(present, recording))
        {
            open.remove(&recording.id);
            metrics::gauge!("voxpost_recordings_open").set(open.len() as f64);
        }
        drop(open);
        recording.set_over(packets);
    }

    fn all(&self) -> Vec<Arc<Recording>> {
        lock(&self.open).values().cloned().collect()
    }
}

/// Goes on with what the last process left, and starts what works beside the sockets.
pub(crate) async fn run(app: &App) -> ApiResult<()> {
    let owner = app.clone();
    keep_running("recordings", app.ingest.stopping.clone(), move || {
        flush::run(owner.clone())
    });
    let owner = app.clone();
    keep_running("abandoned", app.ingest.stopping.clone(), move || {
        abandoned::run(owner.clone())
    });
    abandoned::take_up(app).await?;
    storing::take_up(app).await
}

/// Tells how a recording gets on: the sender's devices, and everybody when it is published.
async fn tell(app: &App, recording: &Recording, state: RecordingState) -> ApiResult<()> {
    let mut people = vec![recording.sender_id];
    if recording.live && recording.lock().published {
        let mut c = app.store.read().await?;
        let members = members::ids(&mut c, recording.conversation_id, MAX_TOLD + 1).await?;
        if members.len() as i64 <= MAX_TOLD {
            people = members;
        }
    }
    let news = Ephemeral::RecordingProgress {
        conversation_id: recording.conversation_id,
        message_id: recording.id,
        user_id: recording.sender_id,
        state,
        duration_ms: recording.duration_ms(),
    };
    app.hub.tell_all(&people, &news);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here leaves it half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
