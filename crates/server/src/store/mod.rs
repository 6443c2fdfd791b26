//! The database: the only truth. Reads go through a pool, writes through one group-committing [writer](writer::Writer).
//!
//! Functions here take a connection and know SQL; they know no HTTP. Statements use `$1` parameters and portable SQL,
//! so that another database needs few others.

pub(crate) mod accounts;
pub(crate) mod analysis;
pub(crate) mod check;
pub(crate) mod conversations;
pub(crate) mod deletions;
mod error;
pub(crate) mod events;
pub(crate) mod idempotency;
pub(crate) mod invites;
pub(crate) mod marks;
pub(crate) mod members;
pub(crate) mod messages;
mod open;
pub(crate) mod playback;
pub(crate) mod presigned;
pub(crate) mod recordings;
pub(crate) mod renditions;
pub(crate) mod sessions;
pub(crate) mod stays;
pub(crate) mod uploads;
mod writer;

use std::path::Path;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use error::StoreError;
use writer::Writer;

/// The connection type of the database in use.
pub(crate) type Conn = sqlx::SqliteConnection;

/// The open database.
pub(crate) struct Store {
    readers: SqlitePool,
    writer: Writer,
}

impl Store {
    /// Opens the database of a data directory, makes it when it is not there, and brings its schema up to date.
    pub(crate) async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let (connection, readers) = open::open(&data_dir.join("voxpost.db")).await?;
        Ok(Self {
            readers,
            writer: Writer::start(connection),
        })
    }

    /// A connection that sees what is committed.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.readers.acquire().await?)
    }

    /// Runs `job` in a transaction and returns when that is durable. Jobs that wait at the same time share one commit;
    /// a job that fails undoes its own changes and nobody else's. It runs to its end also when the caller goes away.
    ///
    /// ```text
    /// store.write(move |c| Box::pin(async move { accounts::insert(c, &user).await })).await?;
    /// ```
    pub(crate) async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        self.writer.write(job).await
    }

    /// Changes after each commit: a wake-up for whoever follows the events.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.writer.commits()
    }

    /// Waits until what was accepted is committed, then closes the database.
    pub(crate) async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// Appends `id, id, …)` to a query that ends in `IN (`. `ids` must not be empty: SQL has no empty list.
pub(crate) fn push_ids(query: &mut QueryBuilder<Sqlite>, ids: &[Uuid]) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    list.push_unseparated(")");
}
