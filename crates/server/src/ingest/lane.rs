//! A lane: a few threads of its own and a bounded queue before them. Work on sound never runs on the async threads.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::error::{ApiError, ApiResult};

/// As `nice`: with 15 a busy thread gets a few per cent of a core beside busy others.
#[cfg(target_os = "linux")]
const NICE: i32 = 15;

/// Runs work, and the threads that it starts, so that it gives way to all others.
pub(crate) fn gently<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = thread::scope(|scope| {
        let gentle = scope.spawn(|| {
            give_way();
            work()
        });
        gentle.join()
    });
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Linux keeps a nice value for each thread; where it does not work nothing is lost but politeness.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}

type Job = Box<dyn FnOnce() + Send>;

/// Work in progress on these threads, and a little that waits.
pub(crate) struct Lane {
    name: &'static str,
    queue: mpsc::Sender<Job>,
    retry_after: u64,
}

impl Lane {
    /// Starts the threads. `retry_after` (seconds) is what a caller is told when the queue is full.
    pub(crate) fn start(name: &'static str, threads: usize, queued: usize, retry_after: u64) -> Self {
        Self::with(name, threads, queued, retry_after, || ())
    }

    /// The same with threads that give way to all others.
    pub(crate) fn start_nice(name: &'static str, threads: usize, queued: usize, retry_after: u64) -> Self {
        Self::with(name, threads, queued, retry_after, give_way)
    }

    fn with(
        name: &'static str,
        threads: usize,
        queued: usize,
        retry_after: u64,
        prepare: impl Fn() + Copy + Send + 'static,
    ) -> Self {
        let (queue, jobs) = mpsc::channel::<Job>(queued);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads {
            let jobs = jobs.clone();
            let thread = thread::Builder::new().name(format!("{name}-{number}"));
            let started = thread.spawn(move || {
                prepare();
                loop {
                    let job = jobs
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .blocking_recv();
                    let Some(job) = job else { return };
                    job();
                }
            });
            if let Err(error) = started {
                tracing::error!(%error, lane = name, "a worker thread could not be started");
            }
        }
        Self {
            name,
            queue,
            retry_after,
        }
    }

    /// Runs `work` on one of the threads. It runs to its end also when the caller goes away.
    ///
    /// # Errors
    /// `unavailable` when too much is waiting already. A panic in `work` is a bug that this very input provoked: it comes
    /// back as None.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> ApiResult<Option<T>> {
        let (reply, answer) = oneshot::channel();
        let name = self.name;
        let queued_at = Instant::now();
        let job: Job = Box::new(move || {
            metrics::gauge!("voxpost_lane_waiting", "lane" => name).decrement(1.0);
            metrics::histogram!("voxpost_lane_wait_seconds", "lane" => name).record(queued_at.elapsed());
            let result = catch_unwind(AssertUnwindSafe(work)).ok();
            let _ = reply.send(result);
        });
        metrics::gauge!("voxpost_lane_waiting", "lane" => name).increment(1.0);
        self.queue.try_send(job).map_err(|_| {
            metrics::gauge!("voxpost_lane_waiting", "lane" => name).decrement(1.0);
            metrics::counter!("voxpost_lane_refused_total", "lane" => name).increment(1);
            ApiError::unavailable("The server is busy with other recordings. Try again.")
                .retry_after(self.retry_after)
        })?;
        answer.await.map_err(ApiError::internal)
    }
}
