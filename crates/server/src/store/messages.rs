//! Voice messages as rows.

use sqlx::FromRow;
use uuid::Uuid;

use super::Conn;

/// A row of `messages` with its sender's names.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct MessageRow {
    pub(crate) id: Uuid,
    pub(crate) conversation_id: Uuid,
    pub(crate) seq: Option<i64>,
    pub(crate) version: i64,
    /// `recording`, `processing`, `ready`, `failed`, `deleted`.
    pub(crate) state: String,
    pub(crate) sender_id: Uuid,
    pub(crate) sender_username: String,
    pub(crate) sender_display_name: String,
    pub(crate) client_id: Option<Uuid>,
    pub(crate) content_hash: Option<Vec<u8>>,
    pub(crate) reply_to: Option<Uuid>,
    pub(crate) caption: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) truncated: bool,
    pub(crate) missing_ms: i64,
    /// JSON array.
    pub(crate) waveform: Option<String>,
    pub(crate) waveform_source: Option<String>,
    pub(crate) gain_db: Option<f64>,
    pub(crate) loudness_lufs: Option<f64>,
    /// JSON array of pairs.
    pub(crate) speech: Option<String>,
    pub(crate) audio_key: Option<String>,
    pub(crate) audio_bytes: Option<i64>,
    pub(crate) audio_sha256: Option<String>,
    pub(crate) source_type: Option<String>,
    pub(crate) transcoded: bool,
    pub(crate) failure: Option<String>,
}

/// The columns of a [`MessageRow`], to be followed by a condition on `m`.
pub(crate) const SELECT: &str = "SELECT m.id, m.conversation_id, m.seq, m.version, m.state, m.sender_id, \
    u.username AS sender_username, u.display_name AS sender_display_name, m.client_id, m.content_hash, m.reply_to, \
    m.caption, m.created_at, m.duration_ms, m.truncated, m.missing_ms, m.waveform, m.waveform_source, m.gain_db, \
    m.loudness_lufs, m.speech, m.audio_key, m.audio_bytes, m.audio_sha256, m.source_type, m.transcoded, m.failure \
    FROM messages m JOIN users u ON u.id = m.sender_id ";

/// By id, whatever its state.
pub(crate) async fn by_id(c: &mut Conn, id: Uuid) -> sqlx::Result<Option<MessageRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE m.id = $1")))
        .bind(id)
        .fetch_optional(c)
        .await
}
