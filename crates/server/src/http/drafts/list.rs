//! `GET /v1/drafts`.

use axum::extract::State;
use voxpost_proto::Problem;
use voxpost_proto::api::{Draft, Page};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::store::{messages, recordings};
use crate::{clock, render};

/// The most that one answer has; who has more finishes or deletes some first.
const MAX: i64 = 200;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The caller's recordings that lost their sender, newest first. Finish one with `POST /v1/messages/{id}/finish`, throw it away
/// with `DELETE /v1/messages/{id}`, or go on with it over the socket.
#[utoipa::path(
    get, path = "/v1/drafts", tag = "messages",
    responses((status = 200, body = Page<Draft>), (status = 401, body = Problem)),
)]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Page<Draft>>> {
    let now = clock::now();
    let kept_ms = i64::from(app.config.draft_days) * DAY_MS;
    let mut c = app.store.read().await?;
    let mut items = Vec::new();
    for row in recordings::drafts(&mut c, caller.user_id, MAX).await? {
        let Some(message) = messages::by_id(&mut c, row.message_id).await? else {
            continue;
        };
        let runs = recordings::runs(&mut c, row.message_id).await?;
        let samples: i64 = runs.iter().map(|run| run.samples).sum();
        let mut next = row.first_sequence;
        for run in &runs {
            if run.first_sequence == next {
                next += run.packet_count;
            }
        }
        let mut message = render::message(&app.keys, &message, caller.user_id, now);
        message.duration_ms = Some((samples - row.pre_skip).max(0) / 48);
        items.push(Draft {
            message,
            packets: runs.iter().map(|run| run.packet_count).sum(),
            next_sequence: u32::try_from(next).unwrap_or(u32::MAX),
            expires_at: voxpost_proto::Timestamp::from_millis(row.changed_at).plus_millis(kept_ms),
        });
    }
    Ok(axum::Json(Page { items, next: None }))
}
