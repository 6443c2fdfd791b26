//! Who is, and was, in a conversation.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::api::{ConversationKind, Role};

use super::Conn;
use crate::domain::access::{VoiceRefusal, voice_refusal};

/// Where somebody stands in a conversation at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) conversation_id: Uuid,
    pub(crate) kind: ConversationKind,
    /// Whether live recordings are allowed here.
    pub(crate) live: bool,
    pub(crate) role: Role,
    /// Messages with a higher `seq` are theirs to see; so are those of earlier stays, see [`sees`].
    pub(crate) joined_seq: i64,
    pub(crate) read_seq: i64,
    pub(crate) delivered_seq: i64,
}

#[derive(FromRow)]
struct StandingRow {
    kind: String,
    live: bool,
    role: String,
    joined_seq: i64,
    read_seq: i64,
    delivered_seq: i64,
}

/// The present standing; None for who is not a member now.
pub(crate) async fn standing(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
) -> sqlx::Result<Option<Standing>> {
    let row: Option<StandingRow> = sqlx::query_as(
        "SELECT c.kind, c.live, m.role, m.joined_seq, m.read_seq, m.delivered_seq
         FROM memberships m JOIN conversations c ON c.id = m.conversation_id
         WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_event IS NULL",
    )
    .bind(conversation_id)
    .bind(user_id)
    .fetch_optional(c)
    .await?;
    Ok(row.map(|row| Standing {
        conversation_id,
        kind: kind(&row.kind),
        live: row.live,
        role: role(&row.role),
        joined_seq: row.joined_seq,
        read_seq: row.read_seq,
        delivered_seq: row.delivered_seq,
    }))
}

/// A present member as the sender of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) kind: ConversationKind,
    pub(crate) role: Role,
    pub(crate) username: String,
    pub(crate) display_name: String,
    /// Why they may not send voice messages here.
    pub(crate) refusal: Option<VoiceRefusal>,
}

#[derive(FromRow)]
struct SenderRow {
    kind: String,
    role: String,
    username: String,
    display_name: String,
    other_accepts: Option<bool>,
    other_deleted: Option<bool>,
}

/// The sender that this person would be; None for who is not a member now.
pub(crate) async fn sender(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
) -> sqlx::Result<Option<Sender>> {
    let row: Option<SenderRow> = sqlx::query_as(
        "SELECT c.kind, m.role, u.username, u.display_name, o.accepts_voice AS other_accepts,
                o.deleted_at IS NOT NULL AS other_deleted
         FROM memberships m
         JOIN conversations c ON c.id = m.conversation_id
         JOIN users u ON u.id = m.user_id
         LEFT JOIN memberships om
                ON c.kind = 'direct' AND om.conversation_id = c.id AND om.user_id <> m.user_id
         LEFT JOIN users o ON o.id = om.user_id
         WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_event IS NULL
         LIMIT 1",
    )
    .bind(conversation_id)
    .bind(user_id)
    .fetch_optional(c)
    .await?;
    Ok(row.map(|row| {
        let kind = kind(&row.kind);
        let refusal = match kind {
            ConversationKind::Direct => voice_refusal(
                row.other_accepts.unwrap_or(true),
                row.other_deleted.unwrap_or(false),
            ),
            ConversationKind::Group => None,
        };
        Sender {
            kind,
            role: role(&row.role),
            username: row.username,
            display_name: row.display_name,
            refusal,
        }
    }))
}

/// Whether a message with this `seq` fell into one of the person's stays.
pub(crate) async fn sees(c: &mut Conn, conversation_id: Uuid, user_id: Uuid, seq: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM memberships WHERE conversation_id = $1 AND user_id = $2
         AND joined_seq < $3 AND (left_seq IS NULL OR left_seq >= $3))",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(seq)
    .fetch_one(c)
    .await
}

pub(crate) fn kind(text: &str) -> ConversationKind {
    if text == "direct" {
        ConversationKind::Direct
    } else {
        ConversationKind::Group
    }
}

pub(crate) fn role(text: &str) -> Role {
    if text == "owner" {
        Role::Owner
    } else {
        Role::Member
    }
}
