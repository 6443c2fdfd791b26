//! One writer that commits in groups: whatever waits goes into one transaction and shares one fsync.
//!
//! Each job runs in its own savepoint, so that one that fails leaves no trace and does no harm to the others.
//! Nobody hears of success before the commit is durable.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{Connection, Executor};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Conn, StoreError};

/// How many jobs may wait: beyond it callers wait for a place, which slows them down instead of using memory.
const QUEUE: usize = 1024;

/// The most jobs in one transaction, so that nobody waits for ever behind a crowd.
const GROUP: usize = 256;

pub(super) struct Writer {
    jobs: mpsc::Sender<Command>,
    commits: watch::Receiver<u64>,
}

enum Command {
    Run(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn start(connection: Conn) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (committed, commits) = watch::channel(0);
        tokio::spawn(run(connection, queue, committed));
        Self { jobs, commits }
    }

    pub(super) async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Pending {
            job: Some(job),
            result: None,
            reply,
        });
        self.jobs.send(Command::Run(job)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    pub(super) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.jobs.send(Command::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the server is shutting down".into())
}

/// A job without its types, so that jobs of all kinds can stand in one queue.
trait Job: Send {
    /// Runs it; false when its changes must be undone.
    fn run<'j>(&'j mut self, connection: &'j mut Conn) -> BoxFuture<'j, bool>;
    /// Tells the caller, once it is certain what became of it.
    fn finish(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Pending<T, E, F> {
    job: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Pending<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
{
    fn run<'j>(&'j mut self, connection: &'j mut Conn) -> BoxFuture<'j, bool> {
        Box::pin(async move {
            let Some(job) = self.job.take() else { return false };
            // A panic is a bug in one job: it must not take the writer, and with it every other write, along.
            let result = match AssertUnwindSafe(job(connection)).catch_unwind().await {
                Ok(result) => result,
                Err(_) => Err(StoreError::Unavailable("a write failed in an unforeseen way".into()).into()),
            };
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>) {
        let result = match (commit, self.result) {
            // Its own refusal stands, whatever became of the others.
            (_, Some(Err(refused))) => Err(refused),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(closed().into()),
        };
        let _ = self.reply.send(result);
    }
}

async fn run(mut connection: Conn, mut queue: mpsc::Receiver<Command>, committed: watch::Sender<u64>) {
    while let Some(command) = queue.recv().await {
        let first = match command {
            Command::Run(job) => job,
            Command::Close(done) => {
                queue.close();
                if let Err(error) = connection.close().await {
                    tracing::warn!(%error, "the database did not close cleanly");
                }
                let _ = done.send(());
                return;
            }
        };
        let mut group = Vec::new();
        let mut close = None;
        let began = Instant::now();
        let outcome = commit_group(&mut connection, first, &mut queue, &mut group, &mut close).await;
        metrics::histogram!("voxpost_commit_seconds").record(began.elapsed());
        metrics::histogram!("voxpost_commit_jobs").record(group.len() as f64);
        metrics::gauge!("voxpost_writes_waiting").set(queue.len() as f64);
        if let Err(error) = &outcome {
            metrics::counter!("voxpost_commits_failed_total").increment(1);
            tracing::warn!(%error, jobs = group.len(), "a group of writes was undone");
            // Fails when SQLite has rolled back by itself, which is what is wanted.
            let _ = connection.execute("ROLLBACK").await;
        }
        for job in group {
            job.finish(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(error.for_each_of_group()),
            });
        }
        if outcome.is_ok() {
            committed.send_modify(|count| *count += 1);
        }
        if let Some(done) = close {
            queue.close();
            let _ = connection.close().await;
            let _ = done.send(());
            return;
        }
    }
}

/// Runs `first` and whatever else is waiting in one transaction. All jobs that were taken are in `group` afterwards.
async fn commit_group(
    connection: &mut Conn,
    first: Box<dyn Job>,
    queue: &mut mpsc::Receiver<Command>,
    group: &mut Vec<Box<dyn Job>>,
    close: &mut Option<oneshot::Sender<()>>,
) -> Result<(), StoreError> {
    group.push(first);
    connection.execute("BEGIN IMMEDIATE").await?;
    let mut next = 0;
    loop {
        connection.execute("SAVEPOINT job").await?;
        if !group[next].run(connection).await {
            connection.execute("ROLLBACK TO job").await?;
        }
        connection.execute("RELEASE job").await?;
        next += 1;
        if next >= GROUP || close.is_some() {
            break;
        }
        match queue.try_recv() {
            Ok(Command::Run(job)) => group.push(job),
            Ok(Command::Close(done)) => {
                *close = Some(done);
                break;
            }
            Err(_) => break,
        }
    }
    connection.execute("COMMIT").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        (dir, store)
    }

    async fn put(store: &Store, key: &'static str, fail: bool) -> Result<(), StoreError> {
        store
            .write(move |c| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, 'x')")
                        .bind(key)
                        .execute(c)
                        .await?;
                    if fail {
                        Err(StoreError::Unavailable("as asked".into()))
                    } else {
                        Ok(())
                    }
                })
            })
            .await
    }

    async fn keys(store: &Store) -> Vec<String> {
        let mut c = store.read().await.unwrap();
        // But for what every database has.
        sqlx::query_scalar("SELECT key FROM meta WHERE key <> 'installation' ORDER BY key")
            .fetch_all(&mut *c)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_job_that_fails_undoes_its_own_changes_and_nobody_elses() {
        let (_dir, store) = store().await;
        let (a, b, c) = tokio::join!(
            put(&store, "a", false),
            put(&store, "b", true),
            put(&store, "c", false)
        );
        assert!(a.is_ok() && b.is_err() && c.is_ok());
        assert_eq!(keys(&store).await, ["a", "c"]);
    }

    #[tokio::test]
    async fn a_job_that_panics_does_not_stop_the_writer() {
        let (_dir, store) = store().await;
        let result: Result<(), StoreError> = store
            .write(|_| Box::pin(async { panic!("a bug, made on purpose by a test") }))
            .await;
        assert!(result.is_err());
        put(&store, "after", false).await.unwrap();
        assert_eq!(keys(&store).await, ["after"]);
    }

    #[tokio::test]
    async fn jobs_that_wait_together_share_commits() {
        let (_dir, store) = store().await;
        let before = *store.commits().borrow();
        let writes: Vec<_> = (0..200)
            .map(|i| {
                store.write::<_, StoreError, _>(move |c| {
                    Box::pin(async move {
                        sqlx::query("INSERT INTO meta (key, value) VALUES ($1, 'x')")
                            .bind(format!("k{i}"))
                            .execute(c)
                            .await?;
                        Ok(())
                    })
                })
            })
            .collect();
        for result in futures_util::future::join_all(writes).await {
            result.unwrap();
        }
        assert!(*store.commits().borrow() - before < 200);
        assert_eq!(keys(&store).await.len(), 200);
    }

    #[tokio::test]
    async fn what_was_accepted_before_closing_is_there_after_opening() {
        let (dir, store) = store().await;
        put(&store, "kept", false).await.unwrap();
        store.close().await;
        assert!(put(&store, "late", false).await.is_err());
        let again = Store::open(dir.path()).await.unwrap();
        assert_eq!(keys(&again).await, ["kept"]);
    }
}
