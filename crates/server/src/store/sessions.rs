//! Sessions: one for each device that is signed in. Of the token only a hash is kept.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::SessionInfo;

use super::Conn;

/// The most sessions of one person; a further one ends the one that was used longest ago.
const MAX_PER_USER: i64 = 100;

/// A session to make.
pub(crate) struct NewSession<'a> {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) device_id: Uuid,
    pub(crate) device_name: Option<&'a str>,
    pub(crate) token_hash: &'a [u8],
}

/// Adds a session and returns those that had to end for it.
pub(crate) async fn insert(c: &mut Conn, new: &NewSession<'_>, now: Timestamp) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query(
        "INSERT INTO sessions (id, user_id, device_id, device_name, token_hash, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(new.id)
    .bind(new.user_id)
    .bind(new.device_id)
    .bind(new.device_name)
    .bind(new.token_hash)
    .bind(now.millis())
    .execute(&mut *c)
    .await?;
    sqlx::query_scalar(
        "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN
             (SELECT id FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC, id DESC LIMIT $2)
         RETURNING id",
    )
    .bind(new.user_id)
    .bind(MAX_PER_USER)
    .fetch_all(c)
    .await
}

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct SessionRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) last_used_at: i64,
}

/// The session behind the hash of a token.
pub(crate) async fn by_token(c: &mut Conn, token_hash: &[u8]) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as("SELECT id, user_id, last_used_at FROM sessions WHERE token_hash = $1")
        .bind(token_hash)
        .fetch_optional(c)
        .await
}

/// Whether a session is still there.
pub(crate) async fn exists(c: &mut Conn, id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sessions WHERE id = $1)")
        .bind(id)
        .fetch_one(c)
        .await
}

#[derive(FromRow)]
struct InfoRow {
    id: Uuid,
    device_id: Uuid,
    device_name: Option<String>,
    created_at: i64,
    last_used_at: i64,
}

/// Everything that a person is signed in with, used last first.
pub(crate) async fn list(
    c: &mut Conn,
    user_id: Uuid,
    current: Option<Uuid>,
) -> sqlx::Result<Vec<SessionInfo>> {
    let rows: Vec<InfoRow> = sqlx::query_as(
        "SELECT id, device_id, device_name, created_at, last_used_at FROM sessions
         WHERE user_id = $1 ORDER BY last_used_at DESC, id DESC",
    )
    .bind(user_id)
    .fetch_all(c)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SessionInfo {
            id: row.id,
            device_id: row.device_id,
            device_name: row.device_name,
            created_at: Timestamp::from_millis(row.created_at),
            last_used_at: Timestamp::from_millis(row.last_used_at),
            current: current == Some(row.id),
        })
        .collect())
}

/// Ends one session of a person; false when they have no such one.
pub(crate) async fn delete(c: &mut Conn, id: Uuid, user_id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM sessions WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user_id)
        .execute(c)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends every session of a person but `keep`.
pub(crate) async fn delete_others(c: &mut Conn, user_id: Uuid, keep: Option<Uuid>) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id IS NOT $2")
        .bind(user_id)
        .bind(keep)
        .execute(c)
        .await?;
    Ok(())
}

/// Notes that a session was used.
pub(crate) async fn touch(c: &mut Conn, id: Uuid, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE sessions SET last_used_at = MAX(last_used_at, $2) WHERE id = $1")
        .bind(id)
        .bind(now.millis())
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets sessions that were last used before `then`, at most `limit` at a time; returns how many.
pub(crate) async fn delete_idle(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_used_at < $1 LIMIT $2)",
    )
    .bind(then.millis())
    .bind(limit)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}
