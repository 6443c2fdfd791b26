//! The header `Idempotency-Key`: the same as `client_id` for whoever prefers headers.

use axum::http::HeaderMap;
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};

const HEADER: &str = "idempotency-key";

/// The id that the caller made for this request, a UUID.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> ApiResult<Option<Uuid>> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| Uuid::try_parse(text.trim().trim_matches('"')).ok())
        .map(Some)
        .ok_or_else(|| ApiError::invalid("`Idempotency-Key` must be a UUID."))
}
