//! `GET /v1/messages/{id}`.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::Message;

use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::error::ApiResult;
use crate::http::extract::Path;
use crate::playback::Seen;
use crate::{access, clock, render};

/// One message as the caller sees it. What is not published is seen by its sender alone.
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "messages",
    params(("id" = Uuid, Path, description = "The message")),
    responses((status = 200, body = Message), (status = 404, body = Problem, description = "`not_found`")),
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Message>> {
    let mut c = app.store.read().await?;
    let (row, _) = access::message(&mut c, caller.user_id, id, Action::See).await?;
    let seen = Seen::load(&mut c, &app.keys, caller.user_id, [&row]).await?;
    drop(c);
    let mut message = render::message(&app.keys, &row, caller.user_id, clock::now());
    seen.show(&mut message);
    Ok(Json(message))
}
