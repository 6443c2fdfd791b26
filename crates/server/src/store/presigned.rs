//! Uploads whose bytes may be in the object store, put there by a link.

use uuid::Uuid;

use super::Conn;

/// Whether there is one.
pub(crate) async fn exists(c: &mut Conn, upload_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM presigned_uploads WHERE upload_id = $1)")
        .bind(upload_id)
        .fetch_one(c)
        .await
}
