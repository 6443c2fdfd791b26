//! Passwords: argon2id, away from the async threads, a few at a time.

use std::sync::{Arc, OnceLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use tokio::sync::Semaphore;

use crate::clock;
use crate::error::{ApiError, ApiResult};

/// How many are computed at the same time: each takes 19 MiB and a core for about 30 ms.
const RUNNING: usize = 2;

/// How many may be waiting or running; beyond it callers are told to come again.
const PLACES: usize = 128;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// What the password of somebody who does not exist is checked against.
    nobody: Arc<OnceLock<String>>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(RUNNING)),
            places: Arc::new(Semaphore::new(PLACES)),
            nobody: Arc::new(OnceLock::new()),
        }
    }

    /// The PHC string to keep.
    pub(crate) async fn hash(&self, password: String) -> ApiResult<String> {
        self.run(move || hash(password.as_bytes())).await?
    }

    /// Whether `password` is the one that was hashed. With nothing to check against (nobody of that name, or somebody
    /// without a password) it takes as long and is false: the time must not tell whether a name exists.
    pub(crate) async fn verify(&self, password: String, kept: Option<String>) -> ApiResult<bool> {
        let nobody = Arc::clone(&self.nobody);
        self.run(move || {
            let hash = match &kept {
                Some(hash) => hash,
                None => match nobody.get() {
                    Some(hash) => hash,
                    None => {
                        let made = hash(&clock::random::<32>())?;
                        nobody.get_or_init(|| made)
                    }
                },
            };
            let hash = PasswordHash::new(hash).map_err(ApiError::internal)?;
            let fits = Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok();
            Ok(fits && kept.is_some())
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            ApiError::unavailable("Too many people are signing in at this moment. Try again.").retry_after(2)
        })?;
        let turn = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(ApiError::internal)?;
        // The permits go along: who hangs up while it runs must not make room for another.
        tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            job()
        })
        .await
        .map_err(ApiError::internal)
    }
}

fn hash(password: &[u8]) -> ApiResult<String> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use voxpost_proto::ErrorCode;

    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_none() {
        let passwords = Passwords::new();
        let kept = passwords.hash("correct horse".into()).await.unwrap();
        assert!(kept.starts_with("$argon2id$"));
        let fits = async |password: &str, kept: Option<&String>| {
            passwords.verify(password.into(), kept.cloned()).await.unwrap()
        };
        assert!(fits("correct horse", Some(&kept)).await);
        assert!(!fits("correct horsf", Some(&kept)).await);
        assert!(!fits("correct horse", None).await);
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_again() {
        let passwords = Passwords::new();
        let _all = passwords
            .places
            .clone()
            .acquire_many_owned(PLACES as u32)
            .await
            .unwrap();
        let refused = passwords.hash("correct horse".into()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Unavailable);
        assert!(refused.problem().retry_after.is_some());
    }
}
