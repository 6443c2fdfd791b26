//! `GET /openapi.json`: made from the handlers, with the table of error codes that `/docs` shows.

use serde_json::{Value, json};
use voxpost_proto::ErrorCode;

/// The document as it is served.
pub(crate) fn document(api: &utoipa::openapi::OpenApi) -> Vec<u8> {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["x-error-codes"] = error_codes();
    document.to_string().into_bytes()
}

/// Code, status, meaning, and what the caller can do: the same for every call, so told once.
fn error_codes() -> Value {
    ErrorCode::ALL
        .iter()
        .map(|code| {
            json!({
                "code": code.as_str(),
                "status": code.status(),
                "title": code.title(),
                "advice": code.advice(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_is_explained_beside_the_calls() {
        let api = utoipa::openapi::OpenApiBuilder::new().build();
        let document: Value = serde_json::from_slice(&document(&api)).expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        let codes = document["x-error-codes"].as_array().expect("a list");
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        assert!(
            codes
                .iter()
                .all(|code| code["advice"].as_str().is_some_and(|text| !text.is_empty()))
        );
    }
}
