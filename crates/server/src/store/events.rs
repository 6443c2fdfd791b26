//! The log of durable events. Its ids grow in commit order, because one writer gives them.

use sqlx::FromRow;
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
    Played,
}

impl EventType {
    pub(crate) const ALL: [Self; 10] = [
        Self::MessageCreated,
        Self::MessageUpdated,
        Self::MessageDeleted,
        Self::ConversationCreated,
        Self::ConversationUpdated,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::ReadUpdated,
        Self::DeliveredUpdated,
        Self::Played,
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
            Self::Played => "played",
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

/// An event as it was written.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct EventRow {
    pub(crate) id: i64,
    pub(crate) conversation_id: Uuid,
    /// The only one who sees it, when set.
    pub(crate) user_id: Option<Uuid>,
    #[sqlx(rename = "type")]
    pub(crate) kind: String,
    pub(crate) message_id: Option<Uuid>,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) seq: Option<i64>,
}

/// Events in commit order, everybody's.
pub(crate) async fn after(c: &mut Conn, id: i64, limit: i64) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as(
        "SELECT id, conversation_id, user_id, type, message_id, subject_id, seq
         FROM events WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// The events in `(after, upto]` that one person sees: those for them alone, and those of conversations that they were in
/// at that moment; of these, about a message only what was published during a stay of theirs. As [`super::members::audience`].
pub(crate) async fn visible(
    c: &mut Conn,
    user_id: Uuid,
    after: i64,
    upto: i64,
    limit: i64,
) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as(
        "SELECT e.id, e.conversation_id, e.user_id, e.type, e.message_id, e.subject_id, e.seq
         FROM (SELECT id FROM events WHERE user_id = $1 AND id > $2 AND id <= $3
               UNION ALL
               SELECT x.id FROM memberships s JOIN events x
                   ON x.conversation_id = s.conversation_id AND x.id > $2 AND x.id <= $3
                  AND x.id >= s.joined_event AND (s.left_event IS NULL OR x.id < s.left_event)
               WHERE s.user_id = $1 AND x.user_id IS NULL AND (s.left_event IS NULL OR s.left_event > $2)
                 AND (x.message_id IS NULL OR EXISTS
                     (SELECT 1 FROM memberships p
                      WHERE p.conversation_id = x.conversation_id AND p.user_id = $1
                        AND p.joined_seq < x.seq AND (p.left_seq IS NULL OR p.left_seq >= x.seq)))) v
         JOIN events e ON e.id = v.id
         ORDER BY e.id LIMIT $4",
    )
    .bind(user_id)
    .bind(after)
    .bind(upto)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// (floor, newest): what is up to and with the floor was pruned; ids above `newest` are not given yet.
pub(crate) async fn bounds(c: &mut Conn) -> sqlx::Result<(i64, i64)> {
    let floor: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'event_floor'")
        .fetch_optional(&mut *c)
        .await?;
    let floor = floor.and_then(|text| text.parse().ok()).unwrap_or(0);
    let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(id) FROM events")
        .fetch_one(c)
        .await?;
    Ok((floor, newest.unwrap_or(0).max(floor)))
}

/// The epoch of this log, made on the first call: a token of another database must not be taken for one of this.
pub(crate) async fn epoch(c: &mut Conn, fresh: u64) -> sqlx::Result<u64> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ('event_epoch', $1) ON CONFLICT (key) DO NOTHING")
        .bind(fresh.to_string())
        .execute(&mut *c)
        .await?;
    let kept: String = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'event_epoch'")
        .fetch_one(c)
        .await?;
    kept.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Takes away up to `limit` of the oldest events from before `cutoff` and raises the floor; returns how many.
pub(crate) async fn prune(c: &mut Conn, cutoff: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let upto: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(id) FROM (SELECT id FROM events WHERE created_at < $1 ORDER BY id LIMIT $2)",
    )
    .bind(cutoff.millis())
    .bind(limit)
    .fetch_one(&mut *c)
    .await?;
    let Some(upto) = upto else { return Ok(0) };
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('event_floor', $1) ON CONFLICT (key) DO UPDATE SET value = $1",
    )
    .bind(upto.to_string())
    .execute(&mut *c)
    .await?;
    let done = sqlx::query("DELETE FROM events WHERE id <= $1")
        .bind(upto)
        .execute(c)
        .await?;
    Ok(done.rows_affected())
}
