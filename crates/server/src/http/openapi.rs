//! `GET /openapi.json`: made from the handlers, with the table of error codes that `/docs` shows.

use serde_json::{Value, json};
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use voxpost_proto::{ErrorCode, PROBLEM_JSON};

const BEARER: &str = "A session token (`POST /v1/sessions`, `POST /v1/accounts`), or a JWT of an issuer that the server is \
    configured with: HS256, EdDSA, ES256 or RS256, with `iss`, `sub`, `aud` and `exp`. Somebody new gets an account on first \
    sight. A browser's socket gives it as the subprotocol `bearer.TOKEN`.";

/// Says how a caller is known; calls for everybody say so themselves.
pub(super) struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(BEARER));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

/// The document as it is served.
pub(crate) fn document(api: &OpenApi) -> Vec<u8> {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["x-error-codes"] = error_codes();
    name_problems(&mut document);
    document.to_string().into_bytes()
}

/// A refusal is `application/problem+json`; the handlers' annotations know JSON only.
fn name_problems(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let calls = paths.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten());
    let answers = calls.flat_map(|(_, call)| call["responses"].as_object_mut().into_iter().flatten());
    for content in answers.filter_map(|(_, answer)| answer.get_mut("content")?.as_object_mut()) {
        let is_problem = |body: &Value| body["schema"]["$ref"] == "#/components/schemas/Problem";
        if content.get("application/json").is_some_and(is_problem)
            && let Some(body) = content.remove("application/json")
        {
            content.insert(PROBLEM_JSON.to_owned(), body);
        }
    }
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

    #[test]
    fn a_caller_is_known_by_a_token_of_here_or_of_an_issuer() {
        let mut api = utoipa::openapi::OpenApiBuilder::new().build();
        Bearer.modify(&mut api);
        let document: Value = serde_json::from_slice(&document(&api)).expect("JSON");
        let scheme = &document["components"]["securitySchemes"]["bearer"];
        assert_eq!(
            (&scheme["type"], &scheme["scheme"]),
            (&json!("http"), &json!("bearer"))
        );
        assert!(
            scheme["description"]
                .as_str()
                .is_some_and(|text| text.contains("JWT"))
        );
    }

    #[test]
    fn refusals_have_the_media_type_that_they_are_sent_with() {
        let mut document = json!({"paths": {"/x": {"get": {"responses": {
            "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}},
            "204": {"description": "nothing"},
            "404": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        }}}}});
        name_problems(&mut document);
        let answers = &document["paths"]["/x"]["get"]["responses"];
        assert!(answers["200"]["content"]["application/json"].is_object());
        assert!(answers["404"]["content"][PROBLEM_JSON].is_object());
        assert!(answers["404"]["content"]["application/json"].is_null());
    }
}
