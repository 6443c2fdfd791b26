//! `DELETE /v1/messages/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;
use voxpost_proto::Problem;

use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::Path;
use crate::store::messages;
use crate::{access, clock};

/// Deletes a message for everybody: a tombstone keeps its place; its sound is gone within a minute.
#[utoipa::path(
    delete, path = "/v1/messages/{id}", tag = "messages",
    params(("id" = Uuid, Path, description = "The message")),
    responses(
        (status = 204, description = "The tombstone is durable"),
        (status = 403, body = Problem, description = "`forbidden`: neither its sender nor an owner of the group"),
        (status = 404, body = Problem, description = "`not_found`, also when it is deleted already"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    app.store
        .write(move |c| {
            Box::pin(async move {
                let (row, _) = access::message(c, caller.user_id, id, Action::DeleteOwnMessage).await?;
                messages::delete(c, &row, clock::now()).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    app.recordings.forget(id);
    app.ingest.to_delete.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
