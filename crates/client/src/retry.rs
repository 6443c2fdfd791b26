//! When a request or a connection is tried again.

use std::time::Duration;

/// How often, and after which pauses, something that failed for the moment is tried again.
///
/// The pause doubles with each failure up to `longest`, and is then drawn from its upper half, so that many clients that
/// lost the same server do not come back together. A server that says when (`Retry-After`) is never asked sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many times it is tried in all; 1 never repeats.
    pub attempts: u32,
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause of our own choosing.
    pub longest: Duration,
    /// A server that asks for more patience than this is not waited for.
    pub longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts within about a second and a half.
    fn default() -> Self {
        Self {
            attempts: 4,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            longest_retry_after: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// For calls that must be answered at once, or not at all.
    pub const NEVER: Self = Self {
        attempts: 1,
        first: Duration::ZERO,
        longest: Duration::ZERO,
        longest_retry_after: Duration::ZERO,
    };

    /// For an upload that has begun: as long as a train is in a tunnel, about four minutes without progress.
    pub const PATIENT: Self = Self {
        attempts: 30,
        first: Duration::from_millis(250),
        longest: Duration::from_secs(10),
        longest_retry_after: Duration::from_secs(60),
    };

    /// For a connection that is wanted for good.
    pub const FOREVER: Self = Self {
        attempts: u32::MAX,
        first: Duration::from_millis(250),
        longest: Duration::from_secs(30),
        longest_retry_after: Duration::from_secs(3600),
    };

    /// The pause after `failures` failures in a row, or `None` when it is time to give up.
    ///
    /// `jitter` is a random number from 0 to 1; `retry_after` what the server asked for.
    pub fn pause(&self, failures: u32, retry_after: Option<Duration>, jitter: f64) -> Option<Duration> {
        if failures >= self.attempts || retry_after.is_some_and(|wait| wait > self.longest_retry_after) {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(16);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        let own = full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        Some(own.max(retry_after.unwrap_or_default()))
    }
}

/// A random number from 0 to 1 for [`RetryPolicy::pause`]; 1 when the system has no randomness to give.
pub(crate) fn jitter() -> f64 {
    getrandom::u32().map_or(1.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 10,
        first: Duration::from_millis(100),
        longest: Duration::from_secs(1),
        longest_retry_after: Duration::from_secs(60),
    };

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u128> = (1..=6)
            .map(|n| POLICY.pause(n, None, 1.0).unwrap().as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_pause() {
        assert_eq!(POLICY.pause(2, None, 0.0), Some(Duration::from_millis(100)));
        assert_eq!(POLICY.pause(2, None, 0.5), Some(Duration::from_millis(150)));
        assert_eq!(POLICY.pause(2, None, f64::MAX), Some(Duration::from_millis(200)));
    }

    #[test]
    fn a_server_is_not_asked_before_it_said() {
        let seven = Duration::from_secs(7);
        assert_eq!(POLICY.pause(1, Some(seven), 0.0), Some(seven));
    }

    #[test]
    fn it_gives_up_after_the_last_attempt_or_when_asked_for_too_much_patience() {
        assert_eq!(POLICY.pause(10, None, 0.0), None);
        assert_eq!(POLICY.pause(1, Some(Duration::from_secs(61)), 0.0), None);
        assert_eq!(RetryPolicy::NEVER.pause(1, None, 0.0), None);
    }

    #[test]
    fn many_failures_do_not_overflow() {
        assert_eq!(
            RetryPolicy::FOREVER.pause(u32::MAX - 1, None, 1.0),
            Some(Duration::from_secs(30))
        );
    }
}
