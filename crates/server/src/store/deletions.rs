//! Objects to delete. A row is written in the transaction that makes its object unneeded, and goes when the object is gone.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;

/// Adds an object.
pub(crate) async fn add(c: &mut Conn, key: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO object_deletions (key, due_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
        .bind(key)
        .bind(now.millis())
        .execute(c)
        .await?;
    Ok(())
}

/// What is due, oldest first: (key, attempts until now).
pub(crate) async fn due(c: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT key, attempts FROM object_deletions WHERE due_at <= $1 ORDER BY due_at LIMIT $2")
        .bind(now.millis())
        .bind(limit)
        .fetch_all(c)
        .await
}

/// Forgets one that is gone.
pub(crate) async fn done(c: &mut Conn, key: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM object_deletions WHERE key = $1")
        .bind(key)
        .execute(c)
        .await?;
    Ok(())
}

/// Puts one off that could not be deleted.
pub(crate) async fn put_off(c: &mut Conn, key: &str, until: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE object_deletions SET due_at = $2, attempts = attempts + 1 WHERE key = $1")
        .bind(key)
        .bind(until.millis())
        .execute(c)
        .await?;
    Ok(())
}

/// Whether a message has this object, as its own or as a rendition.
pub(crate) async fn is_needed(c: &mut Conn, message_id: Uuid, key: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM messages WHERE id = $1 AND audio_key = $2)
             OR EXISTS (SELECT 1 FROM renditions WHERE message_id = $1 AND key = $2)",
    )
    .bind(message_id)
    .bind(key)
    .fetch_one(c)
    .await
}
