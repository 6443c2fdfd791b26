//! `Upload-Checksum`: of the body of one request.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use voxpost_proto::ErrorCode;

use crate::error::{ApiError, ApiResult};

const HEADER: &str = "upload-checksum";

/// What the body must come to.
pub(super) struct Checksum {
    context: Context,
    expected: Vec<u8>,
}

impl Checksum {
    /// None when the request has none.
    pub(super) fn read(headers: &HeaderMap) -> ApiResult<Option<Self>> {
        let Some(value) = headers.get(HEADER) else {
            return Ok(None);
        };
        let malformed = || {
            ApiError::invalid(
                "`Upload-Checksum` must be `sha256` or `sha1`, a space and the digest in Base64.",
            )
        };
        let text = value.to_str().map_err(|_| malformed())?;
        let (name, digest) = text.trim().split_once(' ').ok_or_else(malformed)?;
        let algorithm = match name {
            "sha256" => &SHA256,
            "sha1" => &SHA1_FOR_LEGACY_USE_ONLY,
            _ => return Err(malformed()),
        };
        let expected = BASE64.decode(digest.trim()).map_err(|_| malformed())?;
        if expected.len() != algorithm.output_len() {
            return Err(malformed());
        }
        Ok(Some(Self {
            context: Context::new(algorithm),
            expected,
        }))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// Whether these were the bytes.
    pub(super) fn check(self) -> ApiResult<()> {
        if self.context.finish().as_ref() == self.expected {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::ChecksumMismatch,
            "The bytes of this request do not have the given checksum and were dropped.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(text: &str) -> ApiResult<Option<Checksum>> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, text.parse().unwrap());
        Checksum::read(&headers)
    }

    #[test]
    fn the_example_of_the_specification_holds_and_another_body_does_not() {
        // tus 1.0.0, extension checksum: "hello world" as `Kq5sNclPz7QV2+lfQIuc6R7oRu0=`.
        for (body, good) in [(&b"hello world"[..], true), (b"hello", false)] {
            let mut sum = checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap().unwrap();
            sum.update(body);
            assert_eq!(sum.check().is_ok(), good);
        }
    }

    #[test]
    fn what_is_no_checksum_is_refused() {
        for text in [
            "",
            "sha1",
            "md5 1B2M2Y8AsgTpgAmY7PhCfg==",
            "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
            "sha1 !",
        ] {
            assert!(checksum(text).is_err(), "{text}");
        }
        assert!(Checksum::read(&HeaderMap::new()).unwrap().is_none());
    }
}
