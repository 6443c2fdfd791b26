//! Invites: codes that let one person each sign up. Only their hashes are kept.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;

/// Adds an invite.
pub(crate) async fn insert(
    c: &mut Conn,
    code_hash: &[u8],
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO invites (code_hash, created_at, expires_at) VALUES ($1, $2, $3)")
        .bind(code_hash)
        .bind(now.millis())
        .bind(expires_at.millis())
        .execute(c)
        .await?;
    Ok(())
}

/// Uses an invite up for `user_id`; false when it is unknown, used or expired.
pub(crate) async fn redeem(
    c: &mut Conn,
    code_hash: &[u8],
    user_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE invites SET used_by = $2 WHERE code_hash = $1 AND used_by IS NULL AND expires_at > $3",
    )
    .bind(code_hash)
    .bind(user_id)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether an invite could be redeemed; for a cheap refusal before anything costly.
pub(crate) async fn is_good(c: &mut Conn, code_hash: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM invites WHERE code_hash = $1 AND used_by IS NULL AND expires_at > $2)",
    )
    .bind(code_hash)
    .bind(now.millis())
    .fetch_one(c)
    .await
}
