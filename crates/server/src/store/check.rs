//! Looking through the whole database, for `voxpost doctor`.

use std::collections::HashSet;

use sqlx::FromRow;
use uuid::Uuid;

use super::Conn;

/// The files of a message.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Sound {
    pub(crate) id: Uuid,
    pub(crate) audio_key: Option<String>,
    pub(crate) staging: Option<String>,
    /// A recording that has just ended: its object may not be stored yet, its log has it all.
    pub(crate) in_log: bool,
}

/// What the database itself finds wrong; empty when nothing is.
pub(crate) async fn integrity(c: &mut Conn) -> sqlx::Result<Vec<String>> {
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(c).await?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// Conversations whose messages are not numbered from 1 to `last_seq` without gaps.
pub(crate) async fn gaps(c: &mut Conn) -> sqlx::Result<Vec<String>> {
    let rows: Vec<(Uuid, i64, i64, i64)> = sqlx::query_as(
        "SELECT c.id, c.last_seq, COUNT(m.seq), COALESCE(MAX(m.seq), 0) FROM conversations c
         LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq IS NOT NULL
         GROUP BY c.id HAVING COUNT(m.seq) <> c.last_seq OR COALESCE(MAX(m.seq), 0) <> c.last_seq",
    )
    .fetch_all(c)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, last, count, highest)| {
            format!("{id}: last_seq {last}, {count} messages, the highest seq is {highest}")
        })
        .collect())
}

/// Every message with its files.
pub(crate) async fn sounds(c: &mut Conn) -> sqlx::Result<Vec<Sound>> {
    sqlx::query_as(
        "SELECT m.id, m.audio_key, m.staging, r.message_id IS NOT NULL AS in_log FROM messages m
         LEFT JOIN recordings r ON r.message_id = m.id AND r.state = 'finished'",
    )
    .fetch_all(c)
    .await
}

/// The messages whose object is in a folder, with its key.
pub(crate) async fn sounds_in(c: &mut Conn, folder: &str) -> sqlx::Result<Vec<(Uuid, String)>> {
    // The character after `/` is `0`.
    let end = format!("{}0", folder.trim_end_matches('/'));
    sqlx::query_as("SELECT id, audio_key FROM messages WHERE audio_key >= $1 AND audio_key < $2")
        .bind(folder)
        .bind(end)
        .fetch_all(c)
        .await
}

/// What this installation is called in a store that may serve others too.
pub(crate) async fn installation(c: &mut Conn) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = 'installation'")
        .fetch_one(c)
        .await
}

/// Objects that are renditions of messages.
pub(crate) async fn renditions(c: &mut Conn) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT key FROM renditions")
        .fetch_all(c)
        .await
}

/// Objects that are about to be deleted.
pub(crate) async fn deletions(c: &mut Conn) -> sqlx::Result<HashSet<String>> {
    let keys: Vec<String> = sqlx::query_scalar("SELECT key FROM object_deletions")
        .fetch_all(c)
        .await?;
    Ok(keys.into_iter().collect())
}
