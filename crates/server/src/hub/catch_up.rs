//! Reading the log as one person: what a socket does before it is live and when it was too slow, and what sync answers.

use uuid::Uuid;

use crate::app::App;
use crate::render::{self, Rendered};
use crate::store::{StoreError, events};

/// How many ids one statement looks through, so that somebody who was away for a month does not hold a connection for long.
const WINDOW: i64 = 20_000;

/// A stretch of the log.
pub(crate) struct Page {
    /// What this person sees of it, in commit order.
    pub(crate) events: Vec<Rendered>,
    /// Everything up to and with this event is in this page or before it.
    pub(crate) upto: i64,
    /// Whether the log goes on.
    pub(crate) more: bool,
}

/// Why the log cannot be read from there.
#[derive(Debug)]
pub(crate) enum CatchUpError {
    /// What came after was pruned, or that place was never reached (another database, an older backup).
    ResyncRequired,
    Store(StoreError),
}

impl From<StoreError> for CatchUpError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for CatchUpError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The newest event there is.
pub(crate) async fn newest(app: &App) -> Result<i64, StoreError> {
    let mut c = app.store.read().await?;
    Ok(events::bounds(&mut c).await?.1)
}

/// What `user_id` sees after event `from`, at most `limit` events.
pub(crate) async fn page(app: &App, user_id: Uuid, from: i64, limit: i64) -> Result<Page, CatchUpError> {
    let mut c = app.store.read().await?;
    // One writer gives the ids in commit order: once the newest is seen, everything before it is too.
    let (floor, newest) = events::bounds(&mut c).await?;
    if from < floor || from > newest {
        return Err(CatchUpError::ResyncRequired);
    }
    let mut upto = from;
    let mut rows = Vec::new();
    while rows.is_empty() && upto < newest {
        let end = newest.min(upto + WINDOW);
        rows = events::visible(&mut c, user_id, upto, end, limit).await?;
        upto = match rows.last() {
            Some(last) if rows.len() as i64 == limit => last.id,
            _ => end,
        };
    }
    let events = render::events(&mut c, &app.keys, app.hub.tokens, &rows).await?;
    Ok(Page {
        events,
        upto,
        more: upto < newest,
    })
}
