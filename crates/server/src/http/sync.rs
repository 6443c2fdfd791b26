//! `GET /v1/sync`: the durable events for whoever has no socket.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use voxpost_proto::socket::SyncPage;
use voxpost_proto::{ErrorCode, Problem};

use super::extract::Query;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::hub::catch_up::{self, CatchUpError, Page};

/// Events in one answer.
const LIMIT: i64 = 200;

/// The longest that an answer is kept waiting, below what proxies allow.
const MAX_WAIT_MS: u64 = 30_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Params {
    /// The token of the last answer or event; without it the present token is given and no events.
    since: Option<String>,
    /// How long to wait for an event when there is none yet, at most 30,000.
    wait_ms: Option<u64>,
}

/// The events since a token, in order, at most 200: as long as there are any, ask again with the new token.
#[utoipa::path(
    get, path = "/v1/sync", tag = "events", params(Params),
    responses(
        (status = 200, body = SyncPage),
        (status = 410, description = "`resync_required`: the token is too old; list again and begin without it", body = Problem),
    ),
)]
pub(crate) async fn sync(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query<Params>,
) -> ApiResult<Response> {
    let Some(since) = params.since else {
        let newest = catch_up::newest(&app).await?;
        return Ok(answer(&app, &[], newest));
    };
    let mut from = app.hub.tokens.read(&since).ok_or_else(resync_required)?;
    let wait = Duration::from_millis(params.wait_ms.unwrap_or(0).min(MAX_WAIT_MS));
    let wait = caller.time_left().map_or(wait, |left| wait.min(left));
    let deadline = Instant::now() + wait;
    // Listens before it reads, so that nothing slips between.
    let ticket = match wait.is_zero() {
        true => None,
        false => Some(
            app.hub
                .join(caller.user_id, caller.session_id, app.config.max_sockets_per_user)
                .ok_or_else(too_many)?,
        ),
    };
    loop {
        let page = match catch_up::page(&app, caller.user_id, from, LIMIT).await {
            Ok(page) => page,
            Err(CatchUpError::ResyncRequired) => return Err(resync_required()),
            Err(CatchUpError::Store(error)) => return Err(error.into()),
        };
        let Page { events, upto, more } = page;
        let now = clock::now();
        let texts: Vec<_> = events
            .iter()
            .filter_map(|event| event.text(&app.keys, caller.user_id, now))
            .collect();
        for published in events.iter().filter_map(|event| event.published) {
            app.hub.delivered.note(published, caller.user_id);
        }
        let Some(ticket) = ticket.as_ref().filter(|_| texts.is_empty()) else {
            return Ok(answer(&app, &texts, upto));
        };
        from = upto;
        if more {
            continue;
        }
        tokio::select! {
            () = ticket.mailbox.changed() => {}
            _ = ticket.mailbox.closed() => return Err(ended()),
            () = tokio::time::sleep_until(deadline) => return Ok(answer(&app, &[], from)),
        }
    }
}

/// `items` are JSON already, rendered as for the socket.
fn answer(app: &App, items: &[axum::extract::ws::Utf8Bytes], upto: i64) -> Response {
    let length: usize = items.iter().map(|item| item.len() + 1).sum();
    let mut body = String::with_capacity(length + 64);
    body.push_str(r#"{"items":["#);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            body.push(',');
        }
        body.push_str(item);
    }
    body.push_str(r#"],"token":""#);
    // Letters, digits, `-` and `_`: nothing that JSON would escape.
    body.push_str(&app.hub.tokens.write(upto));
    body.push_str(r#""}"#);
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        body,
    )
        .into_response()
}

fn resync_required() -> ApiError {
    ApiError::new(
        ErrorCode::ResyncRequired,
        "The token is too old, or of another server. List conversations and messages, and sync without `since`.",
    )
}

fn too_many() -> ApiError {
    ApiError::new(
        ErrorCode::RateLimited,
        "Too many sockets and waiting syncs of this person are open. Close some, or ask with `wait_ms=0`.",
    )
    .retry_after(5)
}

fn ended() -> ApiError {
    ApiError::new(
        ErrorCode::Unauthenticated,
        "The session has ended. Sign in again.",
    )
}
