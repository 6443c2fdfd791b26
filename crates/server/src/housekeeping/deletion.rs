//! Deletes the objects of deleted messages: within seconds of the tombstone, also after a restart.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::deletions;

const BATCH: i64 = 256;

/// A store over the network takes some time for each.
const AT_ONCE: usize = 16;

/// The longest pause after failures: a sound is to be gone within a minute.
const LONGEST: Duration = Duration::from_secs(20);

/// Deletes everything that is due.
pub(super) async fn delete_due(app: &App) -> ApiResult<()> {
    loop {
        let due = {
            let mut c = app.store.read().await?;
            deletions::due(&mut c, clock::now(), BATCH).await?
        };
        if due.is_empty() {
            return Ok(());
        }
        let outcomes = stream::iter(due).map(|(key, attempts)| async move {
            let retry = match app.blobs.delete(&key).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::warn!(%error, attempts, "an object could not be deleted yet");
                    Some(pause(attempts))
                }
            };
            (key, retry)
        });
        let outcomes: Vec<_> = outcomes.buffer_unordered(AT_ONCE).collect().await;
        app.store
            .write(move |c| {
                Box::pin(async move {
                    let now = clock::now();
                    for (key, retry) in &outcomes {
                        match retry {
                            None => deletions::done(c, key).await?,
                            Some(ms) => deletions::put_off(c, key, now.plus_millis(*ms)).await?,
                        }
                    }
                    Ok::<_, ApiError>(())
                })
            })
            .await?;
    }
}

/// Milliseconds until the next attempt: 1 s, doubling.
fn pause(attempts: i64) -> i64 {
    let longest = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
    1000_i64
        .checked_shl(u32::try_from(attempts).unwrap_or(u32::MAX))
        .filter(|ms| *ms > 0)
        .unwrap_or(longest)
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(
            [0, 1, 2, 4, 5, 40, 70, i64::MAX].map(pause),
            [1000, 2000, 4000, 16000, 20000, 20000, 20000, 20000]
        );
    }
}
