//! `Upload-Metadata`: pairs of a key and a value in Base64, with commas between them.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};
use crate::http::messages::caption;
use crate::uploads::Begin;

const HEADER: &str = "upload-metadata";

/// The longest that is kept.
const MAX_BYTES: usize = 8 << 10;

/// Reads what the owner says. Keys that mean nothing here are kept with the rest and told again.
pub(super) fn read(headers: &HeaderMap) -> ApiResult<Begin> {
    let mut begin = Begin::default();
    let Some(value) = headers.get(HEADER) else {
        return Ok(begin);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= MAX_BYTES)
        .ok_or_else(|| {
            ApiError::invalid(format!("`Upload-Metadata` may have {MAX_BYTES} bytes of ASCII."))
        })?;
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64
            .decode(value.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let is_for_us = matches!(key, "conversation_id" | "client_id" | "reply_to" | "caption");
        let value = match value {
            Some(value) if is_for_us && !value.is_empty() => value,
            Some(_) => continue,
            // A file name in another encoding is none of our business.
            None if !is_for_us => continue,
            None => {
                return Err(ApiError::invalid(format!(
                    "`{key}` in `Upload-Metadata` must be text in Base64."
                )));
            }
        };
        match key {
            "conversation_id" => begin.conversation_id = Some(uuid(key, &value)?),
            "client_id" => begin.client_id = Some(uuid(key, &value)?),
            "reply_to" => begin.reply_to = Some(uuid(key, &value)?),
            _ => begin.caption = caption(&value)?,
        }
    }
    begin.metadata = Some(text.to_owned());
    Ok(begin)
}

fn uuid(key: &str, value: &str) -> ApiResult<Uuid> {
    Uuid::try_parse(value.trim())
        .map_err(|_| ApiError::invalid(format!("`{key}` in `Upload-Metadata` must be a UUID.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> ApiResult<Begin> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, text.parse().unwrap());
        read(&headers)
    }

    #[test]
    fn ids_are_read_and_the_rest_is_kept_as_it_is() {
        let id = Uuid::from_u128(7);
        let text = format!(
            "filename d29ybGQ=,conversation_id {},is_private, filetype YXVkaW8vb2dn,name /w==",
            BASE64.encode(id.to_string())
        );
        let begin = read_text(&text).unwrap();
        assert_eq!((begin.conversation_id, begin.client_id), (Some(id), None));
        assert_eq!(begin.metadata.as_deref(), Some(text.as_str()));
    }

    #[test]
    fn what_is_no_id_is_refused_by_its_name() {
        for text in ["client_id !!!", "client_id bm8=", "conversation_id /w=="] {
            let error = read_text(text).unwrap_err();
            assert!(error.problem().detail.contains("_id"), "{text}");
        }
        assert!(read_text(&"a ".repeat(MAX_BYTES)).is_err());
        assert_eq!(read(&HeaderMap::new()).unwrap(), Begin::default());
    }
}
