//! The web client and the reading page of the API, embedded as they are in `web/`.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

/// Nothing inline, nothing from elsewhere. `ws:` and `wss:` stand for the own socket in browsers whose `'self'` leaves it out.
///
/// Sounds may come from the object store itself when listeners are sent there.
pub(super) fn policy(store: Option<&str>) -> String {
    let store = store.map(|origin| format!(" {origin}")).unwrap_or_default();
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:{store}; \
     media-src 'self' blob:{store}; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    )
}

/// What belongs to the page; its tests and tools stay outside.
#[derive(RustEmbed)]
#[folder = "../../web/"]
#[include = "index.html"]
#[include = "icon.svg"]
#[include = "base.css"]
#[include = "app.css"]
#[include = "voice.css"]
#[include = "src/**"]
#[include = "i18n/**"]
#[include = "docs/**"]
struct Files;

/// The last resort of the router: a file of the page, else the usual 404.
pub(super) async fn file_or_not_found(
    policy: String,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = match uri.path() {
        "/" => "index.html",
        "/docs" | "/docs/" => "docs/index.html",
        path => path.trim_start_matches('/'),
    };
    match Files::get(path) {
        Some(file) if method == Method::GET || method == Method::HEAD => {
            serve(path, &file, &headers, &policy)
        }
        _ => ApiError::not_found().into_response(),
    }
}

/// A new build must be seen at the next visit, so browsers ask each time; mostly the answer is 304.
fn serve(path: &str, file: &EmbeddedFile, asked: &HeaderMap, policy: &str) -> Response {
    let etag = etag(file);
    let known = asked
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value == etag.as_str());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.data.clone().into_response()
    };
    let headers = response.headers_mut();
    if !known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(path: &str, headers: HeaderMap) -> Response {
        file_or_not_found(policy(None), Method::GET, path.parse().expect("a path"), headers).await
    }

    #[tokio::test]
    async fn the_page_comes_with_a_policy_that_forbids_inline_scripts() {
        for path in [
            "/",
            "/docs",
            "/src/main.js",
            "/i18n/zh-CN.js",
            "/voice.css",
            "/docs/main.js",
            "/icon.svg",
        ] {
            let response = get(path, HeaderMap::new()).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .expect("ASCII");
            assert!(
                policy.contains("script-src 'self';") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_ne!(
                response.headers()[header::CONTENT_TYPE],
                "application/octet-stream",
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn a_page_that_is_known_is_not_sent_again() {
        let first = get("/", HeaderMap::new()).await;
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone())]);
        assert_eq!(get("/", known).await.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn tests_tools_and_what_is_outside_are_not_served() {
        for path in [
            "/package.json",
            "/test/unit/store.test.js",
            "/node_modules/typescript/package.json",
            "/../Cargo.toml",
            "/v1/nothing",
        ] {
            assert_eq!(
                get(path, HeaderMap::new()).await.status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }
}
