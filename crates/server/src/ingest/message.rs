//! One upload on its way to being a message.

use std::io;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use voxpost_proto::socket::Ephemeral;
use voxpost_proto::{ErrorCode, Timestamp};

use super::quota::Quota;
use super::sound::{self, Stored};
use super::spool::Upload;
use crate::app::App;
use crate::blob::BlobError;
use crate::error::{ApiError, ApiResult};
use crate::store::analysis::Measured;
use crate::store::messages::{self, MessageRow, Published};
use crate::store::{deletions, idempotency};
use crate::{clock, render};

/// How long a message that was set aside waits after the disk was full or not there.
const RETRY: Duration = Duration::from_secs(5);

/// What a sender is told, in seconds, when too much waits already.
const FULL_RETRY_S: u64 = 30;

/// What a request to send came to.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// Published now.
    Created(Box<MessageRow>),
    /// The same was sent before.
    Repeated(Box<MessageRow>),
    /// It is safe and will be published, or fail, later.
    Processing(Uuid),
}

/// Makes a message of an upload. `row` says who sends what and where; its id and content are filled in here. It goes on when
/// the caller goes away: the upload is whole, so it may as well arrive.
pub(crate) async fn accept(app: &App, row: MessageRow, upload: Upload) -> ApiResult<Accepted> {
    let (reply, answer) = oneshot::channel();
    app.ingest.tasks.spawn(run(app.clone(), row, upload, reply));
    answer.await.map_err(ApiError::internal)?
}

async fn run(app: App, mut row: MessageRow, upload: Upload, reply: oneshot::Sender<ApiResult<Accepted>>) {
    row.content_hash = Some(upload.sha256.to_vec());
    let guard = match row.client_id {
        Some(id) => Some(app.ingest.one_at_a_time(row.sender_id, id).await),
        None => None,
    };
    match before(&app, &row).await {
        Ok(None) => {}
        Ok(Some(earlier)) => return answer(reply, Ok(earlier)),
        Err(error) => return answer(reply, Err(error)),
    }
    let mut work = Box::pin(sound::store(&app, row.id, &upload));
    let patience = Duration::from_millis(app.config.patience_ms);
    let in_time = if patience.is_zero() {
        None
    } else {
        timeout(patience, &mut work).await.ok()
    };
    let first = match in_time {
        Some(Ok(stored)) => {
            let created = publish(&app, row, stored, false).await;
            return answer(reply, created.map(|row| Accepted::Created(Box::new(row))));
        }
        // The sound is fine and the store is away: it is kept here until the store is back.
        Some(Err(error)) if error.is_store_away() => Some(Err(error)),
        Some(Err(error)) => return answer(reply, Err(error)),
        None => None,
    };
    let set_aside = set_aside(&app, &mut row, &upload).await;
    drop(guard);
    let failed = set_aside.is_err();
    if !failed {
        let message = Box::new(render::message(&app.keys, &row, row.sender_id, clock::now()));
        app.hub
            .tell(row.sender_id, &Ephemeral::MessageProcessing { message });
    }
    answer(reply, set_aside.map(|()| Accepted::Processing(row.id)));
    let stored = match first {
        Some(stored) => stored,
        None => (&mut work).await,
    };
    // It is read from the file from now on, which takes no memory.
    drop(work);
    drop(upload);
    match stored {
        stored if !failed => finish(&app, row, stored).await,
        Ok(stored) => discard(&app, &stored).await,
        Err(_) => {}
    }
}

fn answer(reply: oneshot::Sender<ApiResult<Accepted>>, answer: ApiResult<Accepted>) {
    // Nobody is there when the sender has gone away; what they sent is kept all the same.
    let _ = reply.send(answer);
}

/// What the same id of the sender stood for before; also refuses an answer to a message that is not there.
async fn before(app: &App, row: &MessageRow) -> ApiResult<Option<Accepted>> {
    if row.client_id.is_none() && row.reply_to.is_none() {
        return Ok(None);
    }
    let mut c = app.store.read().await?;
    if let Some(client_id) = row.client_id {
        if let Some(earlier) = messages::by_client_id(&mut c, row.sender_id, client_id).await? {
            return same(row, earlier).map(Some);
        }
        // Another kind of request has no sound to compare with.
        let other = idempotency::earlier(&mut c, row.sender_id, client_id, &[]).await?;
        if other != idempotency::Earlier::New {
            return Err(taken());
        }
    }
    if let Some(id) = row.reply_to
        && !messages::can_be_answered(&mut c, row.conversation_id, row.sender_id, id).await?
    {
        return Err(ApiError::invalid(
            "`reply_to` must be a message of this conversation that you can see.",
        ));
    }
    Ok(None)
}

fn same(row: &MessageRow, earlier: MessageRow) -> ApiResult<Accepted> {
    let same = earlier.conversation_id == row.conversation_id
        && earlier.content_hash == row.content_hash
        && (earlier.reply_to == row.reply_to);
    match earlier.state.as_str() {
        _ if !same => Err(taken()),
        "deleted" => Err(ApiError::not_found()),
        "processing" => Ok(Accepted::Processing(earlier.id)),
        _ => Ok(Accepted::Repeated(Box::new(earlier))),
    }
}

pub(crate) fn taken() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "You have used this `client_id` for something else. Take a fresh one.",
    )
}

/// Publishes a message whose object is stored: `processing` says that its row is there already.
async fn publish(app: &App, mut row: MessageRow, stored: Stored, processing: bool) -> ApiResult<MessageRow> {
    fill(&mut row, &stored);
    let quota = Quota::of(&app.config);
    let published = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                quota.check(c, &row).await?;
                let published = if processing {
                    messages::publish_processed(c, &mut row, now).await?
                } else {
                    messages::publish(c, &mut row, now).await?
                };
                match published {
                    Published::At(_) => Ok(row),
                    Published::Refused => {
                        // Tells the reason, which the statement itself does not.
                        crate::access::send_voice(c, row.sender_id, row.conversation_id).await?;
                        Err(ApiError::unavailable(
                            "The conversation changed meanwhile. Try again.",
                        ))
                    }
                    Published::Lost if processing => Err(ApiError::not_found()),
                    Published::Lost => Err(taken()),
                }
            })
        })
        .await;
    match published {
        Ok(row) => {
            if row.analysis == "pending" {
                app.ingest.to_analyse.notify_one();
            }
            Ok(row)
        }
        Err(error) => {
            discard(app, &stored).await;
            Err(error)
        }
    }
}

fn fill(row: &mut MessageRow, stored: &Stored) {
    let normalised = &stored.normalised;
    row.state = "ready".to_owned();
    row.duration_ms = i64::try_from(normalised.duration_ms).ok();
    row.truncated = normalised.truncated;
    row.missing_ms = i64::try_from(normalised.missing_ms).unwrap_or(i64::MAX);
    row.audio_key = Some(stored.key.clone());
    row.audio_bytes = i64::try_from(stored.size_bytes).ok();
    row.audio_sha256 = Some(stored.sha256.clone());
    row.source_type = Some(normalised.source.mime.clone());
    row.transcoded = normalised.transcoded;
    row.staging = None;
    match &normalised.analysis {
        Some(analysis) => {
            let measured = Measured::from(analysis);
            row.waveform = Some(measured.waveform);
            row.waveform_source = Some("server".to_owned());
            row.gain_db = Some(measured.gain_db);
            row.loudness_lufs = measured.loudness_lufs;
            row.speech = Some(measured.speech);
            row.analysis = "done".to_owned();
        }
        None => row.analysis = "pending".to_owned(),
    }
}

/// Deletes an object that no row names. The search for orphans finds it when this does not succeed.
async fn discard(app: &App, stored: &Stored) {
    let discarded: ApiResult<()> = async {
        // After a failure of our own it is not certain that nothing was committed.
        let needed = {
            let mut c = app.store.read().await?;
            deletions::is_needed(&mut c, stored.id, &stored.key).await?
        };
        if !needed {
            app.blobs.delete(&stored.key).await?;
        }
        Ok(())
    }
    .await;
    if let Err(error) = discarded {
        tracing::warn!(
            code = error.code().as_str(),
            "an object that is not needed was not deleted yet"
        );
    }
}

/// Makes the upload durable as it is, so that an answer can be given before the sound is ready.
async fn set_aside(app: &App, row: &mut MessageRow, upload: &Upload) -> ApiResult<()> {
    let name = row.id.to_string();
    if !app.ingest.staging.reserve(upload.len) {
        return Err(ApiError::unavailable(
            "Too many sounds wait for the server. Keep the recording and try again later.",
        )
        .retry_after(FULL_RETRY_S));
    }
    let (path, source) = (app.ingest.staging.path(&name), upload.clone());
    let staged = tokio::task::spawn_blocking(move || {
        source.stage(&path).inspect_err(|_| {
            // Half of it is of no use, and where there is no room it would be in the way.
            let _ = std::fs::remove_file(&path);
        })
    })
    .await;
    let staged = staged
        .map_err(ApiError::internal)
        .and_then(|staged| Ok(staged.map_err(BlobError::from)?));
    if let Err(error) = staged {
        app.ingest.staging.give_back(upload.len);
        return Err(error);
    }
    row.state = "processing".to_owned();
    row.staging = Some(name);
    let processing = row.clone();
    let inserted = app
        .store
        .write(move |c| {
            Box::pin(async move {
                crate::access::send_voice(c, processing.sender_id, processing.conversation_id).await?;
                if messages::insert(c, &processing).await? {
                    Ok(())
                } else {
                    Err(taken())
                }
            })
        })
        .await;
    if inserted.is_err() {
        unstage(app, row).await;
    }
    inserted
}

/// Brings a message that was set aside to its end: published or failed.
async fn finish(app: &App, row: MessageRow, first: ApiResult<Stored>) {
    let mut stored = first;
    let stopping = &app.ingest.stopping;
    loop {
        let outcome = match stored {
            Ok(stored) => publish(app, row.clone(), stored, true).await.map(drop),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return unstage(app, &row).await,
            // Deleted by its sender meanwhile.
            Err(error) if error.code() == ErrorCode::NotFound => return unstage(app, &row).await,
            Err(error) if stopping.is_cancelled() => {
                tracing::info!(message = %row.id, code = error.code().as_str(), "goes on after the next start");
                return;
            }
            Err(error) if matches!(error.code(), ErrorCode::Unavailable | ErrorCode::StorageFull) => {
                stopping.run_until_cancelled(sleep(RETRY)).await;
            }
            Err(error) => return fail(app, &row, &error).await,
        }
        stored = store_again(app, &row).await;
    }
}

/// Waits until the store is there and it is this message's turn, then makes its object of what was set aside.
async fn store_again(app: &App, row: &MessageRow) -> ApiResult<Stored> {
    let stopping = &app.ingest.stopping;
    let waited = stopping.run_until_cancelled(async {
        app.blobs.until_back().await;
        app.ingest.resuming.acquire().await
    });
    let Some(Ok(_turn)) = waited.await else {
        return Err(ApiError::unavailable("The server is shutting down."));
    };
    sound::store(app, row.id, &staged(app, row)?).await
}

/// The upload of a message that was set aside.
fn staged(app: &App, row: &MessageRow) -> ApiResult<Upload> {
    let hash = row.content_hash.as_deref().and_then(|hash| hash.try_into().ok());
    let path = row.staging.as_deref().map(|name| app.ingest.staging.path(name));
    match (path, hash) {
        (Some(path), Some(hash)) => Upload::staged(&path, hash).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => lost(),
            _ => BlobError::from(error).into(),
        }),
        _ => Err(lost()),
    }
}

fn lost() -> ApiError {
    ApiError::new(
        ErrorCode::AudioCorrupt,
        "The sound could not be converted. Send it again.",
    )
}

async fn fail(app: &App, row: &MessageRow, error: &ApiError) {
    tracing::info!(message = %row.id, code = error.code().as_str(), "a sound that was set aside was refused");
    let failure = serde_json::to_string(error.problem()).unwrap_or_default();
    let id = row.id;
    let failed: ApiResult<bool> = app
        .store
        .write(move |c| Box::pin(async move { Ok(messages::fail(c, id, &failure).await?) }))
        .await;
    match failed {
        Ok(_) => {
            let mut failed = row.clone();
            failed.state = "failed".to_owned();
            failed.version += 1;
            let news = Ephemeral::MessageFailed {
                message: Box::new(render::message(&app.keys, &failed, row.sender_id, clock::now())),
                problem: error.problem().clone(),
            };
            app.hub.tell(row.sender_id, &news);
            unstage(app, row).await;
        }
        Err(error) => {
            tracing::warn!(message = %row.id, code = error.code().as_str(), "the failure could not be kept");
        }
    }
}

async fn unstage(app: &App, row: &MessageRow) {
    let Some(name) = row.staging.clone() else { return };
    let owner = app.clone();
    let removed = tokio::task::spawn_blocking(move || owner.ingest.staging.remove(&name)).await;
    if let Err(error) = removed.unwrap_or_else(|error| Err(io::Error::other(error))) {
        tracing::warn!(%error, message = %row.id, "a staged upload was not removed yet");
    }
}

/// A new row for what `sender_id` sends to a conversation.
pub(crate) fn draft(conversation_id: Uuid, sender_id: Uuid, now: Timestamp) -> MessageRow {
    MessageRow {
        id: clock::new_id(),
        conversation_id,
        version: 1,
        state: "processing".to_owned(),
        sender_id,
        created_at: now.millis(),
        analysis: "none".to_owned(),
        ..MessageRow::default()
    }
}

/// Goes on with what an earlier process had accepted and not finished.
pub(crate) async fn resume(app: &App) -> ApiResult<()> {
    let rows = {
        let mut c = app.store.read().await?;
        messages::in_processing(&mut c).await?
    };
    for row in rows {
        let app_ = app.clone();
        app.ingest
            .tasks
            .spawn(async move { resume_one(&app_, row).await });
    }
    Ok(())
}

/// After so many starts it is taken that the sound itself is what stops the server.
const MAX_ATTEMPTS: i64 = 3;

async fn resume_one(app: &App, row: MessageRow) {
    let id = row.id;
    let stopping = &app.ingest.stopping;
    // Until the store is there nothing can be learnt about the sound, so it is no attempt.
    if stopping
        .run_until_cancelled(app.blobs.until_back())
        .await
        .is_none()
    {
        return;
    }
    let attempts: ApiResult<i64> = app
        .store
        .write(move |c| Box::pin(async move { Ok(messages::count_attempt(c, id).await?) }))
        .await;
    match attempts {
        Err(error) => {
            tracing::warn!(message = %id, code = error.code().as_str(), "cannot go on yet");
        }
        Ok(attempts) if attempts <= MAX_ATTEMPTS => {
            let stored = store_again(app, &row).await;
            if stored
                .as_ref()
                .is_err_and(|error| error.code() == ErrorCode::Unavailable)
            {
                // It said nothing about the sound.
                let uncounted: ApiResult<()> = app
                    .store
                    .write(move |c| Box::pin(async move { Ok(messages::uncount_attempt(c, id).await?) }))
                    .await;
                if let Err(error) = uncounted {
                    tracing::warn!(message = %id, code = error.code().as_str(), "an attempt stays counted");
                }
            }
            finish(app, row, stored).await;
        }
        Ok(_) => fail(app, &row, &lost()).await,
    }
}
