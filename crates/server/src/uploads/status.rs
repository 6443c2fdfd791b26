//! What is told about an upload.

use uuid::Uuid;
use voxpost_proto::api::{UploadState, UploadStatus};
use voxpost_proto::upload::Refusal;
use voxpost_proto::{Problem, Timestamp};

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::Conn;
use crate::store::messages;
use crate::store::uploads::{self, UploadRow};

/// An upload of this person; who looks for somebody else's finds nothing, and one that rested for too long is told so.
pub(crate) async fn find(app: &App, user_id: Uuid, id: Uuid) -> ApiResult<UploadRow> {
    let mut c = app.store.read().await?;
    let row = uploads::of_user(&mut c, user_id, id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if row.is_expired(clock::now()) {
        return Err(Refusal::Expired.into());
    }
    Ok(row)
}

/// Where an upload is. What its message comes to later is told too.
pub(crate) async fn status(c: &mut Conn, row: &UploadRow) -> ApiResult<UploadStatus> {
    let message = match (row.state.as_str(), row.message_id) {
        ("sent", Some(id)) => messages::by_id(c, id).await?,
        _ => None,
    };
    let (state, failure) = match (row.state.as_str(), message) {
        ("sent", Some(message)) if message.state == "processing" => (UploadState::Ingesting, None),
        ("sent", Some(message)) if message.state == "failed" => (UploadState::Failed, message.failure),
        ("sent", _) => (UploadState::Sent, None),
        ("ingesting", _) => (UploadState::Ingesting, None),
        ("held", _) => (UploadState::Held, None),
        ("failed", _) => (UploadState::Failed, row.failure.clone()),
        _ => (UploadState::Receiving, None),
    };
    let known = matches!(state, UploadState::Sent | UploadState::Ingesting);
    Ok(UploadStatus {
        upload_id: row.id,
        state,
        offset: row.acked.unsigned_abs(),
        length: row.length.map(i64::unsigned_abs),
        message_id: row.message_id.filter(|_| known && row.state == "sent"),
        failure: failure.as_deref().and_then(problem),
        expires_at: Timestamp::from_millis(row.expires_at),
    })
}

/// A failure as it was kept.
pub(super) fn problem(text: &str) -> Option<Problem> {
    serde_json::from_str(text).ok()
}
