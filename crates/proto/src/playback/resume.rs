//! Where a player begins.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Journal;
use crate::Timestamp;
use crate::api::Playback;

/// After a longer break a player goes back a little.
pub const BREAK_MS: u64 = 60_000;

/// How far: enough to find the thread again.
pub const REWIND_MS: i64 = 3_000;

/// Who stopped this close to the end has heard it, and begins again from the start.
const END_MS: i64 = 250;

/// Two positions closer than this are one for people.
const SAME_MS: i64 = 1_000;

/// Whose value it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This device's, which the server does not know yet.
    Local,
    /// The server's.
    Server,
    /// Nobody's: the start.
    Start,
}

/// Another device moved too: "continue at 2:13 from your phone?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Where to go on there.
    pub position_ms: i64,
    /// Whose it is.
    pub device_id: Option<Uuid>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Begin here.
    pub position_ms: i64,
    /// Whose value that is.
    pub origin: Origin,
    /// To show; a person decides.
    pub offer: Option<Offer>,
}

/// The position of this device that the server does not have yet, else the server's, else the start; [`REWIND_MS`] before it
/// when the break was longer than [`BREAK_MS`]. `now` is this device's clock. One that is wrong costs no more than a rewind.
pub fn resume(
    journal: Option<&Journal>,
    server: Option<&Playback>,
    duration_ms: i64,
    now: Timestamp,
) -> Resume {
    let local = journal.filter(|journal| journal.moved);
    let server = server.filter(|server| server.version > 0);
    let begin = |position_ms: i64, at: Option<Timestamp>, origin, offer| {
        let long = at.is_some_and(|at| now.millis().abs_diff(at.millis()) > BREAK_MS);
        let position_ms = position_ms.clamp(0, duration_ms.max(0));
        let position_ms = match position_ms {
            at_end if at_end >= duration_ms - END_MS => 0,
            inside if long => (inside - REWIND_MS).max(0),
            inside => inside,
        };
        Resume {
            position_ms,
            origin,
            offer,
        }
    };
    match (local, server) {
        (Some(local), server) => {
            let offer = server
                .filter(|server| server.version > local.base_version)
                .filter(|server| server.player_id != Some(local.player_id))
                .filter(|server| server.position_ms.abs_diff(local.position_ms) >= SAME_MS.unsigned_abs())
                .map(|server| Offer {
                    position_ms: server.position_ms,
                    device_id: server.device_id,
                });
            begin(local.position_ms, Some(local.at), Origin::Local, offer)
        }
        (None, Some(server)) => begin(server.position_ms, server.updated_at, Origin::Server, None),
        (None, None) => begin(0, None, Origin::Start, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::Heard;

    const DURATION: i64 = 300_000;

    fn now() -> Timestamp {
        Timestamp::from_millis(10_000_000)
    }

    fn local(position_ms: i64, base_version: i64, moved: bool, ago_ms: i64) -> Journal {
        Journal {
            player_id: Uuid::from_u128(1),
            sequence: 1,
            base_version,
            position_ms,
            speed: 1.0,
            moved,
            heard: Heard::default(),
            ended: false,
            at: now().plus_millis(-ago_ms),
        }
    }

    fn server(position_ms: i64, version: i64, player: u128, ago_ms: i64) -> Playback {
        Playback {
            version,
            position_ms,
            speed: 1.0,
            heard: Heard::default(),
            heard_ms: 0,
            played: false,
            player_id: Some(Uuid::from_u128(player)),
            device_id: Some(Uuid::from_u128(player + 100)),
            updated_at: Some(now().plus_millis(-ago_ms)),
        }
    }

    #[test]
    fn an_older_value_of_the_server_does_not_overwrite_progress_made_offline() {
        let resumed = resume(
            Some(&local(120_000, 3, true, 0)),
            Some(&server(6_000, 3, 9, 0)),
            DURATION,
            now(),
        );
        assert_eq!(
            (resumed.position_ms, resumed.origin, resumed.offer),
            (120_000, Origin::Local, None)
        );
    }

    #[test]
    fn who_comes_back_to_a_device_goes_on_where_they_are_and_not_where_that_device_was() {
        let resumed = resume(
            Some(&local(6_000, 3, false, 0)),
            Some(&server(120_000, 7, 9, 0)),
            DURATION,
            now(),
        );
        assert_eq!((resumed.position_ms, resumed.origin), (120_000, Origin::Server));
    }

    #[test]
    fn where_two_devices_moved_a_person_is_asked() {
        let offer =
            |local: &Journal, server: &Playback| resume(Some(local), Some(server), DURATION, now()).offer;
        let expected = Offer {
            position_ms: 133_000,
            device_id: Some(Uuid::from_u128(109)),
        };
        assert_eq!(
            offer(&local(6_000, 3, true, 0), &server(133_000, 4, 9, 0)),
            Some(expected)
        );
        // What this very player told before it was killed is no other device.
        assert_eq!(offer(&local(6_000, 3, true, 0), &server(4_000, 4, 1, 0)), None);
        assert_eq!(
            offer(&local(133_200, 3, true, 0), &server(133_000, 4, 9, 0)),
            None
        );
    }

    #[test]
    fn after_more_than_a_minute_it_goes_back_three_seconds_and_never_before_the_start() {
        let at =
            |position, ago| resume(None, Some(&server(position, 1, 9, ago)), DURATION, now()).position_ms;
        assert_eq!(at(50_000, 60_000), 50_000);
        assert_eq!(at(50_000, 60_001), 47_000);
        assert_eq!(at(2_000, 3_600_000), 0);
        // A server's clock that is far ahead is a long break as well as one far behind.
        assert_eq!(at(50_000, -3_600_000), 47_000);
        assert_eq!(
            resume(Some(&local(50_000, 0, true, 90_000)), None, DURATION, now()).position_ms,
            47_000
        );
    }

    #[test]
    fn what_was_heard_to_its_end_begins_again() {
        let at = |position| resume(None, Some(&server(position, 1, 9, 0)), DURATION, now()).position_ms;
        assert_eq!(
            [at(DURATION), at(DURATION - 250), at(DURATION - 251)],
            [0, 0, DURATION - 251]
        );
        assert_eq!(resume(None, None, DURATION, now()).origin, Origin::Start);
        assert_eq!(
            resume(None, Some(&server(0, 0, 9, 0)), DURATION, now()).origin,
            Origin::Start
        );
        assert_eq!(
            resume(Some(&local(i64::MAX, 0, true, 0)), None, 0, now()).position_ms,
            0
        );
    }
}
