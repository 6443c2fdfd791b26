//! Opening SQLite: WAL, every commit fsynced, one connection that writes and a few that read.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};

use super::{Conn, StoreError};

/// Readers share the machine with decoding; more would only hold memory.
const READERS: u32 = 4;

pub(super) async fn open(path: &Path) -> Result<(Conn, SqlitePool), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-2048")
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging();
    let mut writer = options.connect().await?;
    sqlx::migrate!("./migrations")
        .run(&mut writer)
        .await
        .map_err(|error| {
            StoreError::Unavailable(format!("the schema could not be brought up to date: {error}"))
        })?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
        .connect_with(options.read_only(true).create_if_missing(false))
        .await?;
    Ok((writer, readers))
}
