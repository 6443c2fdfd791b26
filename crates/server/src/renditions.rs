//! Messages in other formats than the stored one: made when first asked for, kept beside the message, gone with it.
//!
//! However many ask at the same time, one is made, and only while somebody waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use voxpost_audio::{Error, Rendition, render};
use voxpost_proto::ErrorCode;

use crate::app::App;
use crate::blob::{self, BlobError, FinishedObject, PendingObject};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::ingest::Lane;
use crate::store::renditions::{self, Made};

/// What waits for a thread; repackaging takes milliseconds.
const LIGHT_QUEUE: usize = 256;
/// Decoding takes a second for five minutes of sound, so a longer queue would only make everybody time out.
const HEAVY_QUEUE: usize = 32;
/// What an encoder puts down meanwhile is in memory up to this size.
const SCRATCH_MEMORY: usize = 256 << 10;

type Flight = BoxFuture<'static, ApiResult<Made>>;

/// The renditions that are being made.
pub(crate) struct Renditions {
    light: Lane,
    heavy: Lane,
    flights: Mutex<HashMap<(Uuid, Rendition), WeakShared<Flight>>>,
}

impl Renditions {
    /// Starts its threads: those that decode give way to the message lane.
    pub(crate) fn start() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            light: Lane::start("repackage", cores, LIGHT_QUEUE, 1),
            heavy: Lane::start_nice("decode", (cores / 2).max(1), HEAVY_QUEUE, 5),
            flights: Mutex::default(),
        }
    }

    /// Joins whoever waits for the same already. The work is given up when nobody waits any more.
    fn flight(&self, app: &App, id: Uuid, audio_key: &str, rendition: Rendition) -> Shared<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&(id, rendition)).and_then(WeakShared::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let abandoned = CancellationToken::new();
        let guard = abandoned.clone().drop_guard();
        // A task of its own: what is stored is also written down, whoever goes away in between.
        let work = make(app.clone(), id, audio_key.to_owned(), rendition, abandoned);
        let task = app.ingest.tasks.spawn(work);
        let flight = async move {
            let _guard = guard;
            task.await.map_err(ApiError::internal)?
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert((id, rendition), weak);
        }
        flight
    }
}

/// A rendition of the message `id`, whose canonical object is `audio_key`.
///
/// # Errors
/// `unavailable` when too much is being made already; `not_found` when the message is deleted meanwhile.
pub(crate) async fn get(app: &App, id: Uuid, audio_key: &str, rendition: Rendition) -> ApiResult<Made> {
    match find(app, id, rendition).await? {
        Some(made) => Ok(made),
        None => app.renditions.flight(app, id, audio_key, rendition).await,
    }
}

/// Forgets a rendition whose object turned out to be lost: the next [`get`] makes it again.
pub(crate) async fn forget(app: &App, id: Uuid, rendition: Rendition) -> ApiResult<()> {
    app.store
        .write(move |c| {
            Box::pin(async move { Ok::<_, ApiError>(renditions::forget(c, id, rendition.name()).await?) })
        })
        .await
}

async fn find(app: &App, id: Uuid, rendition: Rendition) -> ApiResult<Option<Made>> {
    let mut c = app.store.read().await?;
    Ok(renditions::find(&mut c, id, rendition.name()).await?)
}

async fn make(
    app: App,
    id: Uuid,
    audio_key: String,
    rendition: Rendition,
    abandoned: CancellationToken,
) -> ApiResult<Made> {
    // It may have been made since the caller looked.
    if let Some(made) = find(&app, id, rendition).await? {
        return Ok(made);
    }
    let key = blob::rendition_key(id, rendition.name());
    let lane = match rendition {
        Rendition::Ogg | Rendition::Webm | Rendition::Mp4 => &app.renditions.light,
        Rendition::Wav | Rendition::M4a | Rendition::Mp3 => &app.renditions.heavy,
    };
    let (owner, target) = (app.clone(), key.clone());
    let work = move || store(&owner, &audio_key, &target, rendition, &abandoned);
    let object = lane.run(work).await?.ok_or_else(|| {
        ApiError::internal(format!("making {} of message {id} panicked", rendition.name()))
    })??;
    let object = object.put(&app.blobs, &key).await?;
    let made = Made {
        key,
        bytes: i64::try_from(object.size_bytes).map_err(ApiError::internal)?,
        sha256: object.sha256,
    };
    match keep(&app, id, rendition, made.clone()).await {
        Ok(true) => Ok(made),
        Ok(false) => {
            app.ingest.to_delete.notify_one();
            Err(ApiError::not_found())
        }
        Err(error) => {
            // Nobody would know of it when its message is deleted.
            let _ = app.blobs.delete(&made.key).await;
            Err(error)
        }
    }
}

fn store(
    app: &App,
    audio_key: &str,
    key: &str,
    rendition: Rendition,
    abandoned: &CancellationToken,
) -> ApiResult<FinishedObject> {
    let started = Instant::now();
    let source = app.blobs.open_blocking(audio_key)?;
    let temporary = &app.ingest.temporary;
    let mut object = PendingObject::new(temporary);
    let mut scratch = tempfile::spooled_tempfile_in(SCRATCH_MEMORY, temporary);
    let cancelled = || abandoned.is_cancelled() || app.ingest.stopping.is_cancelled();
    render(source, rendition, &mut object, &mut scratch, &cancelled)
        .map_err(|error| failed(rendition, error))?;
    let stored = object.finish()?.put_if_local(&app.blobs, key)?;
    metrics::histogram!("voxpost_rendition_seconds", "format" => rendition.name()).record(started.elapsed());
    Ok(stored)
}

/// The source is what this server made itself: what is wrong with it is not the listener's doing.
fn failed(rendition: Rendition, error: Error) -> ApiError {
    match error {
        Error::OutOfTime => ApiError::unavailable("The server is stopping. Try again."),
        Error::Io(error) => BlobError::from(error).into(),
        Error::OutputTooLarge { .. } => ApiError::new(
            ErrorCode::NotAcceptable,
            format!(
                "This message is too long for {}. Ask for `ogg`.",
                rendition.name()
            ),
        ),
        other => ApiError::internal(other),
    }
}

async fn keep(app: &App, id: Uuid, rendition: Rendition, made: Made) -> ApiResult<bool> {
    app.store
        .write(move |c| {
            Box::pin(async move {
                let kept = renditions::keep(c, id, rendition.name(), &made, clock::now()).await?;
                Ok::<_, ApiError>(kept)
            })
        })
        .await
}
