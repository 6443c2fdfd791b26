//! What is measured from the sound of messages, after they were accepted.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_audio::Analysis;
use voxpost_proto::Timestamp;

use super::Conn;
use super::events::{self, EventType, NewEvent};

/// A sound to measure.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ToAnalyse {
    pub(crate) id: Uuid,
    pub(crate) audio_key: String,
    pub(crate) attempts: i64,
}

/// What was measured, as columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    /// JSON array.
    pub(crate) waveform: String,
    pub(crate) gain_db: f64,
    pub(crate) loudness_lufs: Option<f64>,
    /// JSON array of pairs.
    pub(crate) speech: String,
}

impl From<&Analysis> for Measured {
    fn from(analysis: &Analysis) -> Self {
        Self {
            waveform: serde_json::to_string(&analysis.waveform).unwrap_or_default(),
            gain_db: tenths(analysis.gain_db),
            loudness_lufs: analysis.loudness_lufs.map(tenths),
            speech: serde_json::to_string(&analysis.speech).unwrap_or_default(),
        }
    }
}

/// Nobody hears less than a tenth of a decibel.
fn tenths(db: f32) -> f64 {
    (f64::from(db) * 10.0).round() / 10.0
}

/// The newest that wait.
pub(crate) async fn waiting(c: &mut Conn, limit: i64) -> sqlx::Result<Vec<ToAnalyse>> {
    sqlx::query_as(
        "SELECT id, audio_key, attempts FROM messages WHERE analysis = 'pending' AND audio_key IS NOT NULL
         ORDER BY created_at DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(c)
    .await
}

/// Keeps what was measured, with the event that tells of it. Does nothing to a message that was deleted meanwhile.
pub(crate) async fn keep(c: &mut Conn, id: Uuid, measured: &Measured, now: Timestamp) -> sqlx::Result<()> {
    let updated: Option<(Uuid, i64)> = sqlx::query_as(
        "UPDATE messages SET waveform = $2, waveform_source = 'server', gain_db = $3, loudness_lufs = $4, speech = $5,
             analysis = 'done', version = version + 1
         WHERE id = $1 AND analysis = 'pending' AND state = 'ready' RETURNING conversation_id, seq",
    )
    .bind(id)
    .bind(&measured.waveform)
    .bind(measured.gain_db)
    .bind(measured.loudness_lufs)
    .bind(&measured.speech)
    .fetch_optional(&mut *c)
    .await?;
    if let Some((conversation_id, seq)) = updated {
        let event = NewEvent {
            message_id: Some(id),
            seq: Some(seq),
            ..NewEvent::new(EventType::MessageUpdated, conversation_id)
        };
        events::append(c, event, now).await?;
    }
    Ok(())
}

/// Gives up on a sound.
pub(crate) async fn give_up(c: &mut Conn, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("UPDATE messages SET analysis = 'failed' WHERE id = $1 AND analysis = 'pending'")
        .bind(id)
        .execute(c)
        .await?;
    Ok(())
}
