//! Around each request to a store over the network: a turn, a limit of time, the circuit breaker, repeats after pauses.
//!
//! This is the only place that repeats a request: the library below is told not to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::BlobError;
use crate::clock;
use crate::domain::breaker::{Breaker, Condition, Settings};

/// Before the first repeat; doubles up to [`LONGEST_PAUSE`], and each is shortened at random by up to a half, so that many who
/// failed together do not come back together.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Requests that failed in a row before the breaker opens: several, so that one broken connection does not.
const FAILURES: u32 = 5;
const SHORTEST_OPEN_MS: u64 = 1_000;
/// A store that is back is found within this; deletions promise a minute.
const LONGEST_OPEN_MS: u64 = 15_000;

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// One attempt.
    pub(super) timeout: Duration,
    /// All attempts and pauses.
    pub(super) retry: Duration,
    /// Requests at once.
    pub(super) concurrency: usize,
    /// Requests that wait for their turn.
    pub(super) queue: usize,
}

/// What an attempt came to when it did not succeed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The store is well; the request asked for what there is not.
    Answer(BlobError),
    /// The store did not do its work: it may on the next attempt.
    Failed(String),
    /// The store will not do its work until somebody changes the configuration.
    Refused(String),
}

#[derive(Debug)]
pub(super) struct Guard {
    limits: Limits,
    breaker: Mutex<Breaker>,
    turns: Semaphore,
    waiting: AtomicUsize,
    started: Instant,
    /// Whether the breaker lets requests through.
    there: watch::Sender<bool>,
}

impl Guard {
    pub(super) fn new(limits: Limits) -> Self {
        let probe_ms = u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX);
        tell(Condition::Closed);
        Self {
            breaker: Mutex::new(Breaker::new(Settings {
                failures: FAILURES,
                shortest_ms: SHORTEST_OPEN_MS,
                longest_ms: LONGEST_OPEN_MS,
                probe_ms: probe_ms.saturating_mul(2),
            })),
            turns: Semaphore::new(limits.concurrency),
            waiting: AtomicUsize::new(0),
            started: Instant::now(),
            there: watch::Sender::new(true),
            limits,
        }
    }

    /// Runs `attempt`, again and again while it fails and there is time.
    pub(super) async fn run<T, F>(
        &self,
        operation: &'static str,
        attempt: impl Fn() -> F,
    ) -> Result<T, BlobError>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let deadline = Instant::now() + self.limits.retry.max(self.limits.timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            let turn = self.turn(deadline).await?;
            let ticket = self.admit()?;
            let began = Instant::now();
            let done = timeout_at(deadline.min(began + self.limits.timeout), attempt()).await;
            drop(turn);
            metrics::histogram!("voxpost_store_request_seconds", "operation" => operation)
                .record(began.elapsed());
            let reason = match done {
                Ok(Ok(value)) => {
                    ticket.succeeded();
                    count(operation, "ok");
                    return Ok(value);
                }
                Ok(Err(Fault::Answer(error))) => {
                    ticket.succeeded();
                    count(operation, "answer");
                    return Err(error);
                }
                Ok(Err(Fault::Refused(reason))) => {
                    ticket.failed(&reason);
                    count(operation, "refused");
                    return Err(away(reason));
                }
                Ok(Err(Fault::Failed(reason))) => reason,
                Err(_) => "it did not answer in time".to_owned(),
            };
            ticket.failed(&reason);
            count(operation, "failed");
            let next = Instant::now() + shortened(pause);
            if next >= deadline {
                return Err(away(reason));
            }
            tracing::debug!(operation, reason, "a request to the object store is repeated");
            metrics::counter!("voxpost_store_retries_total", "operation" => operation).increment(1);
            sleep_until(next).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    pub(super) fn condition(&self) -> Condition {
        let now = self.now();
        self.breaker().condition(now)
    }

    /// Returns when requests are let through: at once when they are, else after some probe has succeeded.
    pub(super) async fn until_there(&self) {
        let mut there = self.there.subscribe();
        // The sender lives as long as this does.
        let _ = there.wait_for(|there| *there).await;
    }

    /// Returns when they are not.
    pub(super) async fn until_away(&self) {
        let mut there = self.there.subscribe();
        let _ = there.wait_for(|there| !*there).await;
    }

    /// Waits for a turn; too many waiters are refused.
    async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, BlobError> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let waiter = Waiter::new(&self.waiting);
        if waiter.before >= self.limits.queue {
            return Err(away("too many requests wait for it".to_owned()));
        }
        match timeout_at(deadline, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(away("it takes requests too slowly".to_owned())),
        }
    }

    fn admit(&self) -> Result<Ticket<'_>, BlobError> {
        let now = self.now();
        match self.breaker().admit(now) {
            Ok(()) => Ok(Ticket { guard: Some(self) }),
            Err(wait) => Err(BlobError::Away {
                reason: "it has failed before and is left in peace for a while".to_owned(),
                retry_after: wait.div_ceil(1000).max(1),
            }),
        }
    }

    /// Changes the breaker and tells about it.
    fn change(&self, what: impl FnOnce(&mut Breaker, u64)) -> (Condition, Condition) {
        let now = self.now();
        let mut breaker = self.breaker();
        let before = breaker.condition(now);
        what(&mut breaker, now);
        let after = breaker.condition(now);
        tell(after);
        self.there.send_if_modified(|there| {
            let is = after == Condition::Closed;
            std::mem::replace(there, is) != is
        });
        (before, after)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Who was let through and has not told yet how it went; dropped, nobody will know.
struct Ticket<'a> {
    guard: Option<&'a Guard>,
}

impl Ticket<'_> {
    fn succeeded(mut self) {
        if let Some(guard) = self.guard.take() {
            let (before, _) = guard.change(|breaker, _| breaker.succeeded());
            if before != Condition::Closed {
                tracing::info!("the object store is back");
            }
        }
    }

    fn failed(mut self, reason: &str) {
        if let Some(guard) = self.guard.take() {
            let (before, after) = guard.change(|breaker, now| breaker.failed(now));
            if before == Condition::Closed && after != Condition::Closed {
                tracing::warn!(
                    reason,
                    "the object store is away; new sounds wait on the local disk until it is back"
                );
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(guard) = self.guard {
            guard.change(|breaker, _| breaker.given_up());
        }
    }
}

/// Counted while it waits.
struct Waiter<'a> {
    waiting: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiter<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("voxpost_store_requests_waiting").increment(1.0);
        Self { waiting, before }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("voxpost_store_requests_waiting").decrement(1.0);
    }
}

fn away(reason: String) -> BlobError {
    BlobError::Away {
        reason,
        retry_after: 5,
    }
}

fn shortened(pause: Duration) -> Duration {
    let chance = u32::from_le_bytes(clock::random());
    pause.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}

fn count(operation: &'static str, outcome: &'static str) {
    metrics::counter!("voxpost_store_requests_total", "operation" => operation, "outcome" => outcome)
        .increment(1);
}

fn tell(condition: Condition) {
    for (state, is) in [
        ("closed", Condition::Closed),
        ("half_open", Condition::HalfOpen),
        ("open", Condition::Open),
    ] {
        let value = if condition == is { 1.0 } else { 0.0 };
        metrics::gauge!("voxpost_store_breaker", "state" => state).set(value);
    }
}
