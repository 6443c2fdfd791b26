//! What went wrong, with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use voxpost_client::{Error, ErrorCode};

use crate::exit::Exit;

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Client(#[from] Error),
    #[error("{0}")]
    WrongPassword(String),
    #[error("not signed in")]
    NotSignedIn,
    #[error("there is no {0}")]
    NotFound(String),
    #[error("{0}")]
    Usage(String),
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("{}: {reason}", .path.display())]
    NotSound { path: PathBuf, reason: String },
    /// Each file's own failure was reported already.
    #[error("{failed} of {total} files were not sent")]
    SomeNotSent { failed: usize, total: usize, exit: Exit },
    /// Each check's own failure was reported already.
    #[error("{failed} of {total} checks failed")]
    ChecksFailed { failed: usize, total: usize, exit: Exit },
    #[error("interrupted")]
    Interrupted,
    /// Whoever reads our output has gone; nothing to complain about.
    #[error("the reader of the output has gone")]
    ReaderGone,
    #[error("{0}")]
    Other(String),
}

impl Failure {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "made for map_err, which gives the error away"
    )]
    pub(crate) fn other(error: impl ToString) -> Self {
        Self::Other(error.to_string())
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => match error {
                Error::Refused { problem, .. } => Exit::of(problem.code),
                Error::Unreachable { .. } | Error::Untrusted { .. } | Error::Unexpected { .. } => {
                    Exit::Unreachable
                }
                Error::File { .. } => Exit::File,
                Error::InvalidUrl(_) => Exit::Usage,
                _ => Exit::Failure,
            },
            Self::NotSignedIn | Self::WrongPassword(_) => Exit::NotSignedIn,
            Self::NotFound(_) => Exit::NotFound,
            Self::Usage(_) => Exit::Usage,
            Self::File { .. } | Self::Exists(_) | Self::NotSound { .. } => Exit::File,
            Self::SomeNotSent { exit, .. } | Self::ChecksFailed { exit, .. } => *exit,
            Self::Interrupted => Exit::Interrupted,
            Self::ReaderGone => Exit::Ok,
            Self::Other(_) => Exit::Failure,
        }
    }

    /// A stable word for scripts: the server's own code where it refused.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Client(Error::Refused { problem, .. }) => problem.code.as_str(),
            Self::Client(Error::Untrusted { .. }) => "untrusted_certificate",
            Self::Client(Error::Damaged { .. }) => "damaged",
            Self::WrongPassword(_) => "unauthenticated",
            Self::Interrupted => "interrupted",
            Self::Exists(_) => "file_exists",
            Self::NotSound { .. } => "no_sound",
            _ => match self.exit() {
                Exit::Usage => "usage",
                Exit::NotSignedIn => "not_signed_in",
                Exit::NotFound => "not_found",
                Exit::Unreachable => "unreachable",
                Exit::File => "file",
                _ => "failure",
            },
        }
    }

    /// What to do about it: the command or the flag that changes it.
    pub(crate) fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::NotSignedIn => {
                "sign in with `voxpost login URL USERNAME`, or set VOXPOST_URL and VOXPOST_TOKEN"
            }
            Self::WrongPassword(_) => "check the name and the password; `--sign-up` makes a new account",
            Self::Exists(_) => "choose another name with --output, or overwrite it with --force",
            Self::Client(Error::Unreachable { .. }) => {
                "check the address (--url or VOXPOST_URL) and that the server runs"
            }
            Self::Client(Error::Untrusted { .. }) => {
                "if the server made its own certificate, pass the fingerprint that it prints to --trust"
            }
            Self::Client(Error::Unexpected { .. }) => "check the address (--url or VOXPOST_URL)",
            Self::Client(Error::InvalidUrl(_)) => {
                "write it like https://voice.example.org or http://127.0.0.1:8080"
            }
            Self::Client(Error::Refused { problem, .. }) if problem.code == ErrorCode::Unauthenticated => {
                "sign in again with `voxpost login URL USERNAME`"
            }
            Self::Client(Error::Refused { problem, .. }) => problem.code.advice(),
            _ => return None,
        };
        Some(advice.to_owned())
    }
}

impl From<io::Error> for Failure {
    /// Only output to the terminal fails with a bare I/O error; files come with their path.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::File {
                path: "standard output".into(),
                source: error,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use voxpost_client::Problem;

    use super::*;

    fn refused(code: ErrorCode) -> Failure {
        Error::Refused {
            problem: Box::new(Problem::new(code, "because")),
            retry_after: None,
        }
        .into()
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for &code in ErrorCode::ALL {
            assert!(
                refused(code).advice().is_some_and(|advice| !advice.is_empty()),
                "{code:?}"
            );
            assert_eq!(refused(code).code(), code.as_str());
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_but_a_full_disk_is() {
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.exit(), Exit::Ok);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::File);
    }
}
