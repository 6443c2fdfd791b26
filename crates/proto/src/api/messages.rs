//! Voice messages.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::User;
use crate::{Problem, Timestamp};

/// The life of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MessageState {
    /// Still being spoken.
    Recording,
    /// Accepted; the sound is being brought into its canonical form.
    Processing,
    /// Can be played; the sound never changes any more.
    Ready,
    /// Was refused while processing; only its sender ever saw it.
    Failed,
    /// A tombstone: it keeps its place, the sound is gone.
    Deleted,
}

/// Whose waveform it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WaveformSource {
    /// Measured from the sound.
    Server,
    /// What the sender claimed, until the server has measured.
    Sender,
}

/// A voice message as one recipient sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// Never changes.
    pub id: Uuid,
    /// Where it was said.
    pub conversation_id: Uuid,
    /// Its place in the conversation, without gaps from 1; null until it is published.
    pub seq: Option<i64>,
    /// Grows with each change; ignore what has a lower one.
    pub version: i64,
    /// Where in its life it is.
    pub state: MessageState,
    /// Who said it.
    pub sender: User,
    /// The sender's own id for it.
    pub client_id: Option<Uuid>,
    /// The message it answers.
    pub reply_to: Option<Uuid>,
    /// Words beside the sound.
    pub caption: Option<String>,
    /// When the server took it.
    pub created_at: Timestamp,
    /// Measured from the sound.
    pub duration_ms: Option<i64>,
    /// The source ended early or had damaged parts.
    pub truncated: bool,
    /// Time on the timeline for which there is no sound.
    pub missing_ms: i64,
    /// 100 integers 0 to 1024 (at least 30 for clips under 3 s); null until known.
    pub waveform: Option<Vec<u16>>,
    /// Whose waveform it is; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waveform_source: Option<WaveformSource>,
    /// What a player applies to reach −16 LUFS without clipping, in dB.
    pub gain_db: Option<f32>,
    /// Integrated loudness (EBU R128).
    pub loudness_lufs: Option<f32>,
    /// Where there is speech: from, to in ms.
    pub speech: Option<Vec<[i64; 2]>>,
    /// The sound; null unless there is any to fetch.
    pub audio: Option<Audio>,
    /// What it was made from.
    pub source: Option<Source>,
    /// Emoji and who chose them.
    pub reactions: Vec<serde_json::Value>,
    /// How far the one who asks has heard it.
    pub playback: PlaybackSummary,
    /// Who has played it, for its sender.
    pub played_by: Vec<User>,
    /// How many have played it.
    pub played_count: i64,
    /// Its words, where a transcriber is set up.
    pub transcript: Option<serde_json::Value>,
    /// Why it is in state `failed`; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Problem>,
}

/// The sound of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Audio {
    /// A path with a signature for this recipient; good for 15 minutes.
    pub url: String,
    /// The media type of the canonical object.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Of the canonical object.
    pub size_bytes: i64,
    /// Lower-case hex, of the object as served.
    pub sha256: String,
    /// What `?format=` takes for this message.
    pub formats: Vec<String>,
}

/// What a message was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// The media type that was found in the bytes.
    #[serde(rename = "type")]
    pub media_type: String,
    /// False when the packets are the sender's own, bit for bit.
    pub transcoded: bool,
}

/// How far one person has heard a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaybackSummary {
    /// 0 before the first report.
    pub version: i64,
    /// The playhead.
    pub position_ms: i64,
    /// The sum of what was heard.
    pub heard_ms: i64,
    /// Heard to 90 %, or to the end.
    pub played: bool,
}

/// `POST /v1/messages/{id}/audio-url`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AudioUrl {
    /// A path with a fresh signature.
    pub url: String,
    /// When it ends.
    pub expires_at: Timestamp,
}
