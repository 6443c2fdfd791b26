//! Conversations and who is in them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Message, User};
use crate::Timestamp;

/// Two people, or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ConversationKind {
    /// Between two people; unique for the pair.
    Direct,
    /// With a title, owners and any number of members.
    Group,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// May change the group, its members, and delete anybody's message.
    Owner,
    /// May talk and leave.
    Member,
}

/// `POST /v1/conversations`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationCreate {
    /// Direct or group.
    pub kind: ConversationKind,
    /// Usernames of the others; the caller is added. One for a direct conversation.
    #[serde(default)]
    pub members: Vec<String>,
    /// 1 to 100 characters; groups only.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether live recordings are allowed.
    #[serde(default)]
    pub live: Option<bool>,
    /// Makes a repeated request harmless.
    #[serde(default)]
    pub client_id: Option<Uuid>,
}

/// `PATCH /v1/conversations/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationUpdate {
    /// 1 to 100 characters; groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether live recordings are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
}

/// `POST /v1/conversations/{id}/members`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembersAdd {
    /// Usernames to add; who is in already stays as they are.
    pub members: Vec<String>,
    /// The role of the new members; `member` when absent.
    #[serde(default)]
    pub role: Option<Role>,
}

/// `PUT /v1/conversations/{id}/read` (and `…/delivered`).
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mark {
    /// Everything up to and with this `seq`; a lower one than before changes nothing.
    pub seq: i64,
}

/// A member as the others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// Who.
    pub user: User,
    /// What they may do.
    pub role: Role,
    /// The last `seq` they have read.
    pub read_seq: i64,
    /// The last `seq` that reached one of their devices.
    pub delivered_seq: i64,
}

/// Whether the one who asks may send here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CanSend {
    /// Voice messages.
    pub voice: bool,
    /// Why not: `voice_not_accepted` or `account_deleted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A conversation as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Never changes.
    pub id: Uuid,
    /// Direct or group.
    pub kind: ConversationKind,
    /// Groups only.
    pub title: Option<String>,
    /// Whether live recordings are allowed.
    pub live: bool,
    /// Who is in it, in the order of joining.
    pub members: Vec<Member>,
    /// Whether the one who asks may send.
    pub can_send: CanSend,
    /// When it was made.
    pub created_at: Timestamp,
    /// The `seq` of the newest message, 0 when there is none.
    pub last_seq: i64,
    /// Grows with each change; ignore what has a lower one.
    pub version: i64,
}

/// A line of `GET /v1/conversations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationSummary {
    /// The conversation itself.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The newest message that the one who asks may see.
    pub last_message: Option<Message>,
    /// Messages of others past the caller's read mark.
    pub unread_count: i64,
    /// Messages of others that the caller has not played.
    pub unplayed_count: i64,
}
