//! `POST /v1/messages/{id}/audio-url`.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::AudioUrl;

use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::Path;
use crate::{access, clock, render};

/// A fresh signed path to the sound, for players that cannot send a header.
#[utoipa::path(
    post, path = "/v1/messages/{id}/audio-url", tag = "messages",
    params(("id" = Uuid, Path, description = "The message")),
    responses((status = 200, body = AudioUrl), (status = 404, body = Problem, description = "`not_found`")),
)]
pub(crate) async fn audio_url(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<AudioUrl>> {
    let mut c = app.store.read().await?;
    let (row, _) = access::message(&mut c, caller.user_id, id, Action::See).await?;
    if row.audio_key.is_none() && row.state != "recording" {
        return Err(ApiError::not_found());
    }
    let expires_at = clock::now().plus_millis(render::URL_MS);
    Ok(Json(AudioUrl {
        url: render::audio_url(&app.keys, caller.user_id, id, expires_at),
        expires_at,
    }))
}
