//! `DELETE /v1/uploads/{id}`: end it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use uuid::Uuid;
use voxpost_proto::Problem;

use super::protocol::Protocol;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::extract::Path;
use crate::uploads;

/// Ends an upload and removes its bytes. A message that was made of it stays.
#[utoipa::path(
    delete, path = "/v1/uploads/{id}", tag = "uploads",
    params(("id" = Uuid, Path, description = "The upload")),
    responses(
        (status = 204),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 410, body = Problem, description = "`upload_expired`"),
        (status = 412, body = Problem, description = "`unsupported_version`"),
    ),
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    Protocol::of(&headers)?;
    uploads::end(&app, caller.user_id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
