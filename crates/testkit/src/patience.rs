//! Waiting for conditions, never for a guessed time.

use std::future::Future;
use std::time::Duration;

/// How long anything may take in a test before it counts as never: generous, since machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Awaits `future`; panics with `what` when it takes longer than [`PATIENCE`].
pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("gave up after {PATIENCE:?} waiting for {what}"),
    }
}

/// Asks `probe` again and again until it gives a value; for conditions that nobody announces.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    patiently(what, async {
        loop {
            pace.tick().await;
            if let Some(value) = probe().await {
                return value;
            }
        }
    })
    .await
}
