//! Uploads that can be resumed, as rows. What may happen to one next is the [machine's](voxpost_proto::upload::Upload)
//! business; a row is where it is kept between two steps.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::upload::Upload;

use super::Conn;

/// A row of `uploads`.
#[derive(Clone, Debug, Default, PartialEq, FromRow)]
pub(crate) struct UploadRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) conversation_id: Option<Uuid>,
    pub(crate) client_id: Option<Uuid>,
    pub(crate) reply_to: Option<Uuid>,
    pub(crate) caption: Option<String>,
    pub(crate) metadata: Option<String>,
    /// `receiving`, `ingesting`, `sent`, `failed`, `held`, `expired`.
    pub(crate) state: String,
    pub(crate) length: Option<i64>,
    pub(crate) acked: i64,
    pub(crate) lease: i64,
    pub(crate) sha256: Option<Vec<u8>>,
    pub(crate) message_id: Option<Uuid>,
    pub(crate) failure: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) expires_at: i64,
}

impl UploadRow {
    /// What is promised about it.
    pub(crate) fn machine(&self) -> Upload {
        Upload {
            length: self.length.map(i64::unsigned_abs),
            offset: self.acked.unsigned_abs(),
            lease: self.lease.unsigned_abs(),
            finished: self.state != "receiving",
            expires_at: Timestamp::from_millis(self.expires_at),
        }
    }

    /// Takes over what the machine says; its state is the caller's business.
    pub(crate) fn set_machine(&mut self, machine: &Upload) {
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.length = machine.length.map(signed);
        self.acked = signed(machine.offset);
        self.lease = signed(machine.lease);
        self.expires_at = machine.expires_at.millis();
    }

    /// Whether it came to its end unfinished, swept up or not.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        let rests = matches!(self.state.as_str(), "receiving" | "held");
        self.state == "expired" || (rests && now.millis() >= self.expires_at)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, conversation_id, client_id, reply_to, caption, metadata, state, length, acked, lease, ",
            "sha256, message_id, failure, created_at, updated_at, expires_at FROM uploads ",
            $rest
        )
    };
}

/// A new upload.
pub(crate) async fn insert(c: &mut Conn, row: &UploadRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO uploads (id, user_id, conversation_id, client_id, reply_to, caption, metadata, state, length, acked,
             lease, sha256, message_id, failure, created_at, updated_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(row.id)
    .bind(row.user_id)
    .bind(row.conversation_id)
    .bind(row.client_id)
    .bind(row.reply_to)
    .bind(&row.caption)
    .bind(&row.metadata)
    .bind(&row.state)
    .bind(row.length)
    .bind(row.acked)
    .bind(row.lease)
    .bind(&row.sha256)
    .bind(row.message_id)
    .bind(&row.failure)
    .bind(row.created_at)
    .bind(row.updated_at)
    .bind(row.expires_at)
    .execute(c)
    .await?;
    Ok(())
}

/// Writes all that can change; false when it is gone.
pub(crate) async fn save(c: &mut Conn, row: &UploadRow) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE uploads SET conversation_id = $2, client_id = $3, reply_to = $4, caption = $5, state = $6, length = $7,
             acked = $8, lease = $9, sha256 = $10, message_id = $11, failure = $12, updated_at = $13, expires_at = $14
         WHERE id = $1",
    )
    .bind(row.id)
    .bind(row.conversation_id)
    .bind(row.client_id)
    .bind(row.reply_to)
    .bind(&row.caption)
    .bind(&row.state)
    .bind(row.length)
    .bind(row.acked)
    .bind(row.lease)
    .bind(&row.sha256)
    .bind(row.message_id)
    .bind(&row.failure)
    .bind(row.updated_at)
    .bind(row.expires_at)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Of this person alone: anybody else finds nothing.
pub(crate) async fn of_user(c: &mut Conn, user_id: Uuid, id: Uuid) -> sqlx::Result<Option<UploadRow>> {
    sqlx::query_as(select!("WHERE id = $1 AND user_id = $2"))
        .bind(id)
        .bind(user_id)
        .fetch_optional(c)
        .await
}

/// Whoever it belongs to.
pub(crate) async fn by_id(c: &mut Conn, id: Uuid) -> sqlx::Result<Option<UploadRow>> {
    sqlx::query_as(select!("WHERE id = $1"))
        .bind(id)
        .fetch_optional(c)
        .await
}

/// Whole uploads of which the message was not made when the process ended.
pub(crate) async fn ingesting(c: &mut Conn) -> sqlx::Result<Vec<UploadRow>> {
    sqlx::query_as(select!("WHERE state = 'ingesting' ORDER BY updated_at"))
        .fetch_all(c)
        .await
}

/// Uploads that have all their bytes since before `then`, and whose sender has not come to say so: (owner, upload).
pub(crate) async fn whole(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    sqlx::query_as(
        "SELECT user_id, id FROM uploads
         WHERE state = 'receiving' AND acked = length AND conversation_id IS NOT NULL AND updated_at < $1 LIMIT $2",
    )
    .bind(then.millis())
    .bind(limit)
    .fetch_all(c)
    .await
}

/// How many uploads of this person wait for bytes or for a conversation.
pub(crate) async fn open_of_user(c: &mut Conn, user_id: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM uploads WHERE user_id = $1 AND state IN ('receiving', 'held')")
        .bind(user_id)
        .fetch_one(c)
        .await
}

/// Bytes that are kept for uploads.
pub(crate) async fn staged_bytes(c: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT COALESCE(SUM(acked), 0) FROM uploads WHERE state IN ('receiving', 'ingesting', 'held')",
    )
    .fetch_one(c)
    .await
}

/// The ids of all uploads that still have a file.
pub(crate) async fn with_file(c: &mut Conn) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("SELECT id FROM uploads WHERE state IN ('receiving', 'ingesting', 'held')")
        .fetch_all(c)
        .await
}

/// Ends uploads that rested for too long, at most `limit`; returns their ids.
pub(crate) async fn expire(c: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "UPDATE uploads SET state = 'expired', lease = lease + 1, updated_at = $1 WHERE id IN
             (SELECT id FROM uploads WHERE expires_at <= $1 AND state IN ('receiving', 'held') LIMIT $2)
         RETURNING id",
    )
    .bind(now.millis())
    .bind(limit)
    .fetch_all(c)
    .await
}

/// Forgets uploads that came to an end before `then`, at most `limit`; returns how many.
pub(crate) async fn forget(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "DELETE FROM uploads WHERE id IN
             (SELECT id FROM uploads WHERE expires_at < $1 AND state IN ('sent', 'failed', 'expired') LIMIT $2)",
    )
    .bind(then.millis())
    .bind(limit)
    .execute(c)
    .await?;
    Ok(done.rows_affected())
}

/// Removes one; false when it is gone already.
pub(crate) async fn delete(c: &mut Conn, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM uploads WHERE id = $1")
        .bind(id)
        .execute(c)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes all of a person; returns their ids.
pub(crate) async fn forget_person(c: &mut Conn, user_id: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("DELETE FROM uploads WHERE user_id = $1 RETURNING id")
        .bind(user_id)
        .fetch_all(c)
        .await
}

/// One more attempt at making the message; returns how many that makes.
pub(crate) async fn count_attempt(c: &mut Conn, id: Uuid) -> sqlx::Result<i64> {
    let attempts =
        sqlx::query_scalar("UPDATE uploads SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts")
            .bind(id)
            .fetch_optional(c)
            .await?;
    Ok(attempts.unwrap_or(i64::MAX))
}
