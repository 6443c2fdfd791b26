//! `POST /v1/messages/{id}/finish`.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::Message;

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::extract::Path;
use crate::live::{self, Finish};
use crate::playback::Seen;
use crate::{clock, render};

/// Sends a recording of the caller's with the packets that are there, from any device. What is missing between them is told in
/// `missing_ms`. Done before, it gives the message again.
#[utoipa::path(
    post, path = "/v1/messages/{id}/finish", tag = "messages",
    params(("id" = Uuid, Path, description = "The message")),
    responses(
        (status = 200, body = Message, description = "It is `ready`"),
        (status = 403, body = Problem, description = "`forbidden` or `voice_not_accepted`: the draft stays"),
        (status = 404, body = Problem, description = "`not_found`: no recording of the caller's"),
        (status = 422, body = Problem, description = "`audio_empty`: no sound has arrived"),
    ),
)]
pub(crate) async fn finish(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Message>> {
    let row = live::finish(&app, caller.user_id, id, Finish::AS_IT_IS).await?;
    let mut c = app.store.read().await?;
    let seen = Seen::load(&mut c, &app.keys, caller.user_id, [&row]).await?;
    drop(c);
    let mut message = render::message(&app.keys, &row, caller.user_id, clock::now());
    seen.show(&mut message);
    Ok(Json(message))
}
