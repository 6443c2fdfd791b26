//! Sending many messages: as fast as they are taken (closed loop), or at a given rate (open loop).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::people::Ids;
use super::process::Process;
use super::wire::{Template, Wire};
use crate::failure::Failure;
use crate::stats::{Latencies, Summary};

/// How often the server's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One connection and what it sends.
pub(super) struct Sender {
    wire: Wire,
    templates: Vec<Template>,
    next: usize,
}

/// What a load brought.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    /// Messages that were acknowledged with 201.
    pub(super) accepted: usize,
    /// Other answers by status.
    pub(super) refused: BTreeMap<u16, usize>,
    pub(super) seconds: f64,
    pub(super) accepted_per_second: f64,
    /// The rate that was asked for; none in a closed loop.
    pub(super) asked_per_second: Option<f64>,
    /// In an open loop from the instant at which the message was due, so that a server that stalls cannot hide it.
    pub(super) latency: Summary,
    pub(super) server_cpu_seconds: Option<f64>,
    pub(super) generator_cpu_seconds: Option<f64>,
    pub(super) server_rss_max_bytes: Option<u64>,
}

impl Sender {
    pub(super) async fn new(authority: &str, templates: Vec<Template>) -> io::Result<Self> {
        Ok(Self {
            wire: Wire::connect(authority).await?,
            templates,
            next: 0,
        })
    }

    /// Sends one message; gives the status.
    pub(super) async fn send(&mut self, ids: &Ids) -> io::Result<u16> {
        let template = self.next % self.templates.len();
        self.next += 1;
        self.wire
            .exchange(self.templates[template].stamped(ids.fresh()))
            .await
    }

    pub(super) fn answer(&self) -> &[u8] {
        self.wire.body()
    }
}

/// When a sender sends its next message.
pub(super) enum Pace {
    /// At once, until the end.
    Closed { until: Instant },
    /// Message n is due n intervals after the start, whoever sends it.
    Open {
        start: Instant,
        interval: Duration,
        next: Cell<u32>,
        total: u32,
    },
}

impl Pace {
    /// At once, for so long.
    pub(super) fn closed(time: Duration) -> Self {
        Self::Closed {
            until: Instant::now() + time,
        }
    }

    /// `rate` a second, for so long.
    pub(super) fn open(rate: f64, time: Duration) -> Self {
        Self::Open {
            start: Instant::now(),
            interval: Duration::from_secs_f64(1.0 / rate),
            next: Cell::new(0),
            total: (rate * time.as_secs_f64()).ceil() as u32,
        }
    }

    /// Waits for the next message to be due; gives when it was.
    pub(super) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Closed { until } => {
                let now = Instant::now();
                (now < *until).then_some(now)
            }
            Self::Open {
                start,
                interval,
                next,
                total,
            } => {
                let number = next.get();
                if number >= *total {
                    return None;
                }
                next.set(number + 1);
                let due = *start + interval.mul_f64(f64::from(number));
                tokio::time::sleep_until(due.into()).await;
                Some(due)
            }
        }
    }
}

/// Sends as fast as the server takes it.
pub(super) async fn closed(
    senders: &mut [Sender],
    ids: &Ids,
    server: Option<Process>,
    time: Duration,
) -> Result<Outcome, Failure> {
    run(senders, ids, server, &Pace::closed(time), None).await
}

/// Sends `rate` messages a second, however long the server takes.
pub(super) async fn open(
    senders: &mut [Sender],
    ids: &Ids,
    server: Option<Process>,
    rate: f64,
    time: Duration,
) -> Result<Outcome, Failure> {
    run(senders, ids, server, &Pace::open(rate, time), Some(rate)).await
}

async fn run(
    senders: &mut [Sender],
    ids: &Ids,
    server: Option<Process>,
    pace: &Pace,
    rate: Option<f64>,
) -> Result<Outcome, Failure> {
    let (server_before, own_before) = (
        server.and_then(Process::cpu_seconds),
        Process::own().cpu_seconds(),
    );
    let start = Instant::now();
    let mut working: FuturesUnordered<_> = senders.iter_mut().map(|sender| work(sender, ids, pace)).collect();
    let mut rss_max = server.and_then(Process::resident_bytes);
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut latencies = Latencies::default();
    let mut refused: BTreeMap<u16, usize> = BTreeMap::new();
    loop {
        tokio::select! {
            done = working.next() => match done {
                Some(done) => {
                    let (own, statuses) = done.map_err(|error| Failure::other(format!("a connection broke: {error}")))?;
                    latencies.merge(&own);
                    statuses.into_iter().for_each(|(status, count)| *refused.entry(status).or_default() += count);
                }
                None => break,
            },
            _ = look.tick() => rss_max = rss_max.max(server.and_then(Process::resident_bytes)),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let spent = |before: Option<f64>, now: Option<f64>| Some(now? - before?);
    Ok(Outcome {
        accepted: latencies.len(),
        refused,
        seconds,
        accepted_per_second: latencies.len() as f64 / seconds,
        asked_per_second: rate,
        latency: latencies.summary(),
        server_cpu_seconds: spent(server_before, server.and_then(Process::cpu_seconds)),
        generator_cpu_seconds: spent(own_before, Process::own().cpu_seconds()),
        server_rss_max_bytes: rss_max,
    })
}

async fn work(sender: &mut Sender, ids: &Ids, pace: &Pace) -> io::Result<(Latencies, BTreeMap<u16, usize>)> {
    let mut latencies = Latencies::default();
    let mut refused = BTreeMap::new();
    while let Some(due) = pace.next().await {
        match sender.send(ids).await? {
            201 => latencies.add(due.elapsed()),
            status => *refused.entry(status).or_default() += 1,
        }
    }
    Ok((latencies, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_open_loop_is_due_on_time_and_ends_after_the_last() {
        let start = Instant::now();
        let pace = Pace::Open {
            start,
            interval: Duration::from_millis(10),
            next: Cell::new(0),
            total: 3,
        };
        let mut due = Vec::new();
        while let Some(at) = pace.next().await {
            due.push((at - start).as_millis());
        }
        assert_eq!(due, [0, 10, 20]);
    }

    #[tokio::test]
    async fn a_closed_loop_ends_at_its_time() {
        let now = Instant::now();
        assert!(
            Pace::Closed {
                until: now + Duration::from_secs(60)
            }
            .next()
            .await
            .is_some()
        );
        assert!(Pace::Closed { until: now }.next().await.is_none());
    }
}
