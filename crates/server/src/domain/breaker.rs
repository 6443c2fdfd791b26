//! A circuit breaker: whether a service that has failed may be asked again.
//!
//! Closed, everything passes. After [`Settings::failures`] failures in a row it opens: nothing passes for a while, so that
//! callers hear at once that the service is away and the service is left in peace. Then it is half open: one request at a time
//! passes as a probe; its success closes the breaker, its failure opens it again, for twice as long up to a bound.

/// When it opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// So many failures in a row open it.
    pub(crate) failures: u32,
    /// How long it stays open at first, in milliseconds; twice as long after each failed probe.
    pub(crate) shortest_ms: u64,
    /// And at most.
    pub(crate) longest_ms: u64,
    /// A probe of which nothing was heard for so long, in milliseconds, is taken for lost.
    pub(crate) probe_ms: u64,
}

/// What a breaker is like, for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Closed,
    HalfOpen,
    Open,
}

impl Condition {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half open",
            Self::Open => "open",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: u64,
        pause: u64,
    },
    /// With the time when the probe under way was let through.
    HalfOpen {
        probe: Option<u64>,
        pause: u64,
    },
}

/// The machine. Times are milliseconds of any clock that does not go back.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: Settings,
    state: State,
}

impl Breaker {
    /// A closed one.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Closed { failures: 0 },
        }
    }

    /// Whether a request may go out now. Who is let through tells how it went: [`succeeded`](Self::succeeded),
    /// [`failed`](Self::failed) or [`given_up`](Self::given_up).
    ///
    /// # Errors
    /// Milliseconds after which to ask again.
    pub(crate) fn admit(&mut self, now: u64) -> Result<(), u64> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if now < until => Err(until - now),
            State::Open { pause, .. } => {
                self.state = State::HalfOpen {
                    probe: Some(now),
                    pause,
                };
                Ok(())
            }
            State::HalfOpen {
                probe: Some(since), ..
            } if now < since.saturating_add(self.settings.probe_ms) => {
                Err(since.saturating_add(self.settings.probe_ms) - now)
            }
            State::HalfOpen { pause, .. } => {
                self.state = State::HalfOpen {
                    probe: Some(now),
                    pause,
                };
                Ok(())
            }
        }
    }

    /// The service answered. An answer to a request of before it opened closes it as well: the service is there.
    pub(crate) fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// The service failed.
    pub(crate) fn failed(&mut self, now: u64) {
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < self.settings.failures => State::Closed {
                failures: failures + 1,
            },
            State::Closed { .. } => State::Open {
                until: now + self.settings.shortest_ms,
                pause: self.settings.shortest_ms,
            },
            // A request of before it opened: that it fails too is no news.
            State::Open { .. } => self.state,
            State::HalfOpen { pause, .. } => {
                let pause = pause.saturating_mul(2).min(self.settings.longest_ms);
                State::Open {
                    until: now + pause,
                    pause,
                }
            }
        };
    }

    /// The request came to no end: its caller went away. Another one may be the probe.
    pub(crate) fn given_up(&mut self) {
        if let State::HalfOpen { pause, .. } = self.state {
            self.state = State::HalfOpen { probe: None, pause };
        }
    }

    /// What it is like at `now`.
    pub(crate) fn condition(&self, now: u64) -> Condition {
        match self.state {
            State::Closed { .. } => Condition::Closed,
            State::Open { until, .. } if now < until => Condition::Open,
            State::Open { .. } | State::HalfOpen { .. } => Condition::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: Settings = Settings {
        failures: 3,
        shortest_ms: 1_000,
        longest_ms: 5_000,
        probe_ms: 10_000,
    };

    fn opened_at(now: u64) -> Breaker {
        let mut breaker = Breaker::new(SETTINGS);
        for _ in 0..SETTINGS.failures {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        assert_eq!(breaker.condition(now), Condition::Open);
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not_let_it() {
        let mut breaker = Breaker::new(SETTINGS);
        for now in 0..100 {
            breaker.failed(now);
            breaker.failed(now);
            breaker.succeeded();
        }
        assert_eq!(breaker.condition(100), Condition::Closed);
        let mut breaker = opened_at(500);
        assert_eq!(breaker.admit(700), Err(800));
    }

    #[test]
    fn when_the_pause_is_over_one_probe_passes_and_its_success_closes_it() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.condition(1_000), Condition::HalfOpen);
        assert_eq!(breaker.admit(1_000), Ok(()));
        assert!(breaker.admit(1_000).is_err());
        breaker.succeeded();
        assert_eq!(breaker.condition(1_001), Condition::Closed);
        assert_eq!(breaker.admit(1_001), Ok(()));
        assert_eq!(breaker.admit(1_001), Ok(()));
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_the_bound() {
        let mut breaker = opened_at(0);
        let mut now = 0;
        for pause in [1_000, 2_000, 4_000, 5_000, 5_000] {
            assert_eq!(breaker.admit(now), Err(pause));
            now += pause;
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
    }

    #[test]
    fn a_service_that_is_away_for_ten_minutes_is_asked_rarely_and_found_soon() {
        let mut breaker = opened_at(0);
        let mut asked = 0;
        for now in (0..600_000).step_by(10) {
            if breaker.admit(now).is_ok() {
                asked += 1;
                breaker.failed(now);
            }
        }
        assert!((100..=130).contains(&asked), "{asked}");
        let found = (600_000..).find(|now| breaker.admit(*now).is_ok()).unwrap();
        breaker.succeeded();
        assert!(found - 600_000 <= SETTINGS.longest_ms);
    }

    #[test]
    fn a_probe_that_is_given_up_or_lost_does_not_block_the_next() {
        let mut breaker = opened_at(0);
        assert_eq!(breaker.admit(1_000), Ok(()));
        breaker.given_up();
        assert_eq!(breaker.admit(1_001), Ok(()));
        assert_eq!(breaker.admit(1_002), Err(9_999));
        assert_eq!(breaker.admit(11_001), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_happens_it_never_stays_shut_longer_than_its_bounds(steps in prop::collection::vec((0_u8..4, 0_u64..3_000), 0..200)) {
            let mut breaker = Breaker::new(SETTINGS);
            let mut now = 0;
            for (what, later) in steps {
                now += later;
                match what {
                    0 => breaker.succeeded(),
                    1 => breaker.failed(now),
                    2 => breaker.given_up(),
                    _ => {
                        if let Err(wait) = breaker.admit(now) {
                            prop_assert!(wait > 0 && wait <= SETTINGS.probe_ms.max(SETTINGS.longest_ms));
                            prop_assert_ne!(breaker.condition(now), Condition::Closed);
                        }
                    }
                }
            }
        }
    }
}
