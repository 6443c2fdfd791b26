//! `GET /v1/messages/{id}/playback`.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::Playback;

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::extract::Path;
use crate::playback;

/// Where the caller is in a message, on whichever device they were last. Version 0 before the first report.
#[utoipa::path(
    get, path = "/v1/messages/{id}/playback", tag = "playback",
    params(("id" = Uuid, Path, description = "The message")),
    responses((status = 200, body = Playback), (status = 404, body = Problem, description = "`not_found`")),
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Playback>> {
    let mut c = app.store.read().await?;
    let playback = playback::get(&mut c, &app.keys, caller.user_id, id).await?;
    Ok(Json(playback))
}
