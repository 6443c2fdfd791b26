//! How far people have heard messages. Positions come and go encrypted; nothing here can read them.

use sqlx::{FromRow, QueryBuilder, Sqlite};
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::User;

use super::{Conn, push_ids};

/// More names are not listed with a message; all are counted.
const MAX_NAMES: i64 = 50;

/// What is kept for one person and message.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct PlaybackRow {
    pub(crate) user_id: Uuid,
    pub(crate) message_id: Uuid,
    pub(crate) change: i64,
    /// Encrypted.
    pub(crate) state: Vec<u8>,
    pub(crate) duration_ms: Option<i64>,
}

const ROW: &str = "SELECT p.user_id, p.message_id, p.change, p.state, m.duration_ms
    FROM playback p JOIN messages m ON m.id = p.message_id";

/// The state of one person in one message.
pub(crate) async fn state(c: &mut Conn, user_id: Uuid, message_id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT state FROM playback WHERE user_id = $1 AND message_id = $2")
        .bind(user_id)
        .bind(message_id)
        .fetch_optional(c)
        .await
}

/// What the person sees of their change by the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Played {
    /// It became played at this moment.
    pub(crate) at: Option<Timestamp>,
    /// Its sender may know.
    pub(crate) receipt: bool,
}

/// Keeps a new state under the person's next change number. What was played once stays played.
pub(crate) async fn save(
    c: &mut Conn,
    user_id: Uuid,
    message_id: Uuid,
    state: &[u8],
    played: Played,
) -> sqlx::Result<()> {
    let change: i64 = sqlx::query_scalar(
        "INSERT INTO playback_changes (user_id, newest) VALUES ($1, 1)
         ON CONFLICT (user_id) DO UPDATE SET newest = playback_changes.newest + 1 RETURNING newest",
    )
    .bind(user_id)
    .fetch_one(&mut *c)
    .await?;
    sqlx::query(
        "INSERT INTO playback (user_id, message_id, change, played_at, receipt, state) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, message_id) DO UPDATE SET change = excluded.change, state = excluded.state,
             played_at = COALESCE(playback.played_at, excluded.played_at),
             receipt = CASE WHEN playback.played_at IS NULL THEN excluded.receipt ELSE playback.receipt END",
    )
    .bind(user_id)
    .bind(message_id)
    .bind(change)
    .bind(played.at.map(Timestamp::millis))
    .bind(played.receipt)
    .bind(state)
    .execute(c)
    .await?;
    Ok(())
}

/// What changed for a person after `change`, the oldest change first, of messages that they see at present.
pub(crate) async fn since(
    c: &mut Conn,
    user_id: Uuid,
    change: i64,
    limit: i64,
) -> sqlx::Result<Vec<PlaybackRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{ROW} WHERE p.user_id = $1 AND p.change > $2
           AND EXISTS (SELECT 1 FROM memberships s WHERE s.conversation_id = m.conversation_id AND s.user_id = $1
               AND s.left_event IS NULL)
         ORDER BY p.change LIMIT $3"
    )))
    .bind(user_id)
    .bind(change)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// The states of one person in these messages.
pub(crate) async fn of_person(
    c: &mut Conn,
    user_id: Uuid,
    messages: &[Uuid],
) -> sqlx::Result<Vec<PlaybackRow>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(ROW);
    query.push(" WHERE p.user_id = ").push_bind(user_id);
    query.push(" AND p.message_id IN (");
    push_ids(&mut query, messages);
    query.build_query_as().fetch_all(c).await
}

/// Everybody's states in these messages.
pub(crate) async fn of_everybody(c: &mut Conn, messages: &[Uuid]) -> sqlx::Result<Vec<PlaybackRow>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(ROW);
    query.push(" WHERE p.message_id IN (");
    push_ids(&mut query, messages);
    query.build_query_as().fetch_all(c).await
}

/// One who played a message, and how many did.
#[derive(Clone, Debug, FromRow)]
struct ReceiptRow {
    message_id: Uuid,
    id: Uuid,
    username: String,
    display_name: String,
    total: i64,
}

/// Who played these messages, as far as their senders may know: (message, one person, how many there are), the first ones
/// by name.
pub(crate) async fn receipts(c: &mut Conn, messages: &[Uuid]) -> sqlx::Result<Vec<(Uuid, User, i64)>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT r.message_id, u.id, u.username, u.display_name, r.total FROM
             (SELECT message_id, user_id, COUNT(*) OVER (PARTITION BY message_id) AS total,
                     ROW_NUMBER() OVER (PARTITION BY message_id ORDER BY played_at, user_id) AS place
              FROM playback WHERE receipt = 1 AND message_id IN (",
    );
    push_ids(&mut query, messages);
    query
        .push(") r JOIN users u ON u.id = r.user_id WHERE r.place <= ")
        .push_bind(MAX_NAMES)
        .push(" ORDER BY r.message_id, r.place");
    let rows: Vec<ReceiptRow> = query.build_query_as().fetch_all(c).await?;
    let receipt = |row: ReceiptRow| {
        let user = User {
            id: row.id,
            username: row.username,
            display_name: row.display_name,
        };
        (row.message_id, user, row.total)
    };
    Ok(rows.into_iter().map(receipt).collect())
}

/// Forgets all positions in a message.
pub(crate) async fn forget_message(c: &mut Conn, message_id: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM playback WHERE message_id = $1")
        .bind(message_id)
        .execute(c)
        .await?;
    Ok(())
}

/// Forgets all positions of a person.
pub(crate) async fn forget_person(c: &mut Conn, user_id: Uuid) -> sqlx::Result<()> {
    for statement in [
        "DELETE FROM playback WHERE user_id = $1",
        "DELETE FROM playback_changes WHERE user_id = $1",
    ] {
        sqlx::query(statement).bind(user_id).execute(&mut *c).await?;
    }
    Ok(())
}
