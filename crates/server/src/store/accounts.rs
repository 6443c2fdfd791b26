//! Users and their sessions.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::{Me, User};

use super::Conn;

/// A row of `users`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) display_name: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) accepts_voice: bool,
    pub(crate) sends_played_receipts: bool,
    pub(crate) locale: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) deleted_at: Option<i64>,
}

const USER: &str = "id, username, display_name, password_hash, accepts_voice, sends_played_receipts, locale, created_at, deleted_at";

impl UserRow {
    pub(crate) fn user(&self) -> User {
        User {
            id: self.id,
            username: self.username.clone(),
            display_name: self.display_name.clone(),
        }
    }

    pub(crate) fn me(&self) -> Me {
        Me {
            id: self.id,
            username: self.username.clone(),
            display_name: self.display_name.clone(),
            accepts_voice: self.accepts_voice,
            sends_played_receipts: self.sends_played_receipts,
            locale: self.locale.clone(),
            created_at: Timestamp::from_millis(self.created_at),
        }
    }
}

/// Adds a local account; false when the name is taken.
pub(crate) async fn insert(
    c: &mut Conn,
    user: &User,
    password_hash: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO users (id, username, display_name, password_hash, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (username) DO NOTHING",
    )
    .bind(user.id)
    .bind(&user.username)
    .bind(&user.display_name)
    .bind(password_hash)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// By name, among those that are not deleted.
pub(crate) async fn by_username(c: &mut Conn, username: &str) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE username = $1 AND deleted_at IS NULL"
    )))
    .bind(username)
    .fetch_optional(c)
    .await
}

/// By id, deleted or not.
pub(crate) async fn by_id(c: &mut Conn, id: Uuid) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE id = $1"
    )))
    .bind(id)
    .fetch_optional(c)
    .await
}

/// Adds a session.
pub(crate) async fn insert_session(
    c: &mut Conn,
    id: Uuid,
    user_id: Uuid,
    device: (Uuid, Option<&str>),
    token_hash: &[u8],
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO sessions (id, user_id, device_id, device_name, token_hash, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(id)
    .bind(user_id)
    .bind(device.0)
    .bind(device.1)
    .bind(token_hash)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(())
}

/// (session, user) behind the hash of a token.
pub(crate) async fn session_by_token(c: &mut Conn, token_hash: &[u8]) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    sqlx::query_as("SELECT id, user_id FROM sessions WHERE token_hash = $1")
        .bind(token_hash)
        .fetch_optional(c)
        .await
}
