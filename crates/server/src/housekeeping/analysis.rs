//! Measures the sound of messages that were accepted without decoding: waveform, loudness, gain, speech. Newest first, on few
//! threads of low priority, so that it never slows down the message lane.

use std::thread;
use std::time::Duration;

use uuid::Uuid;
use voxpost_audio::{Error, Limits, analyse_ogg};

use crate::app::App;
use crate::blob::BlobError;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::ingest::Lane;
use crate::store::analysis::{self, Measured, ToAnalyse};
use crate::store::messages;

/// Items that are measured and written together.
const BATCH: usize = 16;

/// A sound that could not be measured so many times never will be.
const MAX_ATTEMPTS: i64 = 3;

/// Looks again this often, in case a wake-up was lost.
const POLL: Duration = Duration::from_secs(5);

/// Starts the worker.
pub(super) fn start(app: &App) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores / 2).max(1);
    let lane = Lane::start_nice("analysis", threads, BATCH, 1);
    let owner = app.clone();
    app.ingest.tasks.spawn(async move {
        let stopping = &owner.ingest.stopping;
        loop {
            // Not cut off by a shutdown: the work itself looks at it.
            let more = match batch(&owner, &lane).await {
                Ok(more) => more,
                Err(error) => {
                    tracing::warn!(code = error.code().as_str(), "sounds could not be measured yet");
                    false
                }
            };
            if more && !stopping.is_cancelled() {
                continue;
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = owner.ingest.to_analyse.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    });
}

enum Outcome {
    Measured(Box<Measured>),
    /// Never will be.
    Hopeless,
    /// The store did not answer, or the server stops.
    Later,
}

/// Measures some; whether there may be more.
async fn batch(app: &App, lane: &Lane) -> ApiResult<bool> {
    let items = {
        let mut c = app.store.read().await?;
        analysis::waiting(&mut c, i64::try_from(BATCH).unwrap_or(1)).await?
    };
    if items.is_empty() {
        return Ok(false);
    }
    // Counted before the work: an input that kills the process must not do so for ever.
    count(app, items.iter().map(|item| item.id).collect()).await?;
    let works = items.into_iter().map(|item| async move {
        let id = item.id;
        (id, measure(app, lane, item).await)
    });
    let outcomes = futures_util::future::join_all(works).await;
    let progress = outcomes
        .iter()
        .any(|(_, outcome)| !matches!(outcome, Outcome::Later));
    write(app, outcomes).await?;
    Ok(progress)
}

async fn measure(app: &App, lane: &Lane, item: ToAnalyse) -> Outcome {
    if item.attempts >= MAX_ATTEMPTS {
        return Outcome::Hopeless;
    }
    let owner = app.clone();
    let work = move || {
        let object = owner.blobs.open_blocking(&item.audio_key)?;
        let limits = Limits {
            max_duration_ms: u64::MAX,
            ..Limits::default()
        };
        let cancelled = || owner.ingest.stopping.is_cancelled();
        Ok::<_, BlobError>(analyse_ogg(object, &limits, &cancelled))
    };
    match lane.run(work).await {
        Ok(Some(Ok(Ok(analysis)))) => Outcome::Measured(Box::new(Measured::from(&analysis))),
        Ok(Some(Ok(Err(Error::OutOfTime | Error::Io(_))))) => Outcome::Later,
        Ok(Some(Ok(Err(error)))) => {
            tracing::warn!(message = %item.id, %error, "a stored sound cannot be measured");
            Outcome::Hopeless
        }
        // Deleted meanwhile: the row is a tombstone, and nothing will be written to it.
        Ok(Some(Err(BlobError::NotFound))) | Ok(None) => Outcome::Hopeless,
        Ok(Some(Err(_))) | Err(_) => Outcome::Later,
    }
}

async fn write(app: &App, outcomes: Vec<(Uuid, Outcome)>) -> ApiResult<()> {
    app.store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                for (id, outcome) in &outcomes {
                    match outcome {
                        Outcome::Measured(measured) => {
                            analysis::keep(c, *id, measured, now).await?;
                        }
                        Outcome::Hopeless => analysis::give_up(c, *id).await?,
                        Outcome::Later => messages::uncount_attempt(c, *id).await?,
                    }
                }
                Ok::<_, ApiError>(())
            })
        })
        .await
}

async fn count(app: &App, ids: Vec<Uuid>) -> ApiResult<()> {
    app.store
        .write(move |c| {
            Box::pin(async move {
                for id in ids {
                    messages::count_attempt(c, id).await?;
                }
                Ok::<_, ApiError>(())
            })
        })
        .await
}
