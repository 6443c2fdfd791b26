//! Which protocol a request speaks, and what every answer in it has.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use voxpost_proto::ErrorCode;

use crate::error::{ApiError, ApiResult};

pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(super) const INTEROP: HeaderName = HeaderName::from_static("upload-draft-interop-version");
pub(super) const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
pub(super) const INCOMPLETE: HeaderName = HeaderName::from_static("upload-incomplete");
pub(super) const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");

/// The version of tus that is spoken here.
pub(super) const TUS: &str = "1.0.0";

/// The versions of the draft by their numbers of interoperability: draft-ietf-httpbis-resumable-upload-01, -03, and -04 to -05.
const DRAFTS: [u8; 3] = [3, 5, 6];

/// How the two ends talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// tus 1.0.0.
    Tus,
    /// draft-ietf-httpbis-resumable-upload with this number of interoperability.
    Draft(u8),
}

impl Protocol {
    /// What the request speaks.
    pub(super) fn of(headers: &HeaderMap) -> ApiResult<Self> {
        if let Some(value) = headers.get(INTEROP) {
            let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            return match number {
                Some(number) if DRAFTS.contains(&number) => Ok(Self::Draft(number)),
                _ => Err(ApiError::new(
                    ErrorCode::UnsupportedVersion,
                    "Of the IETF draft the interop versions 3, 5 and 6 are spoken here.",
                )),
            };
        }
        match headers.get(TUS_RESUMABLE) {
            Some(version) if version == TUS => Ok(Self::Tus),
            _ => Err(ApiError::new(
                ErrorCode::UnsupportedVersion,
                "Send `Tus-Resumable: 1.0.0`, or `Upload-Draft-Interop-Version`.",
            )),
        }
    }

    /// Whether the request says that its body ends the upload; None where the protocol has no such word.
    pub(super) fn ends(self, headers: &HeaderMap) -> ApiResult<Option<bool>> {
        let (name, turned) = match self {
            Self::Tus => return Ok(None),
            Self::Draft(3) => (INCOMPLETE, true),
            Self::Draft(_) => (COMPLETE, false),
        };
        // RFC 8941 §3.3.6
        match headers.get(&name).map(HeaderValue::as_bytes) {
            Some(b"?1") => Ok(Some(!turned)),
            Some(b"?0") => Ok(Some(turned)),
            _ => Err(ApiError::invalid(format!("`{name}` must be ?0 or ?1."))),
        }
    }

    /// How an answer says whether the upload is whole.
    pub(super) fn wholeness(self, whole: bool) -> Option<(HeaderName, HeaderValue)> {
        let says = |yes| HeaderValue::from_static(if yes { "?1" } else { "?0" });
        match self {
            Self::Tus => None,
            Self::Draft(3) => Some((INCOMPLETE, says(!whole))),
            Self::Draft(_) => Some((COMPLETE, says(whole))),
        }
    }
}

/// A header with a number of bytes; None when it is absent.
pub(super) fn bytes_of(headers: &HeaderMap, name: &HeaderName) -> ApiResult<Option<u64>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|bytes| digits && i64::try_from(*bytes).is_ok())
        .map(Some)
        .ok_or_else(|| ApiError::invalid(format!("`{name}` must be a number of bytes.")))
}

/// Marks every answer, refusals too, as one of the protocol that was spoken.
pub(super) async fn mark(request: Request, next: Next) -> Response {
    let interop = request.headers().get(INTEROP).cloned();
    let get = request.method() == Method::GET;
    let mut response = next.run(request).await;
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    match interop {
        Some(_) if refused => {
            headers.insert(INTEROP, HeaderValue::from_static("6"));
        }
        Some(version) => {
            headers.insert(INTEROP, version);
        }
        None if get => {}
        None => {
            headers.insert(TUS_RESUMABLE, HeaderValue::from_static(TUS));
            if refused {
                headers.insert(TUS_VERSION, HeaderValue::from_static(TUS));
            }
        }
    }
    response
}
