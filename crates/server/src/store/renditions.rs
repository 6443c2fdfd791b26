//! What was made of messages on demand. A row is written after its object, and only while there is a message.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::{Conn, deletions};

/// A rendition that is stored.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Made {
    pub(crate) key: String,
    pub(crate) bytes: i64,
    /// Lower-case hex.
    pub(crate) sha256: String,
}

/// The rendition in this format, if it was made.
pub(crate) async fn find(c: &mut Conn, message_id: Uuid, format: &str) -> sqlx::Result<Option<Made>> {
    sqlx::query_as("SELECT key, bytes, sha256 FROM renditions WHERE message_id = $1 AND format = $2")
        .bind(message_id)
        .bind(format)
        .fetch_optional(c)
        .await
}

/// Keeps one whose object is stored. False when its message was deleted meanwhile: then the object is to be deleted.
pub(crate) async fn keep(
    c: &mut Conn,
    message_id: Uuid,
    format: &str,
    made: &Made,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO renditions (message_id, format, key, bytes, sha256)
         SELECT id, $2, $3, $4, $5 FROM messages WHERE id = $1 AND audio_key IS NOT NULL
         ON CONFLICT (message_id, format) DO UPDATE
         SET key = excluded.key, bytes = excluded.bytes, sha256 = excluded.sha256",
    )
    .bind(message_id)
    .bind(format)
    .bind(&made.key)
    .bind(made.bytes)
    .bind(&made.sha256)
    .execute(&mut *c)
    .await?;
    let kept = done.rows_affected() == 1;
    if !kept {
        deletions::add(c, &made.key, now).await?;
    }
    Ok(kept)
}

/// Forgets one whose object is not there any more.
pub(crate) async fn forget(c: &mut Conn, message_id: Uuid, format: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM renditions WHERE message_id = $1 AND format = $2")
        .bind(message_id)
        .bind(format)
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets all of a message; their objects are to be deleted.
pub(crate) async fn forget_message(c: &mut Conn, message_id: Uuid, now: Timestamp) -> sqlx::Result<()> {
    let keys: Vec<String> = sqlx::query_scalar("DELETE FROM renditions WHERE message_id = $1 RETURNING key")
        .bind(message_id)
        .fetch_all(&mut *c)
        .await?;
    for key in keys {
        deletions::add(c, &key, now).await?;
    }
    Ok(())
}
