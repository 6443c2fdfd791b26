//! Where somebody stopped in a message, and what of it they heard.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::PlaybackSummary;
use crate::Timestamp;
use crate::playback::Heard;

/// `PUT /v1/messages/{id}/playback`: what one player did since its last report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaybackReport {
    /// Made once for each instance of a player; one that comes back from its journal keeps it.
    pub player_id: Uuid,
    /// Where the player runs.
    pub device_id: Uuid,
    /// Made once for each report and repeated with its retries: the second one changes nothing.
    pub report_id: Uuid,
    /// The version that the player knew when its person moved the playhead.
    pub base_version: i64,
    /// The playhead. Up to 1,000 ms past the end are cut off.
    pub position_ms: i64,
    /// 1 is as it was spoken; 0.1 to 10.
    pub speed: f32,
    /// Intervals that were heard, from and to, in any order; they may overlap what was reported before.
    pub heard: Vec<[i64; 2]>,
    /// The player came to the end by playing.
    #[serde(default)]
    pub ended: bool,
    /// Grows with each report of this player: of one that arrives after its successor only the heard part counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
}

/// `GET /v1/messages/{id}/playback`: where the caller is in a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Playback {
    /// Grows with each move of the playhead; 0 before the first.
    pub version: i64,
    /// The playhead.
    pub position_ms: i64,
    /// 1 is as it was spoken.
    pub speed: f32,
    /// What was heard: ascending, at least 250 ms apart, at most 256 intervals.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<[i64; 2]>))]
    pub heard: Heard,
    /// The sum of what was heard.
    pub heard_ms: i64,
    /// Heard to 90 %, or to the end.
    pub played: bool,
    /// The player that moved the playhead last.
    pub player_id: Option<Uuid>,
    /// Where that player runs.
    pub device_id: Option<Uuid>,
    /// When it did, by the server's clock.
    pub updated_at: Option<Timestamp>,
}

impl Playback {
    /// The short form that messages and events carry.
    pub fn summary(&self) -> PlaybackSummary {
        PlaybackSummary {
            version: self.version,
            position_ms: self.position_ms,
            heard_ms: self.heard_ms,
            played: self.played,
        }
    }
}

/// The answer to a [`PlaybackReport`]: the value that counts now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaybackAnswer {
    /// False when another device moved the playhead meanwhile: it stays where that one put it.
    pub playhead_applied: bool,
    /// The value that counts.
    #[serde(flatten)]
    pub playback: Playback,
}

/// A line of `GET /v1/playback`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaybackItem {
    /// Which message.
    pub message_id: Uuid,
    /// Where the caller is in it.
    #[serde(flatten)]
    pub playback: Playback,
}

/// `GET /v1/playback?since=`: what changed, oldest change first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaybackPage {
    /// Each message once, as it is now.
    pub items: Vec<PlaybackItem>,
    /// Pass it as `since` next time. Ask again at once while `items` is not empty.
    pub next: i64,
}
