//! Why an object could not be written or read.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

/// A failure of the object store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The disk is full, or the quota used up.
    #[error("the object store is full")]
    Full,
    /// It cannot be used right now.
    #[error("the object store is not available: {0}")]
    Unavailable(String),
    /// A store over the network does not answer as it should; ask again after some seconds.
    #[error("the object store is away: {reason}")]
    Away { reason: String, retry_after: u64 },
}

impl BlobError {
    /// From the local disk's store.
    #[expect(clippy::needless_pass_by_value, reason = "it stands behind `map_err`")]
    pub(super) fn local(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::NotFound;
        }
        // The store wraps the system's error a few times; it alone tells a full disk from a broken one.
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(found) = cause {
            if found.downcast_ref::<io::Error>().is_some_and(is_full) {
                return Self::Full;
            }
            cause = found.source();
        }
        Self::Unavailable(error.to_string())
    }
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            Self::Full
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
