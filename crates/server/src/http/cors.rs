//! Cross-origin use of the API by the pages that the operator allows. Without any, no header is sent and browsers refuse.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::AllowedOrigin;

/// How long a browser may keep what it was told; the longest that browsers honour.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// What a client may send beyond what browsers always allow.
const SENT: [HeaderName; 17] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("tus-resumable"),
    HeaderName::from_static("upload-checksum"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-defer-length"),
    HeaderName::from_static("upload-draft-interop-version"),
    HeaderName::from_static("upload-incomplete"),
    HeaderName::from_static("upload-length"),
    HeaderName::from_static("upload-metadata"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-request-id"),
];

/// What a page may read of an answer.
const SHOWN: [HeaderName; 22] = [
    header::ACCEPT_RANGES,
    header::CONTENT_DISPOSITION,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("tus-checksum-algorithm"),
    HeaderName::from_static("tus-extension"),
    HeaderName::from_static("tus-max-size"),
    HeaderName::from_static("tus-resumable"),
    HeaderName::from_static("tus-version"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-defer-length"),
    HeaderName::from_static("upload-draft-interop-version"),
    HeaderName::from_static("upload-expires"),
    HeaderName::from_static("upload-incomplete"),
    HeaderName::from_static("upload-length"),
    HeaderName::from_static("upload-limit"),
    HeaderName::from_static("upload-metadata"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("voxpost-message-id"),
];

/// None when no other site may use the server.
pub(super) fn layer(allowed: &[AllowedOrigin]) -> Option<CorsLayer> {
    if allowed.is_empty() {
        return None;
    }
    let allowed = allowed.to_vec();
    let matches = move |origin: &HeaderValue, _: &_| {
        let origin = origin.to_str().unwrap_or_default();
        allowed.iter().any(|site| site.matches(origin))
    };
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(matches))
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers(SENT)
            .expose_headers(SHOWN)
            .max_age(MAX_AGE),
    )
}
