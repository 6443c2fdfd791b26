//! Who is, and was, in a conversation.

use std::collections::HashMap;

use sqlx::{FromRow, QueryBuilder, Sqlite};
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::{ConversationKind, Role};

use super::{Conn, push_ids};
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

/// A present member with what others see of the person.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct MemberRow {
    pub(crate) conversation_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) username: String,
    pub(crate) display_name: String,
    /// `owner` or `member`.
    pub(crate) role: String,
    pub(crate) read_seq: i64,
    pub(crate) delivered_seq: i64,
    pub(crate) accepts_voice: bool,
    pub(crate) deleted: bool,
}

/// The present members of many conversations in one query, each in the order of joining.
pub(crate) async fn of(c: &mut Conn, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Vec<MemberRow>>> {
    let mut members: HashMap<Uuid, Vec<MemberRow>> = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(members);
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT m.conversation_id, m.user_id, u.username, u.display_name, m.role, m.read_seq, m.delivered_seq,
                u.accepts_voice, u.deleted_at IS NOT NULL AS deleted
         FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.left_event IS NULL AND m.conversation_id IN (",
    );
    push_ids(&mut query, ids);
    query.push(" ORDER BY m.joined_event, m.role DESC, m.user_id");
    let rows: Vec<MemberRow> = query.build_query_as().fetch_all(c).await?;
    for row in rows {
        members.entry(row.conversation_id).or_default().push(row);
    }
    Ok(members)
}

/// From which event to which somebody was in; the end is None for who still is.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct Stay {
    pub(crate) user_id: Uuid,
    pub(crate) joined_event: i64,
    pub(crate) left_event: Option<i64>,
    joined_seq: i64,
    left_seq: Option<i64>,
}

impl Stay {
    /// Whether an event of the conversation fell into it.
    fn covers(&self, event: i64) -> bool {
        self.joined_event <= event && self.left_event.is_none_or(|left| event < left)
    }

    /// Whether a message was published during it.
    fn shows(&self, seq: i64) -> bool {
        self.joined_seq < seq && self.left_seq.is_none_or(|left| seq <= left)
    }
}

/// Who of `stays` sees an event: those who were in at that moment and, when it is about the message `seq`, to whom that
/// message was published; an old message may well change after somebody has come.
pub(crate) fn audience(stays: &[Stay], event: i64, seq: Option<i64>) -> Vec<Uuid> {
    let shown_to = |present: &Stay, seq| {
        let mut earlier = stays.iter().filter(|stay| stay.user_id == present.user_id);
        present.shows(seq) || earlier.any(|stay| stay.shows(seq))
    };
    let present = stays.iter().filter(|stay| stay.covers(event));
    let seeing = present.filter(|stay| seq.is_none_or(|seq| shown_to(stay, seq)));
    seeing.map(|stay| stay.user_id).collect()
}

/// All stays of everybody who sees an event or a later one.
pub(crate) async fn stays_from(c: &mut Conn, conversation_id: Uuid, event: i64) -> sqlx::Result<Vec<Stay>> {
    sqlx::query_as(
        "SELECT user_id, joined_event, left_event, joined_seq, left_seq FROM memberships
         WHERE conversation_id = $1 AND user_id IN
             (SELECT user_id FROM memberships WHERE conversation_id = $1 AND (left_event IS NULL OR left_event > $2))",
    )
    .bind(conversation_id)
    .bind(event)
    .fetch_all(c)
    .await
}

/// Somebody with the marks of their newest stay, whether it has ended or not.
pub(crate) async fn newest_stay(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
) -> sqlx::Result<Option<MemberRow>> {
    sqlx::query_as(
        "SELECT m.conversation_id, m.user_id, u.username, u.display_name, m.role, m.read_seq, m.delivered_seq,
                u.accepts_voice, u.deleted_at IS NOT NULL AS deleted
         FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.conversation_id = $1 AND m.user_id = $2 ORDER BY m.joined_event DESC LIMIT 1",
    )
    .bind(conversation_id)
    .bind(user_id)
    .fetch_optional(c)
    .await
}

/// Who is in a conversation at present, at most `limit`.
pub(crate) async fn ids(c: &mut Conn, conversation_id: Uuid, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT user_id FROM memberships WHERE conversation_id = $1 AND left_event IS NULL LIMIT $2",
    )
    .bind(conversation_id)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// How many are in a conversation at present.
pub(crate) async fn count(c: &mut Conn, conversation_id: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM memberships WHERE conversation_id = $1 AND left_event IS NULL")
        .bind(conversation_id)
        .fetch_one(c)
        .await
}

/// Whether more than `number` are in a conversation at present. Looks at no more of them: a mark of each of a thousand people
/// asks.
pub(crate) async fn more_than(c: &mut Conn, conversation_id: Uuid, number: usize) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM memberships WHERE conversation_id = $1 AND left_event IS NULL LIMIT 1 OFFSET $2)",
    )
    .bind(conversation_id)
    .bind(i64::try_from(number).unwrap_or(i64::MAX))
    .fetch_one(c)
    .await
}

/// The people behind usernames, those that are not deleted, in no order.
pub(crate) async fn people(c: &mut Conn, usernames: &[String]) -> sqlx::Result<Vec<(Uuid, String)>> {
    if usernames.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT id, username FROM users WHERE deleted_at IS NULL AND username IN (",
    );
    let mut list = query.separated(", ");
    for name in usernames {
        list.push_bind(name);
    }
    list.push_unseparated(")");
    query.build_query_as().fetch_all(c).await
}

/// Lets somebody in who is not in at present. They see what comes after `joined_event` and after the newest message;
/// nothing from before counts as unread.
pub(crate) async fn join(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    role: Role,
    joined_event: i64,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO memberships
             (conversation_id, user_id, role, joined_event, joined_seq, joined_at, read_seq, delivered_seq)
         SELECT id, $2, $3, $4, last_seq, $5, last_seq, last_seq FROM conversations WHERE id = $1",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(role_text(role))
    .bind(joined_event)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(())
}

/// Ends somebody's stay with the event that tells of it; they keep seeing what was said while they were in.
pub(crate) async fn leave(
    c: &mut Conn,
    conversation_id: Uuid,
    user_id: Uuid,
    left_event: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE memberships SET left_event = $3,
                left_seq = (SELECT last_seq FROM conversations WHERE id = $1)
         WHERE conversation_id = $1 AND user_id = $2 AND left_event IS NULL",
    )
    .bind(conversation_id)
    .bind(user_id)
    .bind(left_event)
    .execute(c)
    .await?;
    Ok(())
}

/// Where a conversation with members but no owner is left to whoever is in it longest; true when that was so.
pub(crate) async fn pass_ownership(c: &mut Conn, conversation_id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE memberships SET role = 'owner'
         WHERE conversation_id = $1 AND left_event IS NULL
           AND NOT EXISTS (SELECT 1 FROM memberships WHERE conversation_id = $1 AND left_event IS NULL AND role = 'owner')
           AND user_id = (SELECT user_id FROM memberships WHERE conversation_id = $1 AND left_event IS NULL
                          ORDER BY joined_event, user_id LIMIT 1)",
    )
    .bind(conversation_id)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) fn role_text(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Member => "member",
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_old_message_only_those_hear_to_whom_it_was_published() {
        let [ana, eva] = [1, 2].map(Uuid::from_u128);
        let stay = |user_id, joined_event, left_event, joined_seq, left_seq| Stay {
            user_id,
            joined_event,
            left_event,
            joined_seq,
            left_seq,
        };
        let stays = [
            stay(ana, 1, None, 0, None),
            stay(eva, 10, Some(20), 3, Some(5)),
            stay(eva, 30, None, 7, None),
        ];
        assert_eq!(audience(&stays, 12, None), [ana, eva]);
        assert_eq!(audience(&stays, 25, None), [ana]);
        assert_eq!(audience(&stays, 12, Some(3)), [ana]);
        assert_eq!(audience(&stays, 12, Some(4)), [ana, eva]);
        // Back again, eva hears of what she saw when she was here before, and of nothing said meanwhile.
        assert_eq!(audience(&stays, 31, Some(4)), [ana, eva]);
        assert_eq!(audience(&stays, 31, Some(6)), [ana]);
        assert_eq!(audience(&stays, 31, Some(8)), [ana, eva]);
    }
}
