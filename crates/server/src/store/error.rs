//! What can go wrong below the rules.

/// A failure of the database, apart from what a caller did wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The database cannot be used right now (read-only, locked, I/O error, shutting down).
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A statement failed that should not.
    #[error(transparent)]
    Sql(sqlx::Error),
}

impl StoreError {
    /// The same failure for everybody whose changes were in the same commit.
    pub(crate) fn for_each_of_group(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Unavailable(reason) => Self::Unavailable(reason.clone()),
            Self::Sql(error) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // Primary result codes of SQLite, the low byte of the extended ones: https://www.sqlite.org/rescode.html
        const BUSY: i32 = 5;
        const READONLY: i32 = 8;
        const IOERR: i32 = 10;
        const FULL: i32 = 13;
        const CANTOPEN: i32 = 14;
        match &error {
            sqlx::Error::Database(inner) => {
                let code = inner
                    .code()
                    .and_then(|code| code.parse::<i32>().ok())
                    .unwrap_or_default();
                match code & 0xff {
                    FULL => Self::Full,
                    BUSY | READONLY | IOERR | CANTOPEN => Self::Unavailable(inner.to_string()),
                    _ => Self::Sql(error),
                }
            }
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            _ => Self::Sql(error),
        }
    }
}
