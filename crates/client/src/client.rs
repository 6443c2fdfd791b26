//! The client: where the server is, who is asking, and how a request is carried out.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use voxpost_proto::{ErrorCode, Problem, Uuid};

use crate::error::Error;
use crate::retry::{self, RetryPolicy};
use crate::tls::{self, Fingerprint};

/// Answers of other kinds than sound are never larger than this.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A server, and the one who talks to it. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    token: Option<Arc<str>>,
}

struct Shared {
    http: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
    base: Url,
    retry: RetryPolicy,
    connect_within: Duration,
}

/// Settings of a [`Client`] that is about to be made.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    url: String,
    token: Option<String>,
    fingerprint: Option<Fingerprint>,
    retry: RetryPolicy,
    silence: Duration,
}

impl ClientBuilder {
    /// Asks with this bearer token: of a session, or a JWT of an issuer that the server knows.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Trusts exactly this certificate instead of the system's authorities, for a server that made its own.
    pub fn trust(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Repeats calls that failed for the moment in this way.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Gives a connection up on which the server says nothing for so long while it is asked; 60 s by default, more than a
    /// server needs for an answer.
    pub fn longest_silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] when the address is no `http://` or `https://` URL with a host; [`Error::Tls`] when the
    /// system has no certificate authorities to trust.
    pub fn build(self) -> Result<Client, Error> {
        let base = parse_base(&self.url).ok_or_else(|| Error::InvalidUrl(self.url.clone()))?;
        let tls = match self.fingerprint {
            Some(fingerprint) => tls::pinned(fingerprint)?,
            None if base.scheme() == "https" => tls::system_roots()?,
            None => tls::none()?,
        };
        let connect_within = CONNECT_WITHIN.min(self.silence);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .user_agent(concat!("voxpost-client/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_within)
            .read_timeout(self.silence)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| Error::from_http(&base, &error))?;
        let shared = Shared {
            http,
            tls: Arc::new(tls),
            base,
            retry: self.retry,
            connect_within,
        };
        Ok(Client {
            shared: Arc::new(shared),
            token: self.token.map(Arc::from),
        })
    }
}

/// The address with a path that ends in a slash, so that calls are joined below it.
fn parse_base(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Some(url)
}

impl Client {
    /// Begins a client for the server at `url`, such as `https://voice.example.org` or `http://127.0.0.1:8080`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            token: None,
            fingerprint: None,
            retry: RetryPolicy::default(),
            silence: Duration::from_secs(60),
        }
    }

    /// The same connections with another bearer token, such as the one of a session that was just made.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            token: Some(token.into()),
        }
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        self.shared.base.as_str().trim_end_matches('/')
    }

    /// A fresh id (UUIDv7) for a message or any other write.
    ///
    /// # Errors
    /// [`Error::Randomness`] when the operating system gives none.
    pub fn new_id() -> Result<Uuid, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(uuid::Builder::from_unix_timestamp_millis(now.as_millis() as u64, &random).into_uuid())
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(crate) fn tls(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.shared.tls)
    }

    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        self.shared.retry
    }

    pub(crate) fn connect_within(&self) -> Duration {
        self.shared.connect_within
    }

    /// The address of a call: `segments` are encoded one by one, so that an id or name can hold anything.
    pub(crate) fn address(&self, segments: &[&str]) -> Url {
        let mut url = self.shared.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.shared.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A call without a body whose repetition is harmless.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Error> {
        let answer = self
            .repeat(
                Repeat::Always,
                async || Ok(self.request(Method::GET, url.clone())),
            )
            .await?;
        read_json(answer).await
    }

    /// A call with a JSON body.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: &(impl Serialize + Sync),
        repeat: Repeat,
    ) -> Result<T, Error> {
        let answer = self.send_json(method, url, body, repeat).await?;
        read_json(answer).await
    }

    /// A call with a JSON body and an empty answer.
    pub(crate) async fn write_empty(
        &self,
        method: Method,
        url: Url,
        body: &(impl Serialize + Sync),
    ) -> Result<(), Error> {
        self.send_json(method, url, body, Repeat::Always).await.map(drop)
    }

    /// A call that takes something away.
    pub(crate) async fn delete(&self, url: Url) -> Result<(), Error> {
        let request = async || Ok(self.request(Method::DELETE, url.clone()));
        self.repeat(Repeat::Always, request).await.map(drop)
    }

    async fn send_json(
        &self,
        method: Method,
        url: Url,
        body: &(impl Serialize + Sync),
        repeat: Repeat,
    ) -> Result<Response, Error> {
        self.repeat(repeat, async || {
            Ok(self.request(method.clone(), url.clone()).json(body))
        })
        .await
    }

    /// Carries a request out, again and again while it fails for the moment and the policy allows.
    pub(crate) async fn repeat(
        &self,
        repeat: Repeat,
        make: impl AsyncFn() -> Result<RequestBuilder, Error>,
    ) -> Result<Response, Error> {
        let mut failures = 0;
        loop {
            let error = match self.once(make().await?).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let pause = self
                .shared
                .retry
                .pause(failures, error.retry_after(), retry::jitter());
            match pause {
                Some(pause) if error.is_temporary() && repeat.allows(&error) => {
                    tracing::debug!(%error, failures, pause_ms = pause.as_millis() as u64, "trying again");
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Carries a request out once; a refusal is an error.
    pub(crate) async fn once(&self, request: RequestBuilder) -> Result<Response, Error> {
        let answer = request
            .send()
            .await
            .map_err(|error| Error::from_http(&self.url(), &error))?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(refusal(answer).await)
        }
    }
}

/// What may be repeated when nobody knows whether the first try arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The call changes nothing, or carries an id that makes a second one harmless.
    Always,
    /// Only when the first surely did not arrive.
    IfNotSent,
}

impl Repeat {
    fn allows(self, error: &Error) -> bool {
        self == Self::Always || !matches!(error, Error::Unreachable { sent: true, .. })
    }
}

/// Reads a JSON answer of bounded size.
pub(crate) async fn read_json<T: DeserializeOwned>(answer: Response) -> Result<T, Error> {
    let url = answer.url().clone();
    let body = read_bounded(answer).await?;
    serde_json::from_slice(&body).map_err(|error| Error::unexpected(&url, error.to_string()))
}

async fn read_bounded(mut answer: Response) -> Result<Vec<u8>, Error> {
    let url = answer.url().clone();
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| Error::from_http(&url, &error))?
    {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Error::unexpected(&url, "the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(crate) async fn refusal(answer: Response) -> Error {
    let status = answer.status();
    let url = answer.url().clone();
    let retry_after = retry_after(answer.headers());
    match read_bounded(answer).await {
        Ok(body) => refusal_from(&url, status, retry_after, &body),
        Err(error) => error,
    }
}

/// Makes sense of an answer that is no success: a problem of ours, or whatever a proxy says.
pub(crate) fn refusal_from(
    url: &impl ToString,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Error {
    let problem = serde_json::from_slice::<Problem>(body)
        .ok()
        .or_else(|| match status.as_u16() {
            429 => Some(Problem::new(ErrorCode::RateLimited, "too many requests")),
            502..=504 => Some(Problem::new(
                ErrorCode::Unavailable,
                format!("the server answered {status}"),
            )),
            _ => None,
        });
    match problem {
        Some(problem) => {
            let retry_after = retry_after.or(problem.retry_after.map(Duration::from_secs));
            Error::Refused {
                problem: Box::new(problem),
                retry_after,
            }
        }
        None => Error::unexpected(
            url,
            format!("HTTP status {status} without a problem that we know"),
        ),
    }
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_http_or_host_is_refused() {
        for url in [
            "",
            "voice.example.org",
            "ftp://voice.example.org",
            "file:///etc/passwd",
            "http://",
        ] {
            assert!(
                matches!(Client::builder(url).build(), Err(Error::InvalidUrl(_))),
                "{url}"
            );
        }
    }

    #[test]
    fn calls_go_below_the_path_of_the_address_and_cannot_leave_it() {
        for url in ["http://example.org/voice", "http://example.org/voice/?x#y"] {
            let client = Client::builder(url).build().unwrap();
            assert_eq!(client.url(), "http://example.org/voice");
            assert_eq!(
                client.address(&["v1", "me"]).as_str(),
                "http://example.org/voice/v1/me"
            );
            let odd = client.address(&["v1", "users", "a/b?c"]);
            assert_eq!(odd.as_str(), "http://example.org/voice/v1/users/a%2Fb%3Fc");
        }
    }

    #[test]
    fn fresh_ids_are_uuids_of_version_7_and_differ() {
        let (a, b) = (Client::new_id().unwrap(), Client::new_id().unwrap());
        assert_eq!(a.get_version_num(), 7);
        assert_ne!(a, b);
    }

    #[test]
    fn a_problem_keeps_its_code_and_the_wait_that_the_server_asked_for() {
        let body = serde_json::to_vec(&Problem::new(ErrorCode::RateLimited, "slow down")).unwrap();
        let wait = Some(Duration::from_secs(3));
        let error = refusal_from(&"x", StatusCode::TOO_MANY_REQUESTS, wait, &body);
        assert_eq!(error.code(), Some(ErrorCode::RateLimited));
        assert_eq!(error.retry_after(), wait);
        assert!(error.is_temporary());
    }

    #[test]
    fn the_error_page_of_a_proxy_is_temporary_but_that_of_a_stranger_is_not() {
        let proxy = refusal_from(&"x", StatusCode::BAD_GATEWAY, None, b"<html>");
        assert_eq!(proxy.code(), Some(ErrorCode::Unavailable));
        let stranger = refusal_from(&"x", StatusCode::NOT_FOUND, None, b"<html>");
        assert!(matches!(stranger, Error::Unexpected { .. }));
    }

    #[test]
    fn a_write_without_an_id_is_not_repeated_once_it_may_have_arrived() {
        let lost = |sent| Error::Unreachable {
            url: String::new(),
            reason: String::new(),
            sent,
        };
        assert!(!Repeat::IfNotSent.allows(&lost(true)));
        assert!(Repeat::IfNotSent.allows(&lost(false)));
        assert!(Repeat::Always.allows(&lost(true)));
    }
}
