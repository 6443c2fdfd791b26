//! Writes what came in for all recordings of this node together: some 15 times a second, one transaction, one fsync.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::recording::{Packet, Recording};
use super::{finish, growth};
use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::messages::{self, Published};
use crate::store::recordings::{self, LogRow};
use crate::store::{Conn, StoreError};

/// From one flush to the next: how long packets may wait for others to share their commit.
const RHYTHM: Duration = Duration::from_millis(60);

/// Recordings in one transaction. More share an fsync, and all of them wait for the last.
const TOGETHER: usize = 256;

/// After a write that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What one recording has to write.
struct Part {
    recording: Arc<Recording>,
    packets: Vec<Packet>,
}

struct Job {
    id: Uuid,
    rows: Vec<LogRow>,
    /// Nobody knows of this live recording yet.
    publish: bool,
}

#[derive(Clone, Copy)]
enum Outcome {
    Written {
        published: bool,
    },
    /// Cancelled, finished, or another node's.
    Gone,
}

pub(super) async fn run(app: App) {
    let mut next = Instant::now();
    loop {
        app.recordings.work.notified().await;
        tokio::select! {
            () = sleep_until(next) => {}
            () = app.recordings.urgent.notified() => {}
        }
        // From beginning to beginning: who has much to write does not wait in addition.
        next = Instant::now() + RHYTHM;
        if let Err(error) = flush(&app).await {
            tracing::warn!(
                code = error.code().as_str(),
                "packets of recordings wait: they could not be written"
            );
            sleep(PAUSE).await;
            app.recordings.work.notify_one();
        }
    }
}

/// Writes what all recordings have, some of them at a time; what is written is told while the next are.
async fn flush(app: &App) -> ApiResult<()> {
    let dirty = app.recordings.take_dirty();
    let mut settling = Vec::new();
    let mut flushed = Ok(());
    for recordings in dirty.chunks(TOGETHER) {
        if flushed.is_err() {
            recordings
                .iter()
                .for_each(|recording| app.recordings.put_dirty(Arc::clone(recording)));
            continue;
        }
        match write_some(app, recordings).await {
            Ok(done) => {
                let owner = app.clone();
                settling.push(tokio::task::spawn_blocking(move || settle(&owner, done)));
            }
            Err(error) => flushed = Err(error),
        }
    }
    for settled in settling {
        for recording in settled.await.map_err(ApiError::internal)? {
            finish::at_limit(app, recording);
        }
    }
    flushed
}

/// One transaction, and one fsync, for some recordings.
async fn write_some(app: &App, recordings: &[Arc<Recording>]) -> ApiResult<Vec<(Part, Outcome)>> {
    let (mut parts, mut jobs) = (Vec::new(), Vec::new());
    for recording in recordings {
        let Some((packets, rows)) = recording.begin_flush() else {
            continue;
        };
        jobs.push(Job {
            id: recording.id,
            rows,
            publish: recording.live && !recording.lock().published,
        });
        parts.push(Part {
            recording: Arc::clone(recording),
            packets,
        });
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let node = app.recordings.node;
    let began = Instant::now();
    let written: ApiResult<Vec<Outcome>> = app.store.write(move |c| write(c, node, jobs)).await;
    metrics::histogram!("voxpost_live_flush_seconds").record(began.elapsed());
    match written {
        Ok(outcomes) => Ok(parts.into_iter().zip(outcomes).collect()),
        Err(error) => {
            for part in parts {
                part.recording.undo_flush(part.packets, error.clone());
                app.recordings.put_dirty(part.recording);
            }
            Err(error)
        }
    }
}

fn write(c: &mut Conn, node: Uuid, jobs: Vec<Job>) -> BoxFuture<'_, ApiResult<Vec<Outcome>>> {
    Box::pin(async move {
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        let open = recordings::appendable(c, node, &ids).await?;
        let rows: Vec<(Uuid, &LogRow)> = jobs
            .iter()
            .filter(|job| open.contains(&job.id))
            .flat_map(|job| job.rows.iter().map(|row| (job.id, row)))
            .collect();
        recordings::append(c, &rows).await.map_err(StoreError::from)?;
        let now = clock::now();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in &jobs {
            outcomes.push(if open.contains(&job.id) {
                let published =
                    job.publish && matches!(messages::publish_live(c, job.id, now).await?, Published::At(_));
                Outcome::Written { published }
            } else {
                Outcome::Gone
            });
        }
        Ok(outcomes)
    })
}

/// Lets the canonical files grow and tells the senders; returns the recordings that are as long as they may be. Blocks.
fn settle(app: &App, done: Vec<(Part, Outcome)>) -> Vec<Arc<Recording>> {
    let mut at_limit = Vec::new();
    for (part, outcome) in done {
        match outcome {
            Outcome::Gone => {
                let packets = part.recording.lock().receiver.packets();
                app.recordings.close(&part.recording, packets);
            }
            Outcome::Written { published } => {
                let grown = part.recording.take_grown();
                let grown = grown.and_then(|grown| growth::append(grown, &part.packets));
                part.recording.end_flush(&part.packets, grown, published);
                metrics::counter!("voxpost_live_packets_total").increment(part.packets.len() as u64);
                if part.recording.is_at_limit() {
                    at_limit.push(part.recording);
                }
            }
        }
    }
    at_limit
}
