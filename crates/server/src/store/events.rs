//! The log of durable events. Its ids grow in commit order, because one writer gives them.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;

/// What kind of change an event tells; the name is the one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventType {
    MessageCreated,
    MessageUpdated,
    MessageDeleted,
    ConversationCreated,
    ConversationUpdated,
    MemberJoined,
    MemberLeft,
    ReadUpdated,
    DeliveredUpdated,
}

impl EventType {
    pub(crate) const ALL: [Self; 9] = [
        Self::MessageCreated,
        Self::MessageUpdated,
        Self::MessageDeleted,
        Self::ConversationCreated,
        Self::ConversationUpdated,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::ReadUpdated,
        Self::DeliveredUpdated,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::MessageCreated => "message.created",
            Self::MessageUpdated => "message.updated",
            Self::MessageDeleted => "message.deleted",
            Self::ConversationCreated => "conversation.created",
            Self::ConversationUpdated => "conversation.updated",
            Self::MemberJoined => "member.joined",
            Self::MemberLeft => "member.left",
            Self::ReadUpdated => "read.updated",
            Self::DeliveredUpdated => "delivered.updated",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An event to append. Who sees it: `only` when it is set, else whoever is a member at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEvent {
    pub(crate) kind: EventType,
    pub(crate) conversation_id: Uuid,
    pub(crate) only: Option<Uuid>,
    pub(crate) message_id: Option<Uuid>,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) seq: Option<i64>,
}

impl NewEvent {
    /// An event of a conversation about nothing more particular.
    pub(crate) fn new(kind: EventType, conversation_id: Uuid) -> Self {
        Self {
            kind,
            conversation_id,
            only: None,
            message_id: None,
            subject_id: None,
            seq: None,
        }
    }
}

/// Appends an event and returns its id.
pub(crate) async fn append(c: &mut Conn, event: NewEvent, now: Timestamp) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO events (conversation_id, user_id, type, message_id, subject_id, seq, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(event.conversation_id)
    .bind(event.only)
    .bind(event.kind.as_str())
    .bind(event.message_id)
    .bind(event.subject_id)
    .bind(event.seq)
    .bind(now.millis())
    .fetch_one(c)
    .await
}
