//! `GET /v1/socket`: the upgrade, and the life of a socket afterwards.
//!
//! One task for each socket, with small buffers: ten thousand idle ones cost a few KiB each. What it sends comes from its
//! [mailbox](crate::hub::Mailbox), or from the log while it is behind.

mod recordings;
mod requests;
mod session;
mod streams;
mod uploads;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use voxpost_proto::socket::{BEARER_PREFIX, SUBPROTOCOL};
use voxpost_proto::{ErrorCode, Problem};

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::{auth, http};

/// The most bytes of one chunk of an upload.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// The longest message that is taken: an upload chunk with its head. What is longer closes the socket (1009).
const MAX_MESSAGE_BYTES: usize = CHUNK_BYTES + 64;

/// Clients say little; a bigger message is read in several steps.
const READ_BUFFER_BYTES: usize = 1 << 10;

/// Beyond this a message goes out before the next is written; it is no bound on the message.
const WRITE_BUFFER_BYTES: usize = 2 << 10;

/// Opens a socket. The first message is `hello`; see the wire contract for what follows.
#[utoipa::path(
    get, path = "/v1/socket", tag = "events",
    params(("Sec-WebSocket-Protocol" = Option<String>, Header,
            description = "`voxpost.v1`, and from browsers `bearer.TOKEN` beside it")),
    responses(
        (status = 101, description = "A WebSocket; `voxpost.v1` is the only subprotocol that is echoed"),
        (status = 401, body = Problem), (status = 403, description = "The page is of another site", body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn socket(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let token = auth::bearer(&headers).or_else(|| subprotocol_token(&headers));
    let token = token.ok_or_else(auth::unauthenticated)?;
    let caller = auth::authenticate(&app, token).await?;
    http::origin::check(&headers, &app.config.allowed_origin)?;
    let upgrade = upgrade.map_err(|rejection| {
        ApiError::invalid(format!(
            "This address takes WebSocket handshakes only: {}",
            rejection.body_text()
        ))
    })?;
    let max = app.config.max_sockets_per_user;
    let ticket = app
        .hub
        .join(caller.user_id, caller.session_id, max)
        .ok_or_else(|| {
            ApiError::new(
                ErrorCode::RateLimited,
                format!("At most {max} sockets of one person can be open. Close some."),
            )
            .retry_after(5)
        })?;
    // Once more: a session that ended before the mailbox was there has nobody who tells it.
    let caller = auth::authenticate(&app, token).await.map(|_| caller)?;
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| session::run(app, caller, ticket, socket)))
}

/// A browser cannot set `Authorization` on a socket.
fn subprotocol_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(BEARER_PREFIX))
}

#[cfg(test)]
mod tests;
