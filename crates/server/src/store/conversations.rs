//! Conversations as rows, and the list of somebody's.

use std::collections::HashMap;

use sqlx::{FromRow, QueryBuilder, Sqlite};
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::ConversationKind;

use super::messages::{self, MessageRow};
use super::{Conn, push_ids};

/// A row of `conversations`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ConversationRow {
    pub(crate) id: Uuid,
    /// `direct` or `group`.
    pub(crate) kind: String,
    pub(crate) title: Option<String>,
    pub(crate) live: bool,
    pub(crate) created_at: i64,
    pub(crate) last_activity_at: i64,
    pub(crate) last_seq: i64,
    pub(crate) version: i64,
}

const SELECT: &str =
    "SELECT c.id, c.kind, c.title, c.live, c.created_at, c.last_activity_at, c.last_seq, c.version
    FROM conversations c WHERE c.id IN (";

/// The unique key of two people, whoever asks.
pub(crate) fn direct_key(a: Uuid, b: Uuid) -> String {
    format!("{}:{}", a.min(b).simple(), a.max(b).simple())
}

/// By id, in no order; ids that name nothing are left out.
pub(crate) async fn by_ids(c: &mut Conn, ids: &[Uuid]) -> sqlx::Result<Vec<ConversationRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(SELECT);
    push_ids(&mut query, ids);
    query.build_query_as().fetch_all(c).await
}

/// The direct conversation of a pair.
pub(crate) async fn direct(c: &mut Conn, key: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("SELECT id FROM conversations WHERE direct_key = $1")
        .bind(key)
        .fetch_optional(c)
        .await
}

/// A conversation to make; its members are added apart.
pub(crate) struct NewConversation<'a> {
    pub(crate) id: Uuid,
    pub(crate) kind: ConversationKind,
    /// Of direct ones alone, see [`direct_key`].
    pub(crate) direct_key: Option<&'a str>,
    pub(crate) title: Option<&'a str>,
    pub(crate) live: bool,
}

pub(crate) async fn insert(c: &mut Conn, new: &NewConversation<'_>, now: Timestamp) -> sqlx::Result<()> {
    let kind = match new.kind {
        ConversationKind::Direct => "direct",
        ConversationKind::Group => "group",
    };
    sqlx::query(
        "INSERT INTO conversations (id, kind, direct_key, title, live, created_at, last_activity_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(new.id)
    .bind(kind)
    .bind(new.direct_key)
    .bind(new.title)
    .bind(new.live)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(())
}

/// Sets what is given; false when that changes nothing.
pub(crate) async fn update(
    c: &mut Conn,
    id: Uuid,
    title: Option<&str>,
    live: Option<bool>,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE conversations SET title = COALESCE($2, title), live = COALESCE($3, live), version = version + 1
         WHERE id = $1 AND (title IS NOT COALESCE($2, title) OR live <> COALESCE($3, live))",
    )
    .bind(id)
    .bind(title)
    .bind(live)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Tells clients that what they hold of it is older.
pub(crate) async fn bump_version(c: &mut Conn, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("UPDATE conversations SET version = version + 1 WHERE id = $1")
        .bind(id)
        .execute(c)
        .await?;
    Ok(())
}

/// Something changed that the other side of this person's direct conversations sees (name, whether voice is taken,
/// whether they are there at all): each of these conversations tells it. Groups do not: a person in a thousand groups
/// would otherwise wake everybody; there the next fetch shows it.
pub(crate) async fn person_changed(c: &mut Conn, user_id: Uuid, now: Timestamp) -> sqlx::Result<()> {
    const DIRECT_OF: &str = "SELECT c.id FROM memberships m JOIN conversations c ON c.id = m.conversation_id
        WHERE m.user_id = $1 AND m.left_event IS NULL AND c.kind = 'direct'";
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE conversations SET version = version + 1 WHERE id IN ({DIRECT_OF})"
    )))
    .bind(user_id)
    .execute(&mut *c)
    .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO events (conversation_id, type, subject_id, created_at)
         SELECT d.id, 'conversation.updated', $1, $2 FROM ({DIRECT_OF}) d"
    )))
    .bind(user_id)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(())
}

/// Where a page of the list goes on: after the conversation with this activity and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) last_activity_at: i64,
    pub(crate) id: Uuid,
}

impl Cursor {
    pub(crate) fn of(row: &ConversationRow) -> Self {
        Self {
            last_activity_at: row.last_activity_at,
            id: row.id,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (millis, id) = text.split_once('.')?;
        Some(Self {
            last_activity_at: millis.parse().ok()?,
            id: id.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.last_activity_at, self.id.simple())
    }
}

/// A line of somebody's list.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ListRow {
    #[sqlx(flatten)]
    pub(crate) conversation: ConversationRow,
    pub(crate) unread_count: i64,
    pub(crate) unplayed_count: i64,
}

/// Counting stops here (of unplayed ones, so many of the newest are looked at): nobody reads the exact number, and a line of the list must not cost a million rows.
pub(crate) const MAX_COUNT: i64 = 1_000;

/// The conversations that somebody is in, newest activity first.
pub(crate) async fn page(
    c: &mut Conn,
    user_id: Uuid,
    after: Option<Cursor>,
    limit: i64,
) -> sqlx::Result<Vec<ListRow>> {
    let (activity, id) = after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.last_activity_at, cursor.id)
    });
    sqlx::query_as(
        "SELECT c.id, c.kind, c.title, c.live, c.created_at, c.last_activity_at, c.last_seq, c.version,
            (SELECT COUNT(*) FROM (SELECT 1 FROM messages m
              WHERE m.conversation_id = c.id AND m.seq > MAX(s.read_seq, s.joined_seq)
                AND m.sender_id <> $1 AND m.state <> 'deleted' LIMIT $5)) AS unread_count,
            (SELECT COUNT(*) FROM (SELECT m.id FROM messages m
              WHERE m.conversation_id = c.id AND m.seq > s.joined_seq
                AND m.sender_id <> $1 AND m.state <> 'deleted' ORDER BY m.seq DESC LIMIT $5) w
              WHERE NOT EXISTS (SELECT 1 FROM playback p
                WHERE p.user_id = $1 AND p.message_id = w.id AND p.played_at IS NOT NULL)) AS unplayed_count
         FROM memberships s JOIN conversations c ON c.id = s.conversation_id
         WHERE s.user_id = $1 AND s.left_event IS NULL
           AND (c.last_activity_at < $2 OR (c.last_activity_at = $2 AND c.id < $3))
         ORDER BY c.last_activity_at DESC, c.id DESC LIMIT $4",
    )
    .bind(user_id)
    .bind(activity)
    .bind(id)
    .bind(limit)
    .bind(MAX_COUNT)
    .fetch_all(c)
    .await
}

/// Of each conversation the newest message that this person may see, tombstones too.
pub(crate) async fn last_messages(
    c: &mut Conn,
    user_id: Uuid,
    ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, MessageRow>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(messages::select!("WHERE m.conversation_id IN ("));
    push_ids(&mut query, ids);
    query
        .push(
            " AND m.seq = (SELECT x.seq FROM messages x JOIN memberships s
                 ON s.conversation_id = x.conversation_id AND s.joined_seq < x.seq
                AND (s.left_seq IS NULL OR s.left_seq >= x.seq) AND s.user_id = ",
        )
        .push_bind(user_id)
        .push(" WHERE x.conversation_id = m.conversation_id ORDER BY x.seq DESC LIMIT 1)");
    let rows: Vec<MessageRow> = query.build_query_as().fetch_all(c).await?;
    Ok(rows.into_iter().map(|row| (row.conversation_id, row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_one_key() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(direct_key(a, b), direct_key(b, a));
        assert_ne!(direct_key(a, b), direct_key(a, a));
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor {
            last_activity_at: 1_767_261_600_123,
            id: Uuid::from_u128(77),
        };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for bad in ["", ".", "7", "x.y", "7.00"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
