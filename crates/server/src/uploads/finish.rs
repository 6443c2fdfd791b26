//! From a whole upload to a message: through the same ingest as every other way to send.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;
use uuid::Uuid;
use voxpost_proto::ErrorCode;

use super::staging;
use super::status::problem;
use super::sweep::remove_file;
use super::take_over::Taken;
use super::writer::{Writer, blocking};
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::ingest::Upload;
use crate::ingest::message::{self, Accepted};
use crate::store::messages::{self, MessageRow};
use crate::store::uploads::{self, UploadRow};
use crate::{access, clock};

/// How long a message waits after the disk was full, the store gone, or too much under way.
const RETRY: Duration = Duration::from_secs(5);

/// What a whole upload came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A message, or one in processing.
    Sent(Accepted),
    /// Nobody has said where to send it, or it cannot be sent there.
    Held,
    /// It is safe; the message is made as soon as that is possible.
    Later,
}

/// What is said about a message that is made of a held upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) conversation_id: Uuid,
    pub(crate) client_id: Option<Uuid>,
    pub(crate) reply_to: Option<Uuid>,
    pub(crate) caption: Option<String>,
}

/// Makes the message of an upload that has just become whole. It goes on when the caller goes away. Asked again, it answers
/// again.
///
/// # Errors
/// What ingest refuses; the upload has failed then, or is held when something else than its sound stands in the way.
pub(crate) async fn finish(app: &App, id: Uuid) -> ApiResult<Outcome> {
    let (reply, answer) = oneshot::channel();
    let owner = app.clone();
    app.ingest
        .tasks
        .spawn(async move { until_settled(&owner, id, Some(reply)).await });
    answer.await.map_err(ApiError::internal)?
}

/// Ends an upload that has all its bytes and whose sender has not said so: they may have lost the connection just before.
/// The message is made in the background.
pub(crate) async fn complete(app: &App, taken: Taken) -> ApiResult<UploadRow> {
    let offset = taken.row.machine().offset;
    let row = Writer::open(app, taken, offset, None).await?.finish(None).await?;
    let (owner, id) = (app.clone(), row.id);
    app.ingest
        .tasks
        .spawn(async move { until_settled(&owner, id, None).await });
    Ok(row)
}

/// Sends a whole upload to a conversation. The same again gives the same message.
pub(crate) async fn send(app: &App, user_id: Uuid, id: Uuid, fields: Fields) -> ApiResult<Accepted> {
    let (reply, answer) = oneshot::channel();
    let owner = app.clone();
    app.ingest.tasks.spawn(async move {
        let _guard = owner.uploads.finishing.lock(id).await;
        let _ = reply.send(claim(&owner, user_id, id, fields).await);
    });
    answer.await.map_err(ApiError::internal)?
}

/// Tries until it is a message, held or failed, or the server stops: the next process goes on then.
pub(super) async fn until_settled(
    app: &App,
    id: Uuid,
    mut reply: Option<oneshot::Sender<ApiResult<Outcome>>>,
) {
    let mut answer = move |outcome: ApiResult<Outcome>| {
        if let Some(reply) = reply.take() {
            // Nobody is there when the sender has gone away; what they sent is kept all the same.
            let _ = reply.send(outcome);
        }
    };
    loop {
        let guard = app.uploads.finishing.lock(id).await;
        let outcome = settle(app, id).await;
        drop(guard);
        match outcome {
            Err(error) if passes(&error) => answer(Ok(Outcome::Later)),
            outcome => return answer(outcome),
        }
        if app
            .ingest
            .stopping
            .run_until_cancelled(sleep(RETRY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Ends an upload that cannot become a message.
pub(super) async fn give_up(app: &App, id: Uuid, error: &ApiError) -> ApiResult<()> {
    let _guard = app.uploads.finishing.lock(id).await;
    let row = {
        let mut c = app.store.read().await?;
        uploads::by_id(&mut c, id)
            .await?
            .ok_or_else(ApiError::not_found)?
    };
    fail(app, row, error).await
}

/// Whether it may be otherwise in a while, without anybody doing anything.
fn passes(error: &ApiError) -> bool {
    matches!(
        error.code(),
        ErrorCode::Unavailable | ErrorCode::StorageFull | ErrorCode::Internal
    )
}

async fn settle(app: &App, id: Uuid) -> ApiResult<Outcome> {
    let row = {
        let mut c = app.store.read().await?;
        uploads::by_id(&mut c, id)
            .await?
            .ok_or_else(ApiError::not_found)?
    };
    match row.state.as_str() {
        "sent" => Ok(Outcome::Sent(became(app, &row).await?)),
        "held" => Ok(Outcome::Held),
        "failed" => Err(failure(&row)),
        "ingesting" => ingest(app, row).await.map(Outcome::Sent),
        _ => Err(incomplete(&row)),
    }
}

/// A held upload gets its conversation; anything else answers as it is.
async fn claim(app: &App, user_id: Uuid, id: Uuid, fields: Fields) -> ApiResult<Accepted> {
    let mut row = super::find(app, user_id, id).await?;
    if row.machine().is_whole() && row.conversation_id.is_none() && row.state == "receiving" {
        let taken = super::take_over(app, user_id, id).await?;
        let offset = taken.row.machine().offset;
        row = Writer::open(app, taken, offset, None).await?.finish(None).await?;
    }
    match row.state.as_str() {
        "held" => {}
        "receiving" => return Err(incomplete(&row)),
        "failed" => return Err(failure(&row)),
        _ => {
            let same = row.conversation_id == Some(fields.conversation_id)
                && (fields.client_id.is_none() || fields.client_id == row.client_id)
                && (fields.reply_to.is_none() || fields.reply_to == row.reply_to);
            if !same {
                let detail = "This upload has become another message. Upload the sound again.";
                return Err(ApiError::new(ErrorCode::Conflict, detail));
            }
            return match row.state.as_str() {
                "sent" => became(app, &row).await,
                _ => ingest(app, row).await,
            };
        }
    }
    row.conversation_id = Some(fields.conversation_id);
    row.client_id = fields.client_id.or(row.client_id);
    row.reply_to = fields.reply_to.or(row.reply_to);
    row.caption = fields.caption.or(row.caption);
    row.message_id = Some(clock::new_id());
    "ingesting".clone_into(&mut row.state);
    save(app, &row).await?;
    let accepted = ingest(app, row.clone()).await;
    // Its owner is told and sends it again; it must not become a message behind their back.
    if accepted.as_ref().is_err_and(passes) {
        hold(app, row).await?;
    }
    accepted
}

/// The message that an upload became.
async fn became(app: &App, row: &UploadRow) -> ApiResult<Accepted> {
    let id = row.message_id.ok_or_else(ApiError::not_found)?;
    let message = {
        let mut c = app.store.read().await?;
        messages::by_id(&mut c, id)
            .await?
            .ok_or_else(ApiError::not_found)?
    };
    match message.state.as_str() {
        "deleted" => Err(ApiError::not_found()),
        "processing" => Ok(Accepted::Processing(id)),
        "failed" => Err(message
            .failure
            .as_deref()
            .and_then(problem)
            .map_or_else(ApiError::not_found, ApiError::from)),
        _ => Ok(Accepted::Repeated(Box::new(message))),
    }
}

async fn ingest(app: &App, row: UploadRow) -> ApiResult<Accepted> {
    let (Some(conversation_id), Some(message_id)) = (row.conversation_id, row.message_id) else {
        hold(app, row).await?;
        return Err(ApiError::invalid("Say where to send it: `conversation_id`."));
    };
    // A process may have been killed between the message and telling so here.
    let there = {
        let mut c = app.store.read().await?;
        messages::by_id(&mut c, message_id).await?
    };
    let accepted = match there {
        Some(_) => became(app, &row).await,
        None => make(app, &row, conversation_id, message_id).await,
    };
    match accepted {
        Ok(accepted) => {
            sent(app, row, &accepted).await?;
            Ok(accepted)
        }
        Err(error) if passes(&error) => Err(error),
        Err(error) if is_of_the_sound(&error) => {
            fail(app, row, &error).await?;
            Err(error)
        }
        Err(error) => {
            hold(app, row).await?;
            Err(error)
        }
    }
}

async fn make(app: &App, row: &UploadRow, conversation_id: Uuid, message_id: Uuid) -> ApiResult<Accepted> {
    let sender = {
        let mut c = app.store.read().await?;
        access::send_voice(&mut c, row.user_id, conversation_id).await?
    };
    let (path, length) = (app.uploads.path(row.id), row.acked.unsigned_abs());
    let (upload, sha256) = blocking(move || {
        let sha256 = staging::hash(&path, length)?;
        Ok((Upload::staged(&path, sha256)?, sha256))
    })
    .await?;
    if row
        .sha256
        .as_ref()
        .is_some_and(|announced| announced[..] != sha256)
    {
        let detail = "The upload is whole, but its SHA-256 is not the one that was given.";
        return Err(ApiError::new(ErrorCode::ChecksumMismatch, detail));
    }
    let message = MessageRow {
        id: message_id,
        sender_username: sender.username,
        sender_display_name: sender.display_name,
        client_id: row.client_id,
        reply_to: row.reply_to,
        caption: row.caption.clone(),
        ..message::draft(conversation_id, row.user_id, clock::now())
    };
    message::accept(app, message, upload).await
}

/// Whether the bytes themselves are what is wrong.
fn is_of_the_sound(error: &ApiError) -> bool {
    matches!(
        error.code(),
        ErrorCode::AudioTooLarge
            | ErrorCode::AudioUnrecognised
            | ErrorCode::AudioUnsupported
            | ErrorCode::AudioCorrupt
            | ErrorCode::AudioEmpty
            | ErrorCode::AudioTooLong
            | ErrorCode::ChecksumMismatch
    )
}

async fn sent(app: &App, mut row: UploadRow, accepted: &Accepted) -> ApiResult<()> {
    row.message_id = Some(match accepted {
        Accepted::Created(message) | Accepted::Repeated(message) => message.id,
        Accepted::Processing(id) => *id,
    });
    "sent".clone_into(&mut row.state);
    save(app, &row).await?;
    remove_file(app, row.id).await;
    Ok(())
}

async fn fail(app: &App, mut row: UploadRow, error: &ApiError) -> ApiResult<()> {
    "failed".clone_into(&mut row.state);
    row.failure = serde_json::to_string(error.problem()).ok();
    save(app, &row).await?;
    remove_file(app, row.id).await;
    Ok(())
}

async fn hold(app: &App, mut row: UploadRow) -> ApiResult<()> {
    "held".clone_into(&mut row.state);
    row.message_id = None;
    save(app, &row).await
}

async fn save(app: &App, row: &UploadRow) -> ApiResult<()> {
    let mut row = row.clone();
    app.store
        .write(move |c| {
            Box::pin(async move {
                row.updated_at = clock::now().millis();
                uploads::save(c, &row).await?;
                Ok(())
            })
        })
        .await
}

fn failure(row: &UploadRow) -> ApiError {
    row.failure.as_deref().and_then(problem).map_or_else(
        || ApiError::new(ErrorCode::AudioCorrupt, "The sound could not be taken."),
        ApiError::from,
    )
}

fn incomplete(row: &UploadRow) -> ApiError {
    let machine = row.machine();
    let detail = match machine.length {
        Some(length) => format!(
            "{} of {length} bytes are missing. Send them first.",
            length - machine.offset
        ),
        None => "The upload has not ended. Say how long it is.".to_owned(),
    };
    ApiError::new(ErrorCode::UploadOffsetMismatch, detail)
}
