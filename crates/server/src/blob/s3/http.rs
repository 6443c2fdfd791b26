//! The HTTP client below the store's library, and what its failures mean.
//!
//! The library gives most failures as text. So this client looks at each answer before the library does, and what is a failure
//! of the store becomes an error that can be recognised.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::{StatusCode, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::super::BlobError;
use super::super::guard::Fault;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// An error's body is some hundred bytes.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// Gives the library our HTTP client.
#[derive(Debug)]
pub(super) struct Connector(reqwest::Client);

impl Connector {
    /// Trusts the system's authorities; a store without TLS needs none, a role of the machine does.
    pub(super) fn new(endpoint: &Url) -> Result<Self, String> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let tls = match tls.clone().with_platform_verifier() {
            Ok(tls) => tls,
            Err(_) if endpoint.scheme() == "http" => tls.with_root_certificates(RootCertStore::empty()),
            Err(error) => {
                return Err(format!(
                    "the system has no certificate authorities to trust: {error}"
                ));
            }
        };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.with_no_client_auth())
            .user_agent(concat!("voxpost/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN);
        let host = endpoint.host_str().unwrap_or_default();
        if ["127.0.0.1", "[::1]", "localhost"].contains(&host) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| error.without_url().to_string())?;
        Ok(Self(client))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Client(self.0.clone())))
    }
}

#[derive(Debug)]
struct Client(reqwest::Client);

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.call(request).await?;
        let status = response.status();
        // 404 is the answer to a question, unless it is the bucket that is missing.
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let mut text = Vec::new();
        let mut pieces = body.bytes_stream();
        while let Some(Ok(piece)) = pieces.next().await {
            let room = MAX_ERROR_BYTES - text.len();
            text.extend_from_slice(&piece[..piece.len().min(room)]);
            if text.len() == MAX_ERROR_BYTES {
                break;
            }
        }
        let code = code(&String::from_utf8_lossy(&text));
        if status == StatusCode::NOT_FOUND && code != "NoSuchBucket" {
            return Ok(HttpResponse::from_parts(parts, text.into()));
        }
        Err(HttpError::new(HttpErrorKind::Unknown, Refusal { status, code }))
    }
}

/// What the store said instead of doing its work.
#[derive(Debug, thiserror::Error)]
#[error("it answered {} {code}", status.as_u16())]
struct Refusal {
    status: StatusCode,
    code: String,
}

/// The `Code` of an error's XML; S3's words are ASCII letters.
fn code(body: &str) -> String {
    let inner = body
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = inner.map_or("", |(code, _)| code);
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect()
}

/// What a failed request means. Its text names neither address nor key: they are in no log.
#[expect(clippy::needless_pass_by_value, reason = "it stands behind `map_err`")]
pub(super) fn fault(error: object_store::Error) -> Fault {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(refusal) = found.downcast_ref::<Refusal>() {
            return refused(refusal);
        }
        if let Some(http) = found.downcast_ref::<HttpError>() {
            // A refusal stands below it.
            if http.source().is_none_or(|source| !source.is::<Refusal>()) {
                return Fault::Failed(
                    match http.kind() {
                        HttpErrorKind::Connect => "it cannot be reached",
                        HttpErrorKind::Timeout => "it did not answer in time",
                        HttpErrorKind::Decode => "its answer makes no sense",
                        _ => "the connection to it broke",
                    }
                    .to_owned(),
                );
            }
        }
        cause = found.source();
    }
    match error {
        object_store::Error::NotFound { .. } => Fault::Answer(BlobError::NotFound),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            Fault::Refused("it refuses our keys".to_owned())
        }
        _ => Fault::Failed("its answer makes no sense".to_owned()),
    }
}

/// As [`fault`], for requests to which "there is no such object" is no answer.
pub(super) fn write_fault(error: object_store::Error) -> Fault {
    match fault(error) {
        Fault::Answer(_) => Fault::Failed("it does not find what is written".to_owned()),
        other => other,
    }
}

/// A body that is shorter than it should be was cut off.
pub(super) fn whole(bytes: &[u8], expected: u64) -> Result<(), Fault> {
    if bytes.len() as u64 == expected {
        Ok(())
    } else {
        Err(Fault::Failed("its answer was cut off".to_owned()))
    }
}

fn refused(refusal: &Refusal) -> Fault {
    let reason = refusal.to_string();
    match refusal.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Fault::Refused(reason),
        _ => Fault::Failed(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_an_error_is_found_and_nothing_else_of_the_body() {
        let body =
            "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Resource>/voice/secret</Resource></Error>";
        assert_eq!(code(body), "SlowDown");
        assert_eq!(code("<html>no</html>"), "");
        assert_eq!(code("<Code><script></Code>"), "script");
    }

    #[test]
    fn what_can_pass_is_told_from_what_cannot() {
        let fault_of = |status, code: &str| {
            let refusal = Refusal {
                status,
                code: code.to_owned(),
            };
            let http = HttpError::new(HttpErrorKind::Unknown, refusal);
            fault(object_store::Error::Generic {
                store: "S3",
                source: Box::new(http),
            })
        };
        let slow = fault_of(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
        assert!(matches!(slow, Fault::Failed(reason) if reason == "it answered 503 SlowDown"));
        let denied = fault_of(StatusCode::FORBIDDEN, "InvalidAccessKeyId");
        assert!(matches!(denied, Fault::Refused(reason) if reason.contains("InvalidAccessKeyId")));
    }
}
