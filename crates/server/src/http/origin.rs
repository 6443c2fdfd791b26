//! Whether a browser's request comes from a page of this server. A WebSocket handshake is not bound by the same-origin
//! policy, so the server must look itself.

use axum::http::{HeaderMap, header};

use crate::config::AllowedOrigin;
use crate::error::{ApiError, ApiResult};

/// Refuses pages of sites that are neither this one nor `allowed`. Who sends no `Origin` is no browser and proves itself by its token alone.
pub(crate) fn check(headers: &HeaderMap, allowed: &[AllowedOrigin]) -> ApiResult<()> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    if allowed.iter().any(|site| site.matches(origin)) {
        return Ok(());
    }
    let authority = origin
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        .map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (authority, host) {
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(ApiError::forbidden(
            "Pages of another site may not do this. Open the page from this server, or let the operator allow the site \
             (--allowed-origin).",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: Option<&str>, host: &str) -> bool {
        allowed_with(&[], origin, host)
    }

    fn allowed_with(sites: &[AllowedOrigin], origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        check(&headers, sites).is_ok()
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

    #[test]
    fn an_allowed_site_is_let_in_and_no_other() {
        let sites = ["https://app.example".parse().unwrap()];
        assert!(allowed_with(&sites, Some("https://app.example"), "voice.example"));
        assert!(!allowed_with(
            &sites,
            Some("https://app.example.evil"),
            "voice.example"
        ));
        assert!(!allowed_with(&sites, Some("http://app.example"), "voice.example"));
    }
}
