//! What can go wrong, by what a caller can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use voxpost_proto::{ErrorCode, Problem};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server understood and refused; [`Problem::code`] decides what to do.
    #[error("{}: {}", .problem.title, .problem.detail)]
    Refused {
        /// What the server said.
        problem: Box<Problem>,
        /// How long it asked to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// No answer: the address is wrong, nothing listens there, or the network broke.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// Which server.
        url: String,
        /// The innermost cause.
        reason: String,
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// The server's certificate is not trusted.
    #[error("the certificate of {url} is not trusted: {reason}")]
    Untrusted {
        /// Which server.
        url: String,
        /// Which check failed.
        reason: String,
    },
    /// Something answered, but not as a Voxpost server does.
    #[error("{url} does not answer like a Voxpost server: {reason}")]
    Unexpected {
        /// Which server.
        url: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// What arrived is not what the server has: the SHA-256 digests differ.
    #[error("the sound arrived damaged: its SHA-256 is {actual}, not {expected}")]
    Damaged {
        /// What the message says.
        expected: String,
        /// Of the bytes that arrived.
        actual: String,
    },
    /// A file could not be read, or the place to write to did not take the bytes.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server's address is no `http://` or `https://` URL.
    #[error("{0:?} is not an http:// or https:// address")]
    InvalidUrl(String),
    /// This machine cannot make a secure connection.
    #[error("TLS is not available: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system gives no randomness for ids.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl Error {
    /// The stable code when the server refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { problem, .. } => Some(problem.code),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused { problem, .. } => {
                matches!(problem.code, ErrorCode::Unavailable | ErrorCode::RateLimited)
            }
            Self::Unreachable { .. } => true,
            _ => false,
        }
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn unexpected(url: &impl ToString, reason: impl Into<String>) -> Self {
        Self::Unexpected {
            url: url.to_string(),
            reason: reason.into(),
        }
    }

    /// Sorts an error of the HTTP client: certificate or network.
    pub(crate) fn from_http(url: &impl ToString, error: &reqwest::Error) -> Self {
        let url = url.to_string();
        if let Some(reason) = certificate_problem(error) {
            return Self::Untrusted { url, reason };
        }
        Self::Unreachable {
            url,
            reason: innermost(error),
            sent: !error.is_connect(),
        }
    }
}

/// What rustls found wrong with a certificate, when that is at the bottom of an error.
pub(crate) fn certificate_problem(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    chain(error).find_map(|cause| {
        let found = cause.downcast_ref::<rustls::Error>().or_else(|| {
            cause
                .downcast_ref::<io::Error>()?
                .get_ref()?
                .downcast_ref::<rustls::Error>()
        })?;
        matches!(found, rustls::Error::InvalidCertificate(_)).then(|| found.to_string())
    })
}

/// The text at the bottom of an error: the rest only repeats the address.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
