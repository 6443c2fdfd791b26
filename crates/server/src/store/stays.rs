//! The end of a stay in a group, with everything that follows from it.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::events::{self, EventType, NewEvent};
use super::{Conn, conversations, members};

/// Takes a present member out: the others learn it, the one who goes learns it alone, and a group without an owner
/// gets one.
pub(crate) async fn end(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    now: Timestamp,
) -> sqlx::Result<()> {
    let left = NewEvent {
        subject_id: Some(user_id),
        ..NewEvent::new(EventType::MemberLeft, conversation_id)
    };
    let event = events::append(c, left, now).await?;
    members::leave(c, conversation_id, user_id, event).await?;
    conversations::bump_version(c, conversation_id).await?;
    // The stay ended just before that event, so the one who goes would not hear of it.
    let personal = NewEvent {
        only: Some(user_id),
        ..left
    };
    events::append(c, personal, now).await?;
    if members::pass_ownership(c, conversation_id).await? {
        let updated = NewEvent::new(EventType::ConversationUpdated, conversation_id);
        events::append(c, updated, now).await?;
    }
    Ok(())
}

/// Takes somebody out of every group they are in, as when an account is deleted; direct conversations stay and tell the
/// other person ([`conversations::person_changed`]).
pub(crate) async fn end_all(c: &mut Conn, user_id: Uuid, now: Timestamp) -> sqlx::Result<()> {
    let groups: Vec<Uuid> = sqlx::query_scalar(
        "SELECT c.id FROM memberships m JOIN conversations c ON c.id = m.conversation_id
         WHERE m.user_id = $1 AND m.left_event IS NULL AND c.kind = 'group'",
    )
    .bind(user_id)
    .fetch_all(&mut *c)
    .await?;
    for group in groups {
        end(c, group, user_id, now).await?;
    }
    conversations::person_changed(c, user_id, now).await
}
