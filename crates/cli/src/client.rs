//! From options, environment and the kept session to a client.

use std::path::PathBuf;

use clap::Args;
use voxpost_client::{Client, Fingerprint};

use crate::failure::Failure;
use crate::session::{self, Session};

/// Which server, as whom. Options win over the environment, the environment over the kept session.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ClientArgs {
    /// The server's address, instead of the one that you are signed in at.
    #[arg(
        long,
        env = "VOXPOST_URL",
        value_name = "URL",
        global = false,
        help_heading = "Server"
    )]
    pub(crate) url: Option<String>,

    /// Trust the server whose own certificate has this SHA-256 fingerprint, as `voxpost serve --tls self-signed` prints it.
    #[arg(
        long,
        env = "VOXPOST_TRUST",
        value_name = "FINGERPRINT",
        help_heading = "Server"
    )]
    pub(crate) trust: Option<Fingerprint>,

    /// The file that keeps the session [default: voxpost/session.json in your configuration directory].
    #[arg(
        long = "config",
        env = "VOXPOST_CONFIG",
        value_name = "FILE",
        help_heading = "Server"
    )]
    pub(crate) config: Option<PathBuf>,
}

/// A client that is signed in.
pub(crate) struct SignedIn {
    pub(crate) client: Client,
    /// The kept session; none when the token came from the environment.
    pub(crate) session: Option<Session>,
}

impl ClientArgs {
    /// Where the session is kept.
    pub(crate) fn session_path(&self) -> Result<PathBuf, Failure> {
        self.config.clone().or_else(session::default_path).ok_or_else(|| {
            Failure::Usage(
                "no configuration directory here; say where to keep the session with --config".into(),
            )
        })
    }

    /// The kept session, if there is one.
    pub(crate) fn session(&self) -> Result<Option<Session>, Failure> {
        Session::load(&self.session_path()?)
    }

    /// A client with a token: of VOXPOST_TOKEN, else of the kept session.
    pub(crate) fn signed_in(&self) -> Result<SignedIn, Failure> {
        if let Some(token) = token_from_environment() {
            let session = self.session()?;
            let url = self
                .url
                .clone()
                .or_else(|| session.as_ref().map(|session| session.url.clone()));
            let url = url
                .ok_or_else(|| Failure::Usage("VOXPOST_TOKEN needs --url or VOXPOST_URL beside it".into()))?;
            let client = self.builder(&url, session.as_ref())?.token(token).build()?;
            return Ok(SignedIn {
                client,
                session: None,
            });
        }
        let session = self.session()?.ok_or(Failure::NotSignedIn)?;
        let url = self.url.clone().unwrap_or_else(|| session.url.clone());
        // A token is for the server that gave it, and is not shown to another one.
        if url.trim_end_matches('/') != session.url.trim_end_matches('/') {
            return Err(Failure::NotSignedIn);
        }
        let client = self
            .builder(&url, Some(&session))?
            .token(&session.token)
            .build()?;
        Ok(SignedIn {
            client,
            session: Some(session),
        })
    }

    /// A client without a token, for `url` or else the server that the caller knows.
    pub(crate) fn anonymous(&self, url: &str) -> Result<Client, Failure> {
        let session = self.session().ok().flatten();
        Ok(self.builder(url, session.as_ref())?.build()?)
    }

    fn builder(
        &self,
        url: &str,
        session: Option<&Session>,
    ) -> Result<voxpost_client::ClientBuilder, Failure> {
        let builder = Client::builder(url);
        let kept = session.filter(|session| session.url == url.trim_end_matches('/'));
        let kept = kept
            .and_then(|session| session.trust.as_deref())
            .map(str::parse)
            .transpose();
        let kept =
            kept.map_err(|error: voxpost_client::InvalidFingerprint| Failure::Usage(error.to_string()))?;
        Ok(match self.trust.or(kept) {
            Some(fingerprint) => builder.trust(fingerprint),
            None => builder,
        })
    }
}

/// The token is taken from the environment only: command lines are seen by everybody on the machine.
pub(crate) fn token_from_environment() -> Option<String> {
    std::env::var("VOXPOST_TOKEN")
        .ok()
        .filter(|token| !token.is_empty())
}
