use super::loss::Loss;
use super::rng::Rng;
use super::trace::{Fate, Trace};

/// Delay that changes from packet to packet, on top of the shortest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Jitter {
    /// None.
    None,
    /// Exponential, and no packet overtakes another: a queue somewhere. `p95_ms` is that of the packets' whole jitter,
    /// waiting behind others included.
    InOrder {
        /// 95 % of the packets have less.
        p95_ms: f64,
    },
    /// Exponential, each packet by itself: packets overtake each other.
    Reordering {
        /// 95 % of the packets have less.
        p95_ms: f64,
    },
}

/// A network path from sender to receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Delay that every packet has.
    pub base_ms: f64,
    /// Delay that varies.
    pub jitter: Jitter,
    /// Packets that never come.
    pub loss: Loss,
    /// Share of packets that come twice.
    pub duplicates: f64,
    /// Times at which nothing passes: (begin, length) in ms. What was sent meanwhile comes right after.
    pub stalls: Vec<(f64, f64)>,
    /// From this time on the path is longer, or shorter, by so much: (time, change) in ms.
    pub route_change: Option<(f64, f64)>,
    /// The sender's clock runs faster than the receiver's by this many parts in a million.
    pub drift_ppm: f64,
    /// A bottleneck of so many bit/s with a queue of so many bytes; what does not fit is lost.
    pub bottleneck: Option<Bottleneck>,
}

/// The narrowest link of a path, shared with somebody who sends in bursts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bottleneck {
    /// Rate in bit/s.
    pub rate_bps: f64,
    /// Bytes that wait at most.
    pub queue_bytes: f64,
    /// Mean rate of the other traffic, in bit/s, in bursts of 15,000 bytes.
    pub other_bps: f64,
}

impl Default for Path {
    /// A perfect path of 30 ms.
    fn default() -> Self {
        Self {
            base_ms: 30.0,
            jitter: Jitter::None,
            loss: Loss::None,
            duplicates: 0.0,
            stalls: Vec::new(),
            route_change: None,
            drift_ppm: 0.0,
            bottleneck: None,
        }
    }
}

impl Path {
    /// What happens to `packets` of `bytes` each, sent every `interval_ms`. The same seed gives the same fate.
    pub fn trace(&self, packets: usize, interval_ms: f64, bytes: usize, seed: u64) -> Trace {
        let mut rng = Rng::new(seed);
        let lost = self.loss.draw(packets, &mut rng);
        let jitter = self.jitter(packets, interval_ms, &mut rng);
        let mut link = self.bottleneck.map(Link::new);
        let mut fates = Vec::with_capacity(packets);
        for i in 0..packets {
            // By the receiver's clock.
            let sent = i as f64 * interval_ms / (1.0 + self.drift_ppm * 1e-6);
            let through = match &mut link {
                None => Some(sent),
                Some(link) => link.pass(sent, bytes as f64, &mut rng),
            };
            let Some(through) = through.filter(|_| !lost[i]) else {
                fates.push(Fate::Lost);
                continue;
            };
            let mut arrival = through + self.base_ms + jitter[i];
            if let Some((_, change)) = self.route_change.filter(|&(from, _)| sent >= from) {
                arrival = (arrival + change).max(sent);
            }
            for &(begin, length) in &self.stalls {
                if (begin..begin + length).contains(&arrival) {
                    // One after the other, as fast as the link lets them.
                    arrival = begin + length + (arrival - begin) * 0.02;
                }
            }
            let again = rng
                .chance(self.duplicates)
                .then(|| arrival + rng.exponential() * 10.0);
            fates.push(Fate::Arrives {
                at_ms: arrival,
                again,
            });
        }
        Trace {
            interval_ms,
            drift_ppm: self.drift_ppm,
            fates,
        }
    }

    fn jitter(&self, packets: usize, interval_ms: f64, rng: &mut Rng) -> Vec<f64> {
        match self.jitter {
            Jitter::None => vec![0.0; packets],
            Jitter::Reordering { p95_ms } => {
                let mean = p95_ms / 20_f64.ln();
                (0..packets).map(|_| mean * rng.exponential()).collect()
            }
            Jitter::InOrder { p95_ms } => {
                let draws: Vec<f64> = (0..packets).map(|_| rng.exponential()).collect();
                in_order(&draws, interval_ms, p95_ms)
            }
        }
    }
}

/// Scales independent delays so that, after nobody may overtake, the 95th percentile is the one wanted.
fn in_order(draws: &[f64], interval_ms: f64, p95_ms: f64) -> Vec<f64> {
    let scaled = |mean: f64| {
        let mut before = 0.0_f64;
        let delays = draws.iter().map(move |draw| {
            before = (before - interval_ms).max(mean * draw);
            before
        });
        delays.collect::<Vec<_>>()
    };
    let p95 = |delays: &[f64]| {
        let mut sorted = delays.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() * 95 / 100).min(sorted.len() - 1)]
    };
    if draws.is_empty() {
        return Vec::new();
    }
    let (mut low, mut high) = (0.0, p95_ms);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if p95(&scaled(middle)) < p95_ms {
            low = middle;
        } else {
            high = middle;
        }
    }
    scaled(high)
}

/// A queue that empties at a fixed rate.
struct Link {
    settings: Bottleneck,
    waiting_bytes: f64,
    clock_ms: f64,
    next_burst_ms: f64,
}

const BURST_BYTES: f64 = 15_000.0;

impl Link {
    fn new(settings: Bottleneck) -> Self {
        Self {
            settings,
            waiting_bytes: 0.0,
            clock_ms: 0.0,
            next_burst_ms: 0.0,
        }
    }

    /// When a packet sent at `sent` is through, or `None` when the queue is full.
    fn pass(&mut self, sent: f64, bytes: f64, rng: &mut Rng) -> Option<f64> {
        while self.settings.other_bps > 0.0 && self.next_burst_ms <= sent {
            self.drain(self.next_burst_ms);
            self.waiting_bytes = (self.waiting_bytes + BURST_BYTES).min(self.settings.queue_bytes);
            let mean_ms = BURST_BYTES * 8_000.0 / self.settings.other_bps;
            self.next_burst_ms += mean_ms * rng.exponential();
        }
        self.drain(sent);
        if self.waiting_bytes + bytes > self.settings.queue_bytes {
            return None;
        }
        self.waiting_bytes += bytes;
        Some(sent + self.waiting_bytes * 8_000.0 / self.settings.rate_bps)
    }

    fn drain(&mut self, until: f64) {
        let passed = (until - self.clock_ms).max(0.0) * self.settings.rate_bps / 8_000.0;
        self.waiting_bytes = (self.waiting_bytes - passed).max(0.0);
        self.clock_ms = until.max(self.clock_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jitter_p95(path: &Path) -> f64 {
        let trace = path.trace(5_000, 20.0, 80, 3);
        let mut extra: Vec<f64> = trace.delays_ms().flatten().map(|d| d - path.base_ms).collect();
        extra.sort_by(f64::total_cmp);
        extra[extra.len() * 95 / 100]
    }

    #[test]
    fn the_jitter_is_what_was_asked_for() {
        for p95_ms in [20.0, 60.0, 150.0] {
            for jitter in [Jitter::InOrder { p95_ms }, Jitter::Reordering { p95_ms }] {
                let path = Path {
                    jitter,
                    ..Path::default()
                };
                let measured = jitter_p95(&path);
                assert!((measured / p95_ms - 1.0).abs() < 0.1, "{jitter:?}: {measured} ms");
            }
        }
    }

    #[test]
    fn in_order_means_that_none_overtakes() {
        let path = Path {
            jitter: Jitter::InOrder { p95_ms: 150.0 },
            stalls: vec![(3_000.0, 300.0)],
            ..Path::default()
        };
        let arrivals: Vec<f64> = path.trace(500, 20.0, 80, 9).arrivals().map(|a| a.at_ms).collect();
        assert_eq!(arrivals.len(), 500);
        assert!(arrivals.windows(2).all(|w| w[0] <= w[1]));
    }

    #[test]
    fn a_full_queue_loses_and_a_busy_one_delays() {
        let path = Path {
            bottleneck: Some(Bottleneck {
                rate_bps: 500_000.0,
                queue_bytes: 15_500.0,
                other_bps: 350_000.0,
            }),
            ..Path::default()
        };
        let trace = path.trace(5_000, 20.0, 80, 4);
        let delays: Vec<f64> = trace.delays_ms().flatten().collect();
        let longest = delays.iter().copied().fold(0.0, f64::max);
        assert!((200.0..300.0).contains(&longest), "{longest} ms");
        assert!(
            delays.len() < 5_000 && delays.len() > 4_000,
            "{} came",
            delays.len()
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_trace() {
        let path = Path {
            jitter: Jitter::Reordering { p95_ms: 60.0 },
            loss: Loss::Random { share: 0.1 },
            duplicates: 0.02,
            ..Path::default()
        };
        assert_eq!(path.trace(400, 20.0, 80, 5), path.trace(400, 20.0, 80, 5));
        assert_ne!(path.trace(400, 20.0, 80, 5), path.trace(400, 20.0, 80, 6));
    }
}
