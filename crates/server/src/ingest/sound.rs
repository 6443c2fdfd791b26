//! From an upload to the stored canonical object.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;
use voxpost_audio::{Limits, Normalised, Options, normalise, probe};
use voxpost_proto::ErrorCode;

use super::lane::gently;
use super::spool::Upload;
use crate::app::App;
use crate::blob::{self, BlobError, FinishedObject, PendingObject};
use crate::error::{ApiError, ApiResult};

/// Opus that is only repackaged takes milliseconds; this much means that something is wrong.
const REMUX_TIME: Duration = Duration::from_secs(30);

/// Two hours of sound decode and encode in about two minutes on one core.
const TRANSCODE_TIME: Duration = Duration::from_secs(15 * 60);

/// From here on a file may well hold minutes: below, no second core would have anything to do.
const LARGE_BYTES: u64 = 256 << 10;

/// A canonical object that is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Of the message.
    pub(crate) id: Uuid,
    pub(crate) normalised: Normalised,
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
}

/// Makes the canonical object of message `id` from an upload and stores it durably. Opus takes the light lane, everything
/// that has to be decoded the heavy one.
pub(crate) async fn store(app: &App, id: Uuid, upload: &Upload) -> ApiResult<Stored> {
    let stored = lanes(app, id, upload).await;
    let code = match &stored {
        Ok(_) => "ok",
        Err(error) => error.code().as_str(),
    };
    metrics::counter!("voxpost_ingest_total", "outcome" => code).increment(1);
    stored
}

/// A canonical object that is made, and stored if the store is a local disk.
struct Made {
    normalised: Normalised,
    object: FinishedObject,
}

async fn lanes(app: &App, id: Uuid, upload: &Upload) -> ApiResult<Stored> {
    let made = make_in_lane(app, id, upload).await?;
    let put = Instant::now();
    let key = blob::message_key(id);
    let object = made.object.put(&app.blobs, &key).await?;
    if !app.blobs.is_local() {
        metrics::histogram!("voxpost_object_put_seconds").record(put.elapsed());
    }
    Ok(Stored {
        id,
        normalised: made.normalised,
        key,
        size_bytes: object.size_bytes,
        sha256: object.sha256,
    })
}

async fn make_in_lane(app: &App, id: Uuid, upload: &Upload) -> ApiResult<Made> {
    let (job, source) = (app.clone(), upload.clone());
    let light = move || -> ApiResult<Option<Made>> {
        let found = probe(&mut source.reader()).map_err(refused)?;
        if found.remux {
            make(&job, id, &source, REMUX_TIME, 0).map(Some)
        } else {
            Ok(None)
        }
    };
    if let Some(made) = app.ingest.light.run(light).await?.ok_or_else(broken)?? {
        return Ok(made);
    }
    let (job, source) = (app.clone(), upload.clone());
    let heavy = move || transcode(&job, id, &source);
    app.ingest.heavy.run(heavy).await?.ok_or_else(broken)?
}

/// A large file is encoded by the cores that have no other transcode, on threads that give way to the messages of others.
fn transcode(app: &App, id: Uuid, upload: &Upload) -> ApiResult<Made> {
    let ingest = &app.ingest;
    let busy = Busy::new(&ingest.transcodes);
    let idle = ingest.cores.saturating_sub(busy.others);
    if idle > 1 && upload.len >= LARGE_BYTES {
        gently(|| make(app, id, upload, TRANSCODE_TIME, idle))
    } else {
        make(app, id, upload, TRANSCODE_TIME, 0)
    }
}

/// Counted as a transcode as long as it lives.
struct Busy<'a> {
    count: &'a AtomicUsize,
    others: usize,
}

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        let others = count.fetch_add(1, Ordering::Relaxed);
        Self { count, others }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn make(app: &App, id: Uuid, upload: &Upload, time: Duration, extra_threads: usize) -> ApiResult<Made> {
    let started = Instant::now();
    let mut object = PendingObject::new(&app.ingest.temporary);
    let options = Options {
        limits: Limits {
            max_duration_ms: app.config.max_duration_ms,
            ..Limits::default()
        },
        // Any value will do; the id's random tail differs from message to message.
        serial: id.as_u128() as u32,
        extra_threads,
        ..Options::default()
    };
    let stopping = &app.ingest.stopping;
    let cancelled = || stopping.is_cancelled() || started.elapsed() > time;
    let normalised = normalise(upload.reader(), &mut object, &options, &cancelled).map_err(refused)?;
    metrics::histogram!("voxpost_normalise_seconds", "transcoded" => if normalised.transcoded { "yes" } else { "no" })
        .record(started.elapsed());

    let put = Instant::now();
    let object = object
        .finish()?
        .put_if_local(&app.blobs, &blob::message_key(id))?;
    if app.blobs.is_local() {
        metrics::histogram!("voxpost_object_put_seconds").record(put.elapsed());
    }
    Ok(Made { normalised, object })
}

/// The one table from what is wrong with a sound to the wire.
fn refused(error: voxpost_audio::Error) -> ApiError {
    use voxpost_audio::Error;
    let detail = format!("{error}.");
    match error {
        Error::Unrecognised => ApiError::new(ErrorCode::AudioUnrecognised, detail),
        Error::Unsupported { codec } => ApiError::new(ErrorCode::AudioUnsupported, detail).codec(codec),
        Error::Corrupt { .. } => ApiError::new(ErrorCode::AudioCorrupt, detail),
        Error::Empty => ApiError::new(ErrorCode::AudioEmpty, detail),
        Error::TooLong { .. } => ApiError::new(ErrorCode::AudioTooLong, detail),
        Error::OutputTooLarge { .. } => ApiError::new(ErrorCode::AudioTooLarge, detail),
        Error::OutOfTime => ApiError::unavailable("The sound took too long to convert. Try again."),
        Error::Io(error) => BlobError::from(error).into(),
    }
}

fn broken() -> ApiError {
    ApiError::new(
        ErrorCode::AudioCorrupt,
        "The file could not be read. Record or export it again.",
    )
}
