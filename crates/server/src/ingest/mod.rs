//! From what somebody sent to a message that others can hear.
//!
//! Bytes come in through a [`spool`]; [`message::accept`] makes the canonical object in one of two [lanes](lane::Lane), stores
//! it durably, and only then publishes the message.

mod lane;
mod locks;
pub(crate) mod message;
mod quota;
mod sound;
mod spool;
mod staging;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::thread;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::config::Config;
pub(crate) use lane::Lane;
pub(crate) use locks::{KeyedGuard, KeyedLocks};
pub(crate) use quota::Quota;
pub(crate) use spool::{Spooler, Upload};
pub(crate) use staging::Staging;

/// What waits in the light lane: a second or so of work.
const LIGHT_QUEUE: usize = 1024;
/// What waits in the heavy lane: a transcode takes long, so a queue of them would only make everybody time out.
const HEAVY_QUEUE: usize = 64;

/// Messages that were set aside and are worked on again at once.
const RESUMING: usize = 4;

/// The machinery of ingest.
pub(crate) struct Ingest {
    pub(crate) spooler: Spooler,
    light: Lane,
    heavy: Lane,
    /// Transcodes under way, and the cores that there are for them.
    transcodes: AtomicUsize,
    cores: usize,
    pub(crate) temporary: PathBuf,
    pub(crate) staging: Staging,
    /// Messages that were set aside and are worked on again, at once: few, so that new ones come through.
    resuming: Semaphore,
    /// Told to long work and to the background, so that a shutdown does not wait for them.
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Told when there is something new to analyse.
    pub(crate) to_analyse: Notify,
    /// Told when there is an object to delete.
    pub(crate) to_delete: Notify,
    /// One request at a time for each (user, client id).
    ids: KeyedLocks<(Uuid, Uuid)>,
}

impl Ingest {
    /// Makes its folders and starts its threads.
    pub(crate) fn start(config: &Config) -> io::Result<Self> {
        let temporary = config.data_dir.join("tmp");
        fs::create_dir_all(&temporary)?;
        let staging = Staging::open(config.data_dir.join("staging"), config.max_waiting_bytes)?;
        fs::File::open(&config.data_dir)?.sync_all()?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            spooler: Spooler::new(temporary.clone()),
            // Much of the light lane's time goes into waiting for fsync, which the file system does for many at once.
            light: Lane::start("light", 4 * cores, LIGHT_QUEUE, 1),
            heavy: Lane::start("heavy", cores, HEAVY_QUEUE, 5),
            transcodes: AtomicUsize::new(0),
            cores,
            temporary,
            staging,
            resuming: Semaphore::new(RESUMING),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            to_analyse: Notify::new(),
            to_delete: Notify::new(),
            ids: KeyedLocks::new(),
        })
    }

    /// Held while a write with this client-made id is under way; who comes second waits.
    pub(crate) async fn one_at_a_time(&self, user_id: Uuid, client_id: Uuid) -> KeyedGuard<(Uuid, Uuid)> {
        self.ids.lock((user_id, client_id)).await
    }

    /// Waits until everything that was accepted is published, or set aside to be finished after the next start.
    pub(crate) async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
