//! `PUT /v1/messages/{id}/playback`.

use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::{PlaybackAnswer, PlaybackReport};
use voxpost_proto::socket::Ephemeral;

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::extract::{Json, Path};
use crate::{clock, playback};

/// What a player did since its last report. `heard` is always merged. The playhead moves when `base_version` is the current
/// version, or when the current one was written by the same `player_id`; otherwise the current value comes back with
/// `playhead_applied: false`. A repeated `report_id` changes nothing. The caller's other devices get `playback.updated`; when
/// the message becomes played, its sender gets `played`, unless the caller sends no played receipts.
#[utoipa::path(
    put, path = "/v1/messages/{id}/playback", tag = "playback",
    params(("id" = Uuid, Path, description = "The message")), request_body = PlaybackReport,
    responses(
        (status = 200, body = PlaybackAnswer, description = "It is durable; this is the value that counts"),
        (status = 400, body = Problem, description = "`invalid_request`: a value is out of range; nothing has changed"),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 409, body = Problem, description = "`conflict`: the message is not ready yet"),
    ),
)]
pub(crate) async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(report): Json<PlaybackReport>,
) -> ApiResult<axum::Json<PlaybackAnswer>> {
    let device_id = report.device_id;
    let shared = app.clone();
    let reported = app
        .store
        .write(move |c| {
            Box::pin(async move {
                playback::report(c, &shared.keys, caller.user_id, id, &report, clock::now()).await
            })
        })
        .await?;
    if reported.changed {
        let news = Ephemeral::PlaybackUpdated {
            message_id: id,
            playback: reported.answer.playback.summary(),
        };
        app.hub.tell_others(caller, device_id, &news);
    }
    Ok(axum::Json(reported.answer))
}
