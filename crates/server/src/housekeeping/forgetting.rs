//! What need not be kept for ever: old events, and the first answers of old requests.

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::old;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const ANSWER_DAYS: i64 = 7;

/// Rows in one transaction: little enough that nobody's message waits for it.
const BATCH: i64 = 500;

/// Forgets what is old, batch by batch.
pub(super) async fn forget(app: &App) -> ApiResult<()> {
    let now = clock::now();
    let answers = now.plus_millis(-ANSWER_DAYS * DAY_MS);
    let events = now.plus_millis(-i64::from(app.config.event_days) * DAY_MS);
    loop {
        let gone = app
            .store
            .write(move |c| {
                Box::pin(async move {
                    Ok::<_, ApiError>(
                        old::answers(c, answers, BATCH).await? + old::events(c, events, BATCH).await?,
                    )
                })
            })
            .await?;
        if gone == 0 {
            return Ok(());
        }
    }
}
