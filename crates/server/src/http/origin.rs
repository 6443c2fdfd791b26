//! Whether a browser's request comes from a page of this server. A WebSocket handshake is not bound by the same-origin
//! policy, so the server must look itself.

use axum::http::{HeaderMap, header};

use crate::error::{ApiError, ApiResult};

/// Refuses pages of other sites. Who sends no `Origin` is no browser and proves itself by its token alone.
pub(crate) fn check(headers: &HeaderMap) -> ApiResult<()> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let authority = origin.to_str().ok().and_then(|origin| {
        let (scheme, authority) = origin.split_once("://")?;
        matches!(scheme, "http" | "https").then_some(authority)
    });
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (authority, host) {
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(ApiError::forbidden(
            "Pages of another site may not do this. Open the page from this server.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn only_pages_of_this_very_host_and_port_are_let_in() {
        assert!(allowed(None, "127.0.0.1:8080"));
        assert!(allowed(Some("http://127.0.0.1:8080"), "127.0.0.1:8080"));
        assert!(allowed(Some("https://Voice.example"), "voice.example"));
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://127.0.0.1:8081",
            "http://127.0.0.1:8080.evil.example",
            "ftp://127.0.0.1:8080",
            "http://evil.example/127.0.0.1:8080",
        ] {
            assert!(!allowed(Some(origin), "127.0.0.1:8080"), "{origin}");
        }
    }
}
