//! The first answers of old requests and sessions that nobody uses need not be kept for ever.

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::{idempotency, sessions};

const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Rows in one transaction: little enough that nobody's message waits for it.
const BATCH: i64 = 500;

/// Forgets what is old, batch by batch.
pub(super) async fn forget(app: &App) -> ApiResult<()> {
    let then = clock::now().plus_millis(-KEPT_MS);
    loop {
        let gone = app
            .store
            .write(move |c| {
                Box::pin(async move { Ok::<_, ApiError>(idempotency::forget(c, then, BATCH).await?) })
            })
            .await?;
        if gone == 0 {
            break;
        }
    }
    // They are refused already; this only clears them away.
    let idle = clock::now().plus_millis(-app.config.session_idle_ms());
    loop {
        let gone = app
            .store
            .write(move |c| {
                Box::pin(async move { Ok::<_, ApiError>(sessions::delete_idle(c, idle, BATCH).await?) })
            })
            .await?;
        if gone == 0 {
            return Ok(());
        }
    }
}
