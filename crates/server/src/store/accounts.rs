//! Users.

use sha2::{Digest, Sha256};
use sqlx::FromRow;
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::{Me, User};

use super::Conn;

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) display_name: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) accepts_voice: bool,
    pub(crate) sends_played_receipts: bool,
    pub(crate) locale: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) deleted_at: Option<i64>,
}

const USER: &str = "id, username, display_name, password_hash, accepts_voice, sends_played_receipts, locale, created_at, deleted_at";

impl UserRow {
    pub(crate) fn user(&self) -> User {
        User {
            id: self.id,
            username: self.username.clone(),
            display_name: self.display_name.clone(),
        }
    }

    pub(crate) fn me(&self) -> Me {
        Me {
            id: self.id,
            username: self.username.clone(),
            display_name: self.display_name.clone(),
            accepts_voice: self.accepts_voice,
            sends_played_receipts: self.sends_played_receipts,
            locale: self.locale.clone(),
            created_at: Timestamp::from_millis(self.created_at),
        }
    }
}

/// Adds a local account; false when the name is taken, or was somebody's once.
pub(crate) async fn insert(
    c: &mut Conn,
    user: &User,
    password_hash: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    add(c, user, Some(password_hash), None, now).await
}

/// Adds the account of somebody of another issuer, who has none yet (see [`of_subject`]); false when the name is taken, or
/// was somebody's once.
pub(crate) async fn insert_of_subject(
    c: &mut Conn,
    user: &User,
    issuer: &str,
    subject: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    add(c, user, None, Some((issuer, subject)), now).await
}

async fn add(
    c: &mut Conn,
    user: &User,
    password_hash: Option<&str>,
    subject: Option<(&str, &str)>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let (issuer, subject) = subject.unzip();
    let done = sqlx::query(
        "INSERT INTO users (id, username, display_name, search_text, password_hash, created_at, issuer, subject)
         SELECT $1, $2, $3, $4, $5, $6, $8, $9
         WHERE NOT EXISTS (SELECT 1 FROM retired_usernames WHERE username_hash = $7)
         ON CONFLICT (username) DO NOTHING",
    )
    .bind(user.id)
    .bind(&user.username)
    .bind(&user.display_name)
    .bind(search_text(&user.username, &user.display_name))
    .bind(password_hash)
    .bind(now.millis())
    .bind(name_hash(&user.username))
    .bind(issuer)
    .bind(subject)
    .execute(c)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What is known of somebody of another issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Unknown,
    Known(Uuid),
    /// Had an account, and deleted it.
    Deleted,
}

/// The account of (issuer, `sub`).
pub(crate) async fn of_subject(c: &mut Conn, issuer: &str, subject: &str) -> sqlx::Result<Subject> {
    let found: Option<Uuid> = sqlx::query_scalar("SELECT id FROM users WHERE issuer = $1 AND subject = $2")
        .bind(issuer)
        .bind(subject)
        .fetch_optional(&mut *c)
        .await?;
    if let Some(id) = found {
        return Ok(Subject::Known(id));
    }
    let deleted: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM retired_subjects WHERE subject_hash = $1)")
            .bind(subject_hash(issuer, subject))
            .fetch_one(c)
            .await?;
    Ok(if deleted {
        Subject::Deleted
    } else {
        Subject::Unknown
    })
}

/// By name, among those that are not deleted.
pub(crate) async fn by_username(c: &mut Conn, username: &str) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE username = $1 AND deleted_at IS NULL"
    )))
    .bind(username)
    .fetch_optional(c)
    .await
}

/// By id, deleted or not.
pub(crate) async fn by_id(c: &mut Conn, id: Uuid) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE id = $1"
    )))
    .bind(id)
    .fetch_optional(c)
    .await
}

/// Writes the settings of `row` and its display name.
pub(crate) async fn update(c: &mut Conn, row: &UserRow) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE users SET display_name = $2, search_text = $3, accepts_voice = $4, sends_played_receipts = $5,
             locale = $6
         WHERE id = $1",
    )
    .bind(row.id)
    .bind(&row.display_name)
    .bind(search_text(&row.username, &row.display_name))
    .bind(row.accepts_voice)
    .bind(row.sends_played_receipts)
    .bind(&row.locale)
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn set_password(c: &mut Conn, id: Uuid, password_hash: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
        .bind(id)
        .bind(password_hash)
        .execute(c)
        .await?;
    Ok(())
}

/// Takes away everything that tells who it was. The row stays, since messages and memberships point to it; the name is
/// never given to anybody else, since others still know it as theirs. A token of another issuer makes no new account of it.
pub(crate) async fn blank(c: &mut Conn, row: &UserRow, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO retired_usernames (username_hash) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(name_hash(&row.username))
        .execute(&mut *c)
        .await?;
    let subject: Option<(String, String)> = sqlx::query_as(
        "SELECT issuer, subject FROM users WHERE id = $1 AND issuer IS NOT NULL AND subject IS NOT NULL",
    )
    .bind(row.id)
    .fetch_optional(&mut *c)
    .await?;
    if let Some((issuer, subject)) = subject {
        sqlx::query("INSERT INTO retired_subjects (subject_hash) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(subject_hash(&issuer, &subject))
            .execute(&mut *c)
            .await?;
    }
    sqlx::query(
        "UPDATE users SET username = $2, display_name = $3, search_text = '', password_hash = NULL, locale = NULL,
             issuer = NULL, subject = NULL, accepts_voice = 0, deleted_at = $4
         WHERE id = $1",
    )
    .bind(row.id)
    .bind(format!("deleted~{}", row.id.simple()))
    .bind("Deleted account")
    .bind(now.millis())
    .execute(c)
    .await?;
    Ok(())
}

/// How well a person fits what was searched, and the name that orders equals: where a page of results goes on.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Found {
    #[sqlx(flatten)]
    pub(crate) user: UserRow,
    /// 0 the name itself, 1 its beginning, 2 the beginning of the display name, 3 anywhere.
    pub(crate) rank: i64,
}

/// People whose name or display name contains `query` (folded), the best fits first, from after (rank, username).
pub(crate) async fn search(
    c: &mut Conn,
    query: &str,
    after: (i64, &str),
    limit: i64,
) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT * FROM (
             SELECT {USER}, CASE WHEN username = $1 THEN 0 WHEN instr(username, $1) = 1 THEN 1
                 WHEN instr(search_text, char(10) || $1) > 0 THEN 2 ELSE 3 END AS rank
             FROM users WHERE instr(search_text, $1) > 0 AND deleted_at IS NULL)
         WHERE (rank, username) > ($2, $3) ORDER BY rank, username LIMIT $4"
    )))
    .bind(query)
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(c)
    .await
}

/// What a search looks into: both names, folded. SQLite folds ASCII alone, so Rust does it.
fn search_text(username: &str, display_name: &str) -> String {
    format!("{username}\n{}", display_name.to_lowercase())
}

fn subject_hash(issuer: &str, subject: &str) -> Vec<u8> {
    // The length in front: no two pairs give the same bytes.
    Sha256::new()
        .chain_update((issuer.len() as u64).to_be_bytes())
        .chain_update(issuer)
        .chain_update(subject)
        .finalize()
        .to_vec()
}

fn name_hash(username: &str) -> Vec<u8> {
    Sha256::digest(username.as_bytes()).to_vec()
}
