//! The first answers of writes other than messages, by the caller's own id for the request.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;

/// What is known of a request that may be a repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// Nothing: go on, then [`remember`].
    New,
    /// The same request was done; this is what was remembered of its answer.
    Done(String),
    /// The id was used for another request.
    Different,
}

/// To be asked in the transaction that does the work, so that of two simultaneous requests one comes second.
pub(crate) async fn earlier(
    c: &mut Conn,
    user_id: Uuid,
    client_id: Uuid,
    request_hash: &[u8],
) -> sqlx::Result<Earlier> {
    let row: Option<(Vec<u8>, String)> =
        sqlx::query_as("SELECT request_hash, body FROM idempotency WHERE user_id = $1 AND client_id = $2")
            .bind(user_id)
            .bind(client_id)
            .fetch_optional(c)
            .await?;
    Ok(match row {
        None => Earlier::New,
        Some((hash, body)) if hash == request_hash => Earlier::Done(body),
        Some(_) => Earlier::Different,
    })
}

/// Keeps `body` for a repetition; in the same transaction as the work.
pub(crate) async fn remember(
    c: &mut Conn,
    user_id: Uuid,
    client_id: Uuid,
    request_hash: &[u8],
    body: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO idempotency (user_id, client_id, request_hash, body, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(user_id)
    .bind(client_id)
    .bind(request_hash)
    .bind(body)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(())
}

/// Forgets what was answered before `then`, at most `limit`; returns how many.
pub(crate) async fn forget(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<u64> {
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
