use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use voxpost_proto::Timestamp;
use voxpost_proto::api::Playback;

/// This device's time: read from its clock once and counted from there, so that a clock that is set while something plays
/// does not turn a minute into an hour of listening.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceClock {
    begin: Timestamp,
    since: Instant,
}

impl DeviceClock {
    pub(super) fn start() -> Self {
        let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            begin: Timestamp::from_millis(begin.as_millis() as i64),
            since: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.begin.plus_millis(self.since.elapsed().as_millis() as i64)
    }

    /// How long until then; nothing when it is past.
    pub(super) fn until(&self, at: Timestamp) -> Duration {
        let ms = at.millis().saturating_sub(self.now().millis());
        Duration::from_millis(ms.max(0).unsigned_abs())
    }
}

/// The server's value with its time as this device's clock would have shown it. The two may be hours apart; the length of a
/// break is neither's business but the time between two readings of the same clock.
pub(super) fn as_seen_here(
    playback: Playback,
    servers_now: Option<Timestamp>,
    devices_now: Timestamp,
) -> Playback {
    let shift = servers_now.map_or(0, |servers| devices_now.millis().saturating_sub(servers.millis()));
    Playback {
        updated_at: playback.updated_at.map(|at| at.plus_millis(shift)),
        ..playback
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Heard, Uuid};
    use voxpost_proto::playback::{BREAK_MS, REWIND_MS, resume};

    fn stopped(at: Timestamp) -> Playback {
        Playback {
            version: 3,
            position_ms: 20_000,
            speed: 1.0,
            heard: Heard::default(),
            heard_ms: 0,
            played: false,
            player_id: Some(Uuid::from_u128(1)),
            device_id: None,
            updated_at: Some(at),
        }
    }

    #[test]
    fn a_break_is_as_long_as_it_was_however_wrong_the_device_s_clock_is() {
        let servers_now = Timestamp::from_millis(1_700_000_000_000);
        for wrong_by in [-86_400_000, -90_000, 0, 45_000, 31_536_000_000] {
            let devices_now = servers_now.plus_millis(wrong_by);
            for (ago, rewound) in [
                (0, 0),
                (BREAK_MS as i64 - 1_000, 0),
                (BREAK_MS as i64 + 1_000, REWIND_MS),
            ] {
                let server = stopped(servers_now.plus_millis(-ago));
                let seen = as_seen_here(server, Some(servers_now), devices_now);
                let begin = resume(None, Some(&seen), 60_000, devices_now).position_ms;
                assert_eq!(begin, 20_000 - rewound, "{wrong_by}, {ago}");
            }
        }
    }

    #[test]
    fn without_the_server_s_time_its_value_stays_as_it_is() {
        let server = stopped(Timestamp::from_millis(1_000));
        assert_eq!(
            as_seen_here(server.clone(), None, Timestamp::from_millis(5)),
            server
        );
    }
}
