//! Bodies of the HTTP calls under `/v1`.
//!
//! Ids are UUIDv7, times are [`Timestamp`](crate::Timestamp), durations are integer milliseconds in fields ending
//! `_ms`, sizes are integer bytes in fields ending `_bytes`.

mod accounts;
mod config;
mod conversations;
mod drafts;
mod messages;
mod playback;
mod uploads;

use serde::{Deserialize, Serialize};

pub use accounts::{
    AccountCreate, Me, MeUpdate, PasswordChange, SessionCreate, SessionCreated, SessionInfo, User,
};
pub use config::ServerConfig;
pub use conversations::{
    CanSend, Conversation, ConversationCreate, ConversationKind, ConversationSummary, ConversationUpdate,
    Mark, Member, MembersAdd, Role,
};
pub use drafts::Draft;
pub use messages::{Audio, AudioUrl, Message, MessageState, PlaybackSummary, Source, WaveformSource};
pub use playback::{Playback, PlaybackAnswer, PlaybackItem, PlaybackPage, PlaybackReport};
pub use uploads::{UploadState, UploadStatus};

/// A list: `next` is the cursor of the following page, null on the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The things themselves.
    pub items: Vec<T>,
    /// Pass it back to go on; null when there is no more.
    pub next: Option<String>,
}

/// Tells an absent field from one that is null, for partial updates: absent stays `None`, null becomes `Some(None)`.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
