//! Who is asking: the bearer token of a request, and what it stands for.

mod federated;
mod issuers;
mod passwords;
mod sessions;
mod tokens;

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, header, request::Parts};
use uuid::Uuid;
use voxpost_proto::{ErrorCode, Timestamp};

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};

pub(crate) use issuers::{Issuers, JwtIssuer};
pub(crate) use passwords::Passwords;
pub(crate) use sessions::{Revoked, Sessions};
pub(crate) use tokens::{code_hash, new_code, new_token, repeatable_token, request_hash, token_hash};

/// The person (and session) behind a request. A handler that takes it answers nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user_id: Uuid,
    /// None for a token of another issuer.
    pub(crate) session_id: Option<Uuid>,
    /// When the token ends by itself; an open socket is closed then.
    pub(crate) expires_at: Option<Timestamp>,
}

impl Caller {
    /// How long the token is good yet; None when it has no end of its own.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = self.expires_at?.millis().saturating_sub(clock::now().millis());
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }
}

/// The longest token that is looked at; a JWT with a dozen claims has less than half of it.
const MAX_TOKEN_BYTES: usize = 8 << 10;

/// Who a token stands for, however it arrived.
pub(crate) async fn authenticate(app: &App, token: &str) -> ApiResult<Caller> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(wrong_token("The token is longer than 8 KiB."));
    }
    // A token of ours is base64url: only a JWT has dots.
    if token.contains('.') && !app.issuers.is_empty() {
        return federated::authenticate(app, token).await;
    }
    sessions::authenticate(app, token)
        .await?
        .ok_or_else(|| wrong_token(SIGN_IN))
}

const SIGN_IN: &str = "Sign in (POST /v1/sessions) and send the token as `Authorization: Bearer TOKEN`.";

/// The answer to who has no token.
pub(crate) fn unauthenticated() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, SIGN_IN)
}

/// The answer to a token that opens nothing.
fn wrong_token(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, detail).wrong_token()
}

/// The token in `Authorization`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let token = bearer(&parts.headers).ok_or_else(unauthenticated)?;
        let caller = authenticate(app, token).await?;
        app.limits.request(caller.user_id)?;
        Ok(caller)
    }
}
