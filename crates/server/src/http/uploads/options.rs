//! `OPTIONS /v1/uploads`: what is spoken here.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::protocol::{TUS, TUS_RESUMABLE, TUS_VERSION};
use crate::app::App;

/// The extensions of tus that are here.
const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination";

/// Says what of tus is spoken here: version, extensions, the largest upload, checksums.
#[utoipa::path(options, path = "/v1/uploads", tag = "uploads", security(()), responses((status = 204)))]
pub(super) async fn all() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// As `OPTIONS /v1/uploads`.
#[utoipa::path(options, path = "/v1/uploads/{id}", tag = "uploads", security(()), responses((status = 204)))]
pub(super) async fn one() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Adds what of tus is spoken to every answer to OPTIONS there: also to those that are given to a browser before it asks on
/// behalf of another site, which no handler sees.
pub(crate) async fn discovery(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let here =
        request.method() == Method::OPTIONS && (path == "/v1/uploads" || path.starts_with("/v1/uploads/"));
    let mut response = next.run(request).await;
    if here && response.status().is_success() {
        let headers = response.headers_mut();
        headers.insert(TUS_RESUMABLE, HeaderValue::from_static(TUS));
        headers.insert(TUS_VERSION, HeaderValue::from_static(TUS));
        let name = HeaderName::from_static;
        headers.insert(name("tus-extension"), HeaderValue::from_static(EXTENSIONS));
        headers.insert(
            name("tus-checksum-algorithm"),
            HeaderValue::from_static("sha256,sha1"),
        );
        headers.insert(name("tus-max-size"), app.config.max_audio_bytes.into());
        let limit = format!("max-size={}", app.config.max_audio_bytes);
        if let Ok(limit) = HeaderValue::try_from(limit) {
            headers.insert(name("upload-limit"), limit);
        }
    }
    response
}
