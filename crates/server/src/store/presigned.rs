//! Uploads whose bytes may be in the object store, put there by a link.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;

/// Adds one.
pub(crate) async fn insert(c: &mut Conn, upload_id: Uuid, expires_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO presigned_uploads (upload_id, expires_at) VALUES ($1, $2)")
        .bind(upload_id)
        .bind(expires_at.millis())
        .execute(c)
        .await?;
    Ok(())
}

/// Whether there is one.
pub(crate) async fn exists(c: &mut Conn, upload_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM presigned_uploads WHERE upload_id = $1)")
        .bind(upload_id)
        .fetch_one(c)
        .await
}

/// Forgets one whose bytes were taken or are not wanted any more.
pub(crate) async fn delete(c: &mut Conn, upload_id: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM presigned_uploads WHERE upload_id = $1")
        .bind(upload_id)
        .execute(c)
        .await?;
    Ok(())
}

/// Uploads that have come to an end, whatever it was.
pub(crate) async fn ended(c: &mut Conn, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT p.upload_id FROM presigned_uploads p LEFT JOIN uploads u ON u.id = p.upload_id
         WHERE u.id IS NULL OR u.state <> 'receiving' LIMIT $1",
    )
    .bind(limit)
    .fetch_all(c)
    .await
}
