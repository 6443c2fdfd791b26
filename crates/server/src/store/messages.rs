//! Voice messages as rows.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;
use super::deletions;
use super::events::{self, EventType, NewEvent};
use super::{playback, recordings, renditions};

/// A row of `messages` with its sender's names.
#[derive(Clone, Debug, Default, FromRow)]
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
    /// In state `processing`: the file below the data directory that holds the source.
    pub(crate) staging: Option<String>,
    /// `none`, `pending`, `done`, `failed`.
    pub(crate) analysis: String,
}

/// A statement that gives [`MessageRow`]s; `$rest` is a condition on `m`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.conversation_id, m.seq, m.version, m.state, m.sender_id, ",
            "u.username AS sender_username, u.display_name AS sender_display_name, m.client_id, m.content_hash, ",
            "m.reply_to, m.caption, m.created_at, m.duration_ms, m.truncated, m.missing_ms, m.waveform, ",
            "m.waveform_source, m.gain_db, m.loudness_lufs, m.speech, m.audio_key, m.audio_bytes, m.audio_sha256, ",
            "m.source_type, m.transcoded, m.failure, m.staging, m.analysis ",
            "FROM messages m JOIN users u ON u.id = m.sender_id ",
            $rest
        )
    };
}
pub(crate) use select;

/// By id, whatever its state.
pub(crate) async fn by_id(c: &mut Conn, id: Uuid) -> sqlx::Result<Option<MessageRow>> {
    sqlx::query_as(select!("WHERE m.id = $1"))
        .bind(id)
        .fetch_optional(c)
        .await
}

/// What the sender sent under this id of their own; a failed one has set its id free.
pub(crate) async fn by_client_id(
    c: &mut Conn,
    sender_id: Uuid,
    client_id: Uuid,
) -> sqlx::Result<Option<MessageRow>> {
    sqlx::query_as(select!(
        "WHERE m.sender_id = $1 AND m.client_id = $2 AND m.state <> 'failed'"
    ))
    .bind(sender_id)
    .bind(client_id)
    .fetch_optional(c)
    .await
}

/// Whether `user_id` sees (or saw, before it was deleted) this message in this very conversation.
pub(crate) async fn can_be_answered(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    id: Uuid,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM messages m JOIN memberships s
           ON s.conversation_id = m.conversation_id AND s.user_id = $2
          AND s.joined_seq < m.seq AND (s.left_seq IS NULL OR s.left_seq >= m.seq)
         WHERE m.id = $3 AND m.conversation_id = $1)",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(id)
    .fetch_one(c)
    .await
}

/// The next place in a conversation, if this person may still send to it.
async fn next_seq(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "UPDATE conversations SET last_seq = last_seq + 1, last_activity_at = $3
         WHERE id = $1
           AND EXISTS (SELECT 1 FROM memberships WHERE conversation_id = $1 AND user_id = $2 AND left_event IS NULL)
           AND NOT (kind = 'direct' AND EXISTS (
               SELECT 1 FROM memberships o JOIN users u ON u.id = o.user_id
               WHERE o.conversation_id = $1 AND o.user_id <> $2
                 AND (u.accepts_voice = 0 OR u.deleted_at IS NOT NULL)))
         RETURNING last_seq",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(now.millis())
    .fetch_optional(c)
    .await
}

async fn tell(c: &mut Conn, kind: EventType, row: &MessageRow, now: Timestamp) -> sqlx::Result<()> {
    let event = NewEvent {
        message_id: Some(row.id),
        subject_id: Some(row.sender_id),
        seq: row.seq,
        ..NewEvent::new(kind, row.conversation_id)
    };
    events::append(c, event, now).await?;
    Ok(())
}

/// What became of a message that was to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// It has this place now.
    At(i64),
    /// The sender may not send there any more.
    Refused,
    /// The sender's own id for it is in use, or what it was published from is gone.
    Lost,
}

/// Writes a ready message and gives it its place, with the event that tells of it.
pub(crate) async fn publish(c: &mut Conn, row: &mut MessageRow, now: Timestamp) -> sqlx::Result<Published> {
    let Some(seq) = next_seq(c, row.conversation_id, row.sender_id, now).await? else {
        return Ok(Published::Refused);
    };
    row.seq = Some(seq);
    if !insert(c, row).await? {
        return Ok(Published::Lost);
    }
    tell(c, EventType::MessageCreated, row, now).await?;
    Ok(Published::At(seq))
}

/// Adds a row as it is; false when the sender has used its client id already.
pub(crate) async fn insert(c: &mut Conn, row: &MessageRow) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO messages (id, conversation_id, seq, version, state, sender_id, client_id, content_hash, reply_to,
             caption, created_at, duration_ms, truncated, missing_ms, waveform, waveform_source, gain_db, loudness_lufs,
             speech, audio_key, audio_bytes, audio_sha256, source_type, transcoded, failure, staging, analysis)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27)
         ON CONFLICT (sender_id, client_id) WHERE state <> 'failed' DO NOTHING",
    )
    .bind(row.id)
    .bind(row.conversation_id)
    .bind(row.seq)
    .bind(row.version)
    .bind(&row.state)
    .bind(row.sender_id)
    .bind(row.client_id)
    .bind(&row.content_hash)
    .bind(row.reply_to)
    .bind(&row.caption)
    .bind(row.created_at)
    .bind(row.duration_ms)
    .bind(row.truncated)
    .bind(row.missing_ms)
    .bind(&row.waveform)
    .bind(&row.waveform_source)
    .bind(row.gain_db)
    .bind(row.loudness_lufs)
    .bind(&row.speech)
    .bind(&row.audio_key)
    .bind(row.audio_bytes)
    .bind(&row.audio_sha256)
    .bind(&row.source_type)
    .bind(row.transcoded)
    .bind(&row.failure)
    .bind(&row.staging)
    .bind(&row.analysis)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Publishes a message that was set aside; it is lost when it is not in processing any more.
pub(crate) async fn publish_processed(
    c: &mut Conn,
    row: &mut MessageRow,
    now: Timestamp,
) -> sqlx::Result<Published> {
    let Some(seq) = next_seq(c, row.conversation_id, row.sender_id, now).await? else {
        return Ok(Published::Refused);
    };
    row.seq = Some(seq);
    row.version += 1;
    let done = sqlx::query(
        "UPDATE messages SET seq = $2, version = $3, state = 'ready', duration_ms = $4, truncated = $5, missing_ms = $6,
             audio_key = $7, audio_bytes = $8, audio_sha256 = $9, source_type = $10, transcoded = $11, analysis = $12,
             waveform = $13, waveform_source = $14, gain_db = $15, loudness_lufs = $16, speech = $17,
             staging = NULL, attempts = 0
         WHERE id = $1 AND state = 'processing'",
    )
    .bind(row.id)
    .bind(seq)
    .bind(row.version)
    .bind(row.duration_ms)
    .bind(row.truncated)
    .bind(row.missing_ms)
    .bind(&row.audio_key)
    .bind(row.audio_bytes)
    .bind(&row.audio_sha256)
    .bind(&row.source_type)
    .bind(row.transcoded)
    .bind(&row.analysis)
    .bind(&row.waveform)
    .bind(&row.waveform_source)
    .bind(row.gain_db)
    .bind(row.loudness_lufs)
    .bind(&row.speech)
    .execute(&mut *c)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Published::Lost);
    }
    tell(c, EventType::MessageCreated, row, now).await?;
    Ok(Published::At(seq))
}

/// Publishes a recording at its first durable packet; it is lost when it is published or finished already.
pub(crate) async fn publish_live(c: &mut Conn, id: Uuid, now: Timestamp) -> sqlx::Result<Published> {
    let Some(mut row) = by_id(c, id)
        .await?
        .filter(|row| row.state == "recording" && row.seq.is_none())
    else {
        return Ok(Published::Lost);
    };
    let Some(seq) = next_seq(c, row.conversation_id, row.sender_id, now).await? else {
        return Ok(Published::Refused);
    };
    sqlx::query("UPDATE messages SET seq = $2, version = version + 1 WHERE id = $1")
        .bind(id)
        .bind(seq)
        .execute(&mut *c)
        .await?;
    row.seq = Some(seq);
    tell(c, EventType::MessageCreated, &row, now).await?;
    Ok(Published::At(seq))
}

/// Makes a recording ready: published now, or, when it was live, told to have changed.
pub(crate) async fn publish_recorded(
    c: &mut Conn,
    row: &mut MessageRow,
    now: Timestamp,
) -> sqlx::Result<Published> {
    let present = by_id(c, row.id).await?.filter(|row| row.state == "recording");
    let Some(present) = present else {
        return Ok(Published::Lost);
    };
    let (seq, news) = match present.seq {
        Some(seq) => (seq, EventType::MessageUpdated),
        None => match next_seq(c, row.conversation_id, row.sender_id, now).await? {
            Some(seq) => (seq, EventType::MessageCreated),
            None => return Ok(Published::Refused),
        },
    };
    row.seq = Some(seq);
    row.version = present.version + 1;
    sqlx::query(
        "UPDATE messages SET seq = $2, version = $3, state = 'ready', duration_ms = $4, missing_ms = $5, audio_key = $6,
             audio_bytes = $7, audio_sha256 = $8, source_type = $9, transcoded = 0
         WHERE id = $1",
    )
    .bind(row.id)
    .bind(seq)
    .bind(row.version)
    .bind(row.duration_ms)
    .bind(row.missing_ms)
    .bind(&row.audio_key)
    .bind(row.audio_bytes)
    .bind(&row.audio_sha256)
    .bind(&row.source_type)
    .execute(&mut *c)
    .await?;
    tell(c, news, row, now).await?;
    Ok(Published::At(seq))
}

/// Everything that was accepted and not finished, oldest first.
pub(crate) async fn in_processing(c: &mut Conn) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as(select!("WHERE m.state = 'processing' ORDER BY m.created_at"))
        .fetch_all(c)
        .await
}

/// Ends a message in processing; its client id is free again. False when it was not in processing.
pub(crate) async fn fail(c: &mut Conn, id: Uuid, failure: &str) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE messages SET state = 'failed', version = version + 1, failure = $2, staging = NULL
         WHERE id = $1 AND state = 'processing'",
    )
    .bind(id)
    .bind(failure)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One more attempt; returns how many that makes.
pub(crate) async fn count_attempt(c: &mut Conn, id: Uuid) -> sqlx::Result<i64> {
    let attempts =
        sqlx::query_scalar("UPDATE messages SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts")
            .bind(id)
            .fetch_optional(c)
            .await?;
    Ok(attempts.unwrap_or(i64::MAX))
}

/// What `user_id` sees of a conversation before `seq`, newest first.
pub(crate) async fn before(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    seq: i64,
    limit: i64,
) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as(select!(
        "WHERE m.conversation_id = $1 AND m.seq < $3 AND EXISTS (SELECT 1 FROM memberships s
             WHERE s.conversation_id = $1 AND s.user_id = $2 AND s.joined_seq < m.seq
               AND (s.left_seq IS NULL OR s.left_seq >= m.seq))
         ORDER BY m.seq DESC LIMIT $4"
    ))
    .bind(conversation_id)
    .bind(user_id)
    .bind(seq)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// What `user_id` sees of a conversation after `seq`, oldest first.
pub(crate) async fn after(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    seq: i64,
    limit: i64,
) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as(select!(
        "WHERE m.conversation_id = $1 AND m.seq > $3 AND EXISTS (SELECT 1 FROM memberships s
             WHERE s.conversation_id = $1 AND s.user_id = $2 AND s.joined_seq < m.seq
               AND (s.left_seq IS NULL OR s.left_seq >= m.seq))
         ORDER BY m.seq LIMIT $4"
    ))
    .bind(conversation_id)
    .bind(user_id)
    .bind(seq)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// Everything of a sender that is not deleted, published or not.
pub(crate) async fn of_sender(c: &mut Conn, sender_id: Uuid) -> sqlx::Result<Vec<MessageRow>> {
    sqlx::query_as(select!("WHERE m.sender_id = $1 AND m.state <> 'deleted'"))
        .bind(sender_id)
        .fetch_all(c)
        .await
}

/// What the sounds of a sender come to: (bytes, milliseconds). A deleted one counts no more.
pub(crate) async fn stored_of(c: &mut Conn, sender_id: Uuid) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "SELECT COALESCE(SUM(audio_bytes), 0), COALESCE(SUM(duration_ms), 0) FROM messages
         WHERE sender_id = $1 AND state <> 'deleted'",
    )
    .bind(sender_id)
    .fetch_one(c)
    .await
}

/// Turns a message into a tombstone: nothing of its content stays, its objects are to be deleted, and the others are told if
/// they ever saw it.
pub(crate) async fn delete(c: &mut Conn, row: &MessageRow, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE messages SET state = 'deleted', version = version + 1, caption = NULL,
             duration_ms = NULL, waveform = NULL, waveform_source = NULL, gain_db = NULL, loudness_lufs = NULL,
             speech = NULL, audio_key = NULL, audio_bytes = NULL, audio_sha256 = NULL, source_type = NULL,
             failure = NULL, staging = NULL, analysis = 'none'
         WHERE id = $1",
    )
    .bind(row.id)
    .execute(&mut *c)
    .await?;
    playback::forget_message(c, row.id).await?;
    recordings::forget(c, row.id).await?;
    if let Some(key) = &row.audio_key {
        deletions::add(c, key, now).await?;
    }
    renditions::forget_message(c, row.id, now).await?;
    if row.seq.is_some() {
        tell(c, EventType::MessageDeleted, row, now).await?;
    }
    Ok(())
}

/// Undoes [`count_attempt`]: the attempt said nothing about the sound.
pub(crate) async fn uncount_attempt(c: &mut Conn, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("UPDATE messages SET attempts = attempts - 1 WHERE id = $1 AND attempts > 0")
        .bind(id)
        .execute(c)
        .await?;
    Ok(())
}
