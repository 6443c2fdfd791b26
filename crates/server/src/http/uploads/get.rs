//! `GET /v1/uploads/{id}`: what has become of it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::UploadStatus;

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::extract::Path;
use crate::uploads;

/// Where an upload of the caller is, and what message it became. Whoever writes it is not disturbed.
#[utoipa::path(
    get, path = "/v1/uploads/{id}", tag = "uploads",
    params(("id" = Uuid, Path, description = "The upload")),
    responses(
        (status = 200, body = UploadStatus),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 410, body = Problem, description = "`upload_expired`"),
    ),
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<([(HeaderName, &'static str); 1], Json<UploadStatus>)> {
    let row = uploads::find(&app, caller.user_id, id).await?;
    let status = uploads::status(&mut *app.store.read().await?, &row).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(status)))
}
