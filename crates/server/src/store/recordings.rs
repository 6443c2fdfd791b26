//! Recordings and their log of packets.

use std::collections::HashSet;

use sqlx::{FromRow, QueryBuilder, Sqlite};
use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::Conn;

/// Rows in one statement: each statement is a way to the thread of the database and back, and a flush of thousands of
/// recordings would be made of little else.
const TOGETHER: usize = 64;

/// A row of `recordings`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct RecordingRow {
    pub(crate) message_id: Uuid,
    pub(crate) sender_id: Uuid,
    /// `recording`, `draft`, `finished`, `stored`.
    pub(crate) state: String,
    pub(crate) token_hash: Vec<u8>,
    pub(crate) node: Uuid,
    pub(crate) live: bool,
    pub(crate) channels: i64,
    pub(crate) pre_skip: i64,
    pub(crate) frame_samples: i64,
    pub(crate) first_sequence: i64,
    pub(crate) packets: Option<i64>,
    pub(crate) end_samples: Option<i64>,
    pub(crate) changed_at: i64,
}

impl RecordingRow {
    /// Whether more packets may come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "recording" | "draft")
    }
}

/// Consecutive packets.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct LogRow {
    pub(crate) first_sequence: i64,
    pub(crate) packet_count: i64,
    pub(crate) samples: i64,
    pub(crate) packets: Vec<u8>,
}

/// A run of the log without its packets.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct LogRun {
    pub(crate) first_sequence: i64,
    pub(crate) packet_count: i64,
    pub(crate) samples: i64,
    pub(crate) bytes: i64,
}

pub(crate) async fn insert(c: &mut Conn, row: &RecordingRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO recordings (message_id, sender_id, state, token_hash, node, live, channels, pre_skip, frame_samples,
             first_sequence, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(row.message_id)
    .bind(row.sender_id)
    .bind(&row.state)
    .bind(&row.token_hash)
    .bind(row.node)
    .bind(row.live)
    .bind(row.channels)
    .bind(row.pre_skip)
    .bind(row.frame_samples)
    .bind(row.first_sequence)
    .bind(row.changed_at)
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn by_id(c: &mut Conn, message_id: Uuid) -> sqlx::Result<Option<RecordingRow>> {
    sqlx::query_as("SELECT * FROM recordings WHERE message_id = $1")
        .bind(message_id)
        .fetch_optional(c)
        .await
}

/// Those in a state, oldest first.
pub(crate) async fn in_state(c: &mut Conn, state: &str) -> sqlx::Result<Vec<RecordingRow>> {
    sqlx::query_as("SELECT * FROM recordings WHERE state = $1 ORDER BY changed_at")
        .bind(state)
        .fetch_all(c)
        .await
}

/// A person's drafts, newest first.
pub(crate) async fn drafts(c: &mut Conn, sender_id: Uuid, limit: i64) -> sqlx::Result<Vec<RecordingRow>> {
    sqlx::query_as(
        "SELECT * FROM recordings WHERE sender_id = $1 AND state = 'draft' ORDER BY message_id DESC LIMIT $2",
    )
    .bind(sender_id)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// Drafts from before `then`.
pub(crate) async fn old_drafts(c: &mut Conn, then: Timestamp, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("SELECT message_id FROM recordings WHERE state = 'draft' AND changed_at < $1 LIMIT $2")
        .bind(then.millis())
        .bind(limit)
        .fetch_all(c)
        .await
}

/// How many recordings of a person are going on.
pub(crate) async fn count_open(c: &mut Conn, sender_id: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM recordings WHERE sender_id = $1 AND state = 'recording'")
        .bind(sender_id)
        .fetch_one(c)
        .await
}

/// Bytes and samples at 48 kHz of a person's recordings that are not finished.
pub(crate) async fn unfinished_of(c: &mut Conn, sender_id: Uuid) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "SELECT COALESCE(SUM(LENGTH(l.packets)), 0), COALESCE(SUM(l.samples), 0)
         FROM recording_log l JOIN recordings r ON r.message_id = l.message_id
         WHERE r.sender_id = $1 AND r.state IN ('recording', 'draft')",
    )
    .bind(sender_id)
    .fetch_one(c)
    .await
}

/// Lets `node` write an open recording, with a new token if one is given; false when it is not open.
pub(crate) async fn take_over(
    c: &mut Conn,
    message_id: Uuid,
    node: Uuid,
    token_hash: Option<&[u8]>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE recordings SET state = 'recording', node = $2, token_hash = COALESCE($3, token_hash), changed_at = $4
         WHERE message_id = $1 AND state IN ('recording', 'draft')",
    )
    .bind(message_id)
    .bind(node)
    .bind(token_hash)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Turns a recording of this node into a draft; false when it is none any more.
pub(crate) async fn make_draft(
    c: &mut Conn,
    message_id: Uuid,
    node: Uuid,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE recordings SET state = 'draft', changed_at = $3
         WHERE message_id = $1 AND node = $2 AND state = 'recording'",
    )
    .bind(message_id)
    .bind(node)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Those of the recordings that `node` may append to.
pub(crate) async fn appendable(c: &mut Conn, node: Uuid, ids: &[Uuid]) -> sqlx::Result<HashSet<Uuid>> {
    let mut found = HashSet::with_capacity(ids.len());
    for ids in ids.chunks(TOGETHER) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT message_id FROM recordings WHERE state = 'recording' AND node = ",
        );
        query.push_bind(node).push(" AND message_id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id);
        }
        query.push(")");
        let query = query
            .build_query_scalar::<Uuid>()
            .persistent(ids.len() == TOGETHER);
        found.extend(query.fetch_all(&mut *c).await?);
    }
    Ok(found)
}

/// Appends rows to the logs of any recordings.
pub(crate) async fn append(c: &mut Conn, rows: &[(Uuid, &LogRow)]) -> sqlx::Result<()> {
    for rows in rows.chunks(TOGETHER) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO recording_log (message_id, first_sequence, packet_count, samples, packets) ",
        );
        query.push_values(rows, |mut values, (id, row)| {
            values
                .push_bind(*id)
                .push_bind(row.first_sequence)
                .push_bind(row.packet_count)
                .push_bind(row.samples)
                .push_bind(row.packets.as_slice());
        });
        let query = query.build().persistent(rows.len() == TOGETHER);
        query.execute(&mut *c).await?;
    }
    Ok(())
}

/// What is in the log, without the packets.
pub(crate) async fn runs(c: &mut Conn, message_id: Uuid) -> sqlx::Result<Vec<LogRun>> {
    sqlx::query_as(
        "SELECT first_sequence, packet_count, samples, LENGTH(packets) AS bytes FROM recording_log
         WHERE message_id = $1 ORDER BY first_sequence",
    )
    .bind(message_id)
    .fetch_all(c)
    .await
}

/// Runs that reach to `sequence` or beyond, in order.
pub(crate) async fn log_from(
    c: &mut Conn,
    message_id: Uuid,
    sequence: u32,
    limit: i64,
) -> sqlx::Result<Vec<LogRow>> {
    sqlx::query_as(
        "SELECT first_sequence, packet_count, samples, packets FROM recording_log
         WHERE message_id = $1 AND first_sequence + packet_count > $2 ORDER BY first_sequence LIMIT $3",
    )
    .bind(message_id)
    .bind(i64::from(sequence))
    .bind(limit)
    .fetch_all(c)
    .await
}

/// Ends an open recording; false when it is not open.
pub(crate) async fn finish(
    c: &mut Conn,
    message_id: Uuid,
    packets: i64,
    end_samples: i64,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE recordings SET state = 'finished', packets = $2, end_samples = $3, changed_at = $4
         WHERE message_id = $1 AND state IN ('recording', 'draft')",
    )
    .bind(message_id)
    .bind(packets)
    .bind(end_samples)
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The object is stored: the log goes, and the sound waits to be measured. False when the message was deleted meanwhile.
pub(crate) async fn stored(c: &mut Conn, message_id: Uuid, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE messages SET analysis = 'pending' WHERE id = $1 AND state = 'ready'")
        .bind(message_id)
        .execute(&mut *c)
        .await?;
    sqlx::query("UPDATE recordings SET state = 'stored', changed_at = $2 WHERE message_id = $1")
        .bind(message_id)
        .bind(now.millis())
        .execute(&mut *c)
        .await?;
    forget_log(c, message_id).await?;
    Ok(done.rows_affected() == 1)
}

/// Everything of a message that is deleted.
pub(crate) async fn forget(c: &mut Conn, message_id: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM recordings WHERE message_id = $1")
        .bind(message_id)
        .execute(&mut *c)
        .await?;
    forget_log(c, message_id).await
}

async fn forget_log(c: &mut Conn, message_id: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM recording_log WHERE message_id = $1")
        .bind(message_id)
        .execute(c)
        .await?;
    Ok(())
}
