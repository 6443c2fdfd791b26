//! Deleting rows that are older than they need to be.

use voxpost_proto::Timestamp;

use super::Conn;

/// Kept answers from before `then`, at most `limit`; returns how many.
pub(crate) async fn answers(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "DELETE FROM idempotency WHERE (user_id, client_id) IN
             (SELECT user_id, client_id FROM idempotency WHERE created_at < $1 LIMIT $2)",
    )
    .bind(then.millis())
    .bind(limit)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}

/// Events from before `then`, at most `limit`; returns how many. The newest event stays, so that the log never looks as if it
/// had just begun.
pub(crate) async fn events(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "DELETE FROM events WHERE id IN
             (SELECT id FROM events WHERE created_at < $1 AND id < (SELECT MAX(id) FROM events) ORDER BY id LIMIT $2)",
    )
    .bind(then.millis())
    .bind(limit)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}
