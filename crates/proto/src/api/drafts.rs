//! Recordings whose sender is gone.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::Timestamp;

/// A recording that was interrupted: a message in state `recording` that nobody but its sender knows of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Draft {
    /// The message; its `duration_ms` is what is there so far.
    #[serde(flatten)]
    pub message: Message,
    /// Packets that are durable.
    pub packets: i64,
    /// Where its sender would go on.
    pub next_sequence: u32,
    /// When it is deleted.
    pub expires_at: Timestamp,
}
