//! The keys of an issuer that publishes them at an address: fetched, kept, and fetched again when they change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::keys::KeySet;
use super::setting::is_loopback;
use crate::supervise::keep_running;

/// How often the keys are fetched in the background.
const REFRESH_EACH: Duration = Duration::from_secs(10 * 60);

/// How soon after a fetch that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How often a token with an unknown `kid` may cause a fetch: whoever invents names must not drive traffic.
const UNKNOWN_EACH: Duration = Duration::from_secs(30);

/// How long keys are good when no fetch succeeds any more: an outage of the issuer must not lock people out at once, and a
/// key that was withdrawn must not be good for ever.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

const FETCH_WITHIN: Duration = Duration::from_secs(5);
const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// There are no keys at the moment, neither fresh nor kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoKeys;

/// The keys at an address. Dropping it ends the fetching.
pub(super) struct Remote {
    place: Arc<Place>,
    _stop: DropGuard,
}

struct Place {
    issuer: String,
    url: Url,
    algorithm: Algorithm,
    http: reqwest::Client,
    kept: Mutex<Kept>,
    /// Held by whoever fetches, so that there is one fetch at a time.
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Default)]
struct Kept {
    keys: Option<Arc<KeySet>>,
    fetched_at: Option<Instant>,
}

#[derive(Default)]
struct Turn {
    /// When the last fetch ended, whatever became of it.
    tried_at: Option<Instant>,
    /// When an unknown `kid` caused the last one.
    asked_at: Option<Instant>,
    failing: bool,
}

impl Remote {
    /// Begins to fetch, without waiting for it: an issuer that is down must not keep the server down.
    pub(super) fn start(issuer: &str, url: &Url, algorithm: Algorithm) -> Result<Self, String> {
        let place = Arc::new(Place {
            issuer: issuer.to_owned(),
            url: url.clone(),
            algorithm,
            http: client(url)?,
            kept: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        });
        let stopping = CancellationToken::new();
        let refreshed = Arc::clone(&place);
        keep_running("jwks", stopping.clone(), move || refresh(Arc::clone(&refreshed)));
        Ok(Self {
            place,
            _stop: stopping.drop_guard(),
        })
    }

    /// The key that a token names. One that is not known is looked for at the address first; None when it is not there
    /// either.
    pub(super) async fn key(&self, kid: Option<&str>) -> Result<Option<DecodingKey>, NoKeys> {
        let now = Instant::now();
        if let Some(key) = self.place.keys(now).and_then(|keys| keys.get(kid).cloned()) {
            return Ok(Some(key));
        }
        self.place.look_again(now).await;
        match self.place.keys(Instant::now()) {
            Some(keys) => Ok(keys.get(kid).cloned()),
            None => Err(NoKeys),
        }
    }
}

impl Place {
    fn keys(&self, now: Instant) -> Option<Arc<KeySet>> {
        let kept = self.lock();
        let fetched_at = kept.fetched_at?;
        let good = now.saturating_duration_since(fetched_at) < KEPT_FOR;
        kept.keys.clone().filter(|_| good)
    }

    /// Fetches for a token that came at `since`, unless somebody has done so meanwhile, or just before.
    async fn look_again(&self, since: Instant) {
        let mut turn = self.turn.lock().await;
        if turn.tried_at.is_some_and(|at| at >= since)
            || turn.asked_at.is_some_and(|at| at.elapsed() < UNKNOWN_EACH)
        {
            return;
        }
        turn.asked_at = Some(Instant::now());
        self.fetch(&mut turn).await;
    }

    async fn fetch(&self, turn: &mut Turn) -> bool {
        let fetched = match tokio::time::timeout(FETCH_WITHIN, self.download()).await {
            Ok(Ok(document)) => KeySet::public(&document, self.algorithm),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("no answer within {} s", FETCH_WITHIN.as_secs())),
        };
        let now = Instant::now();
        turn.tried_at = Some(now);
        let issuer = self.issuer.as_str();
        match fetched {
            Ok(keys) => {
                let mut kept = self.lock();
                kept.keys = Some(Arc::new(keys));
                kept.fetched_at = Some(now);
                drop(kept);
                if std::mem::take(&mut turn.failing) {
                    tracing::info!(issuer, "the keys of an issuer are there again");
                }
                true
            }
            Err(error) => {
                // Said once, not each few seconds.
                if !std::mem::replace(&mut turn.failing, true) {
                    let kept = self.keys(now).is_some();
                    tracing::warn!(issuer, error, kept, "the keys of an issuer cannot be fetched");
                }
                false
            }
        }
    }

    async fn download(&self) -> Result<Vec<u8>, String> {
        let answer = self.http.get(self.url.clone()).send().await.map_err(told)?;
        if !answer.status().is_success() {
            // Redirects too: the operator names the place itself.
            return Err(format!("the answer is {}", answer.status()));
        }
        let mut document = Vec::new();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(told)?;
            if document.len() + part.len() > MAX_DOCUMENT_BYTES {
                return Err("the document is larger than 1 MiB".into());
            }
            document.extend_from_slice(&part);
        }
        Ok(document)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing in here leaves it half-changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches for ever; soon again after a failure.
async fn refresh(place: Arc<Place>) {
    loop {
        let done = place.fetch(&mut *place.turn.lock().await).await;
        tokio::time::sleep(if done { REFRESH_EACH } else { RETRY_AFTER }).await;
    }
}

/// An HTTP client that follows no redirects and trusts the system's authorities; within this machine it needs none.
fn client(url: &Url) -> Result<reqwest::Client, String> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let tls = if url.scheme() == "https" {
        tls.with_platform_verifier()
            .map_err(|error| format!("the system has no certificate authorities to trust: {error}"))?
    } else {
        tls.with_root_certificates(RootCertStore::empty())
    };
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.with_no_client_auth())
        .user_agent(concat!("voxpost/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(FETCH_WITHIN);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(told)
}

/// The error with its causes and without the address, which the operator knows.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
