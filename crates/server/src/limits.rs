//! Rate limits: one bucket for each address or person, in bounded memory. A limit of 0 is none.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;
use voxpost_proto::ErrorCode;

use crate::config::Config;
use crate::error::{ApiError, ApiResult};

/// Keys that are remembered by one limit.
const MAX_KEYS: usize = 65_536;

/// Every limit of the server.
pub(crate) struct Limits {
    sign_ups: Limit<IpAddr>,
    failed_logins: Limit<IpAddr>,
    requests: Limit<Uuid>,
    messages: Limit<Uuid>,
    live_packets: Limit<Uuid>,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            sign_ups: Limit::new("sign_ups", 60.0, config.rate_sign_ups, config.rate_sign_ups),
            failed_logins: Limit::new(
                "failed_logins",
                60.0,
                config.rate_failed_logins,
                config.rate_failed_logins,
            ),
            requests: Limit::new(
                "requests",
                1.0,
                config.rate_requests,
                config.rate_requests.saturating_mul(3),
            ),
            messages: Limit::new(
                "messages",
                1.0,
                config.rate_messages,
                config.rate_messages.saturating_mul(6),
            ),
            live_packets: Limit::new(
                "live_packets",
                1.0,
                config.rate_live_packets,
                config.rate_live_packets.saturating_mul(10),
            ),
        }
    }

    /// One more sign-up from this address.
    pub(crate) fn sign_up(&self, address: Option<IpAddr>) -> ApiResult<()> {
        self.sign_ups.take(address.map(subscriber))
    }

    /// A login that may fail; [`Limits::logged_in`] gives it back. Counted before it is checked, since otherwise guesses made
    /// at the same time would not count.
    pub(crate) fn login(&self, address: Option<IpAddr>) -> ApiResult<()> {
        self.failed_logins.take(address.map(subscriber))
    }

    /// The login did not fail.
    pub(crate) fn logged_in(&self, address: Option<IpAddr>) {
        self.failed_logins.give_back(address.map(subscriber));
    }

    /// One more request of this person.
    pub(crate) fn request(&self, user_id: Uuid) -> ApiResult<()> {
        self.requests.take(Some(user_id))
    }

    /// One more message of this person.
    pub(crate) fn message(&self, user_id: Uuid) -> ApiResult<()> {
        self.messages.take(Some(user_id))
    }

    /// So many packets of this person's recordings were read; returns how long no more should be.
    pub(crate) fn live_packets(&self, user_id: Uuid, count: u32) -> Duration {
        let now = self.live_packets.started.elapsed().as_secs_f64();
        Duration::from_secs_f64(self.live_packets.charge_at(user_id, count, now))
    }
}

/// One subscriber has a whole /64 of IPv6 (RFC 6177 §2), and could else be as many as there are addresses in it.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// The generic cell rate algorithm (ITU-T I.371): of each key only the time at which its bucket is full again is kept.
struct Limit<K> {
    name: &'static str,
    /// Seconds that one takes to come back; None without a limit.
    interval: Option<f64>,
    burst: f64,
    started: Instant,
    full_at: Mutex<HashMap<K, f64>>,
}

impl<K: Hash + Eq> Limit<K> {
    /// `count` in `period` seconds, `burst` at once.
    fn new(name: &'static str, period: f64, count: u32, burst: u32) -> Self {
        Self {
            name,
            interval: (count > 0).then(|| period / f64::from(count)),
            burst: f64::from(burst),
            started: Instant::now(),
            full_at: Mutex::default(),
        }
    }

    fn take(&self, key: Option<K>) -> ApiResult<()> {
        let now = self.started.elapsed().as_secs_f64();
        match self.take_at(key, now) {
            Ok(()) => Ok(()),
            Err(wait) => {
                metrics::counter!("voxpost_rate_limited_total", "limit" => self.name).increment(1);
                let detail = "Too many of these in a short time. Wait and go on.";
                let refused = ApiError::new(ErrorCode::RateLimited, detail);
                Err(refused.retry_after(wait.ceil().max(1.0) as u64))
            }
        }
    }

    /// Seconds to wait when there is none left.
    fn take_at(&self, key: Option<K>, now: f64) -> Result<(), f64> {
        let (Some(interval), Some(key)) = (self.interval, key) else {
            return Ok(());
        };
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= MAX_KEYS && !full_at.contains_key(&key) {
            full_at.retain(|_, at| *at > now);
            // A flood from everywhere: forgetting is better than refusing everybody.
            if full_at.len() >= MAX_KEYS {
                full_at.clear();
            }
        }
        let at = full_at.entry(key).or_insert(now);
        let next = at.max(now) + interval;
        let wait = next - now - interval * self.burst;
        // A hair's breadth for what floating point loses.
        if wait > 1e-9 {
            return Err(wait);
        }
        *at = next;
        Ok(())
    }

    /// Takes `count` whether they are there or not; seconds until none is owed.
    fn charge_at(&self, key: K, count: u32, now: f64) -> f64 {
        let Some(interval) = self.interval else {
            return 0.0;
        };
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= MAX_KEYS && !full_at.contains_key(&key) {
            full_at.retain(|_, at| *at > now);
        }
        let at = full_at.entry(key).or_insert(now);
        *at = at.max(now) + interval * f64::from(count);
        (*at - now - interval * self.burst).max(0.0)
    }

    fn give_back(&self, key: Option<K>) {
        if let (Some(interval), Some(key)) = (self.interval, key)
            && let Some(at) = self
                .full_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_mut(&key)
        {
            *at -= interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_for_each_interval() {
        let limit = Limit::new("test", 60.0, 30, 30);
        for _ in 0..30 {
            limit.take_at(Some(1), 5.0).unwrap();
        }
        let wait = limit.take_at(Some(1), 5.0).unwrap_err();
        assert!((1.9..2.1).contains(&wait), "{wait}");
        limit.take_at(Some(2), 5.0).unwrap();
        limit.take_at(Some(1), 7.1).unwrap();
        assert!(limit.take_at(Some(1), 7.1).is_err());
    }

    #[test]
    fn all_addresses_of_one_subscriber_are_one() {
        let [first, second, other] = ["2001:db8:1:2::5", "2001:db8:1:2:ffff::1", "2001:db8:1:3::5"]
            .map(|text| subscriber(text.parse().unwrap()));
        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(subscriber("192.0.2.1".parse().unwrap()).to_string(), "192.0.2.1");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_zero_is_no_limit() {
        let limit = Limit::new("test", 60.0, 1, 1);
        for _ in 0..10 {
            limit.take_at(Some(1), 0.0).unwrap();
            limit.give_back(Some(1));
        }
        let none = Limit::new("test", 1.0, 0, 0);
        assert!((0..1000).all(|_| none.take_at(Some(1), 0.0).is_ok()));
    }

    #[test]
    fn memory_is_bounded() {
        let limit = Limit::new("test", 60.0, 1, 1);
        for key in 0..3 * MAX_KEYS {
            let _ = limit.take_at(Some(key), 0.0);
        }
        assert!(limit.full_at.lock().unwrap().len() <= MAX_KEYS);
    }
}
