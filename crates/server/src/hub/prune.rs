//! Takes events out of the log that are older than the log is kept.

use std::time::Duration;

use crate::app::App;
use crate::clock;
use crate::error::ApiError;
use crate::store::events;

const EVERY: Duration = Duration::from_secs(10 * 60);

/// How many events one write takes away.
const BATCH: i64 = 2_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) async fn run(app: App) {
    loop {
        if let Err(error) = prune(&app).await {
            tracing::warn!(code = error.code().as_str(), "old events were not pruned");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Takes away all that is too old now.
pub(super) async fn prune(app: &App) -> Result<(), ApiError> {
    let cutoff = clock::now().plus_millis(-DAY_MS.saturating_mul(i64::from(app.config.event_days)));
    loop {
        let pruned = app
            .store
            .write(move |c| {
                Box::pin(async move { Ok::<_, ApiError>(events::prune(c, cutoff, BATCH).await?) })
            })
            .await?;
        if pruned == 0 {
            return Ok(());
        }
    }
}
