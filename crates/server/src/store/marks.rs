//! How far somebody has read, and how far messages reached their devices. Marks never go back.

use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::events::{self, EventType, NewEvent};
use super::{Conn, members};
use crate::domain::conversations::{MAX_DELIVERED_TOLD, MAX_READ_TOLD};

/// Moves the read mark of a member up to `seq` (at most to the newest message), with the event that tells of it.
/// What was read has been delivered too. False when it was there already.
pub(crate) async fn read(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    seq: i64,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let moved: Option<i64> = sqlx::query_scalar(
        "UPDATE memberships
         SET read_seq = MIN($3, (SELECT last_seq FROM conversations WHERE id = $1)),
             delivered_seq = MAX(delivered_seq, MIN($3, (SELECT last_seq FROM conversations WHERE id = $1)))
         WHERE conversation_id = $1 AND user_id = $2 AND left_event IS NULL
           AND read_seq < MIN($3, (SELECT last_seq FROM conversations WHERE id = $1))
         RETURNING read_seq",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(seq)
    .fetch_optional(&mut *c)
    .await?;
    let Some(seq) = moved else { return Ok(false) };
    let crowd = members::more_than(c, conversation_id, MAX_READ_TOLD).await?;
    tell(
        c,
        EventType::ReadUpdated,
        conversation_id,
        user_id,
        seq,
        crowd,
        now,
    )
    .await?;
    Ok(true)
}

/// As [`read`], for what reached a device.
pub(crate) async fn delivered(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    seq: i64,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let moved: Option<i64> = sqlx::query_scalar(
        "UPDATE memberships SET delivered_seq = MIN($3, (SELECT last_seq FROM conversations WHERE id = $1))
         WHERE conversation_id = $1 AND user_id = $2 AND left_event IS NULL
           AND delivered_seq < MIN($3, (SELECT last_seq FROM conversations WHERE id = $1))
         RETURNING delivered_seq",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(seq)
    .fetch_optional(&mut *c)
    .await?;
    let Some(seq) = moved else { return Ok(false) };
    if !members::more_than(c, conversation_id, MAX_DELIVERED_TOLD).await? {
        tell(
            c,
            EventType::DeliveredUpdated,
            conversation_id,
            user_id,
            seq,
            false,
            now,
        )
        .await?;
    }
    Ok(true)
}

async fn tell(
    c: &mut Conn,
    kind: EventType,
    conversation_id: Uuid,
    user_id: Uuid,
    seq: i64,
    oneself_alone: bool,
    now: Timestamp,
) -> sqlx::Result<()> {
    let event = NewEvent {
        only: oneself_alone.then_some(user_id),
        subject_id: Some(user_id),
        seq: Some(seq),
        ..NewEvent::new(kind, conversation_id)
    };
    events::append(c, event, now).await?;
    Ok(())
}
