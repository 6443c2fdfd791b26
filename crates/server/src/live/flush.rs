//! Writes what came in for all recordings of this node together: some 15 times a second, one transaction, one fsync.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::recording::{Packet, Recording};
use super::{finish, growth};
use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::messages::{self, Published};
use crate::store::recordings::{self, LogRow};
use crate::store::{Conn, StoreError};

/// How long packets wait for others to share their commit.
const RHYTHM: Duration = Duration::from_millis(60);

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
    loop {
        app.recordings.work.notified().await;
        tokio::select! {
            () = tokio::time::sleep(RHYTHM) => {}
            () = app.recordings.urgent.notified() => {}
        }
        if let Err(error) = flush(&app).await {
            tracing::warn!(
                code = error.code().as_str(),
                "packets of recordings wait: they could not be written"
            );
            tokio::time::sleep(PAUSE).await;
            app.recordings.work.notify_one();
        }
    }
}

async fn flush(app: &App) -> ApiResult<()> {
    let (mut parts, mut jobs) = (Vec::new(), Vec::new());
    for recording in app.recordings.take_dirty() {
        let Some((packets, rows)) = recording.begin_flush() else {
            continue;
        };
        jobs.push(Job {
            id: recording.id,
            rows,
            publish: recording.live && !recording.lock().published,
        });
        parts.push(Part { recording, packets });
    }
    if parts.is_empty() {
        return Ok(());
    }
    let node = app.recordings.node;
    let written: ApiResult<Vec<Outcome>> = app.store.write(move |c| write(c, node, jobs)).await;
    match written {
        Ok(outcomes) => {
            let done = parts.into_iter().zip(outcomes).collect();
            let owner = app.clone();
            let settled = tokio::task::spawn_blocking(move || settle(&owner, done)).await;
            for recording in settled.map_err(ApiError::internal)? {
                finish::at_limit(app, recording);
            }
            Ok(())
        }
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
        let now = clock::now();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in &jobs {
            if !recordings::may_append(c, job.id, node).await? {
                outcomes.push(Outcome::Gone);
                continue;
            }
            for row in &job.rows {
                recordings::append(c, job.id, row)
                    .await
                    .map_err(StoreError::from)?;
            }
            let published =
                job.publish && matches!(messages::publish_live(c, job.id, now).await?, Published::At(_));
            outcomes.push(Outcome::Written { published });
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
