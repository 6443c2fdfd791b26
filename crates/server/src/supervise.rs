//! Tasks that must not end: one that panics is started again, and told about.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

/// Before a task is started again, so that one that always panics does not keep a core busy.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs what `task` makes until `stopping`, again and again when it ends or panics.
pub(crate) fn keep_running<F>(
    name: &'static str,
    stopping: CancellationToken,
    task: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    tokio::spawn(async move {
        loop {
            let run = stopping.run_until_cancelled(AssertUnwindSafe(task()).catch_unwind());
            if run.await.is_none() {
                return;
            }
            metrics::counter!("voxpost_task_restarts_total", "task" => name).increment(1);
            tracing::error!(task = name, "a task ended that must not: it is started again");
            if stopping
                .run_until_cancelled(tokio::time::sleep(PAUSE))
                .await
                .is_none()
            {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_and_ends_when_told() {
        let stopping = CancellationToken::new();
        let (runs, again) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (count, notify) = (runs.clone(), again.clone());
        keep_running("test", stopping.clone(), move || {
            let (count, notify) = (count.clone(), notify.clone());
            async move {
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    panic!("a bug, made on purpose by a test");
                }
                notify.notify_one();
                std::future::pending::<()>().await;
            }
        });
        again.notified().await;
        stopping.cancel();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }
}
