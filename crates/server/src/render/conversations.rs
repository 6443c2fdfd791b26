//! Conversations as one of their members sees them.

use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::{CanSend, Conversation, ConversationKind, Member, User};

use crate::domain::access::voice_refusal;
use crate::store::conversations::ConversationRow;
use crate::store::members::{self, MemberRow};

/// A conversation with its present members, as `viewer`, who is one of them, sees it.
pub(crate) fn conversation(row: &ConversationRow, members: &[MemberRow], viewer: Uuid) -> Conversation {
    let kind = members::kind(&row.kind);
    Conversation {
        id: row.id,
        kind,
        title: row.title.clone(),
        live: row.live,
        members: members.iter().map(member).collect(),
        can_send: can_send(kind, members, viewer),
        created_at: Timestamp::from_millis(row.created_at),
        last_seq: row.last_seq,
        version: row.version,
    }
}

pub(crate) fn member(row: &MemberRow) -> Member {
    Member {
        user: User {
            id: row.user_id,
            username: row.username.clone(),
            display_name: row.display_name.clone(),
        },
        role: members::role(&row.role),
        read_seq: row.read_seq,
        delivered_seq: row.delivered_seq,
    }
}

fn can_send(kind: ConversationKind, members: &[MemberRow], viewer: Uuid) -> CanSend {
    let other = members.iter().find(|member| member.user_id != viewer);
    let refusal = match (kind, other) {
        (ConversationKind::Direct, Some(other)) => voice_refusal(other.accepts_voice, other.deleted),
        _ => None,
    };
    CanSend {
        voice: refusal.is_none(),
        reason: refusal.map(|refusal| refusal.as_str().to_owned()),
    }
}
