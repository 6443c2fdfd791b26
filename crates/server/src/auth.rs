//! Who is asking: the bearer token of a request, and what it stands for.

use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use voxpost_proto::ErrorCode;

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::accounts;

/// The person (and session) behind a request. A handler that takes it answers nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user_id: Uuid,
    /// None for a token of another issuer.
    pub(crate) session_id: Option<Uuid>,
}

/// A fresh session token, and the hash that is all the server keeps of it.
pub(crate) fn new_token() -> (String, Vec<u8>) {
    let token = URL_SAFE_NO_PAD.encode(clock::random::<32>());
    let hash = token_hash(&token);
    (token, hash)
}

pub(crate) fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Who a token stands for, however it arrived.
pub(crate) async fn authenticate(app: &App, token: &str) -> ApiResult<Caller> {
    let mut c = app.store.read().await?;
    match accounts::session_by_token(&mut c, &token_hash(token)).await? {
        Some((session_id, user_id)) => Ok(Caller {
            user_id,
            session_id: Some(session_id),
        }),
        None => Err(unauthenticated()),
    }
}

fn unauthenticated() -> ApiError {
    ApiError::new(
        ErrorCode::Unauthenticated,
        "Sign in (POST /v1/sessions) and send the token as `Authorization: Bearer TOKEN`.",
    )
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let value = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        authenticate(app, token.ok_or_else(unauthenticated)?).await
    }
}
