//! Who is, and was, in a conversation.

use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::api::{ConversationKind, Role};

use super::Conn;

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
