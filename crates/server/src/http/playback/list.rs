//! `GET /v1/playback`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use voxpost_proto::Problem;
use voxpost_proto::api::{PlaybackItem, PlaybackPage};

use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::Query;
use crate::playback::opened;
use crate::store::playback;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// What changed after this number: `next` of the call before, everything when absent.
    since: Option<i64>,
    /// How many, from 1; more than 200 are 200. 50 when absent.
    limit: Option<i64>,
}

/// What changed for the caller, each message once, the oldest change first. For a device that was away: ask until `items` is
/// empty, and keep `next`.
#[utoipa::path(
    get, path = "/v1/playback", tag = "playback", params(Part),
    responses((status = 200, body = PlaybackPage), (status = 400, body = Problem, description = "`invalid_request`")),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(part): Query<Part>,
) -> ApiResult<Json<PlaybackPage>> {
    let since = part.since.unwrap_or(0);
    let limit = match part.limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1.. => limit.min(MAX_LIMIT),
        _ => return Err(ApiError::invalid("`limit` must be 1 or more.")),
    };
    if since < 0 {
        return Err(ApiError::invalid("`since` must be 0 or more."));
    }
    let mut c = app.store.read().await?;
    let rows = playback::since(&mut c, caller.user_id, since, limit).await?;
    drop(c);
    let item = |row| {
        let playback = opened(&app.keys, row)?;
        Some(PlaybackItem {
            message_id: row.message_id,
            playback,
        })
    };
    Ok(Json(PlaybackPage {
        items: rows.iter().filter_map(item).collect(),
        next: rows.last().map_or(since, |row| row.change),
    }))
}
