//! What the server keeps for one person and message.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Heard;
use crate::Timestamp;
use crate::api::{Playback, PlaybackReport};

/// A report may be this far past the end: players round, and their decoders have a tail.
pub const PAST_END_MS: i64 = 1_000;

/// Reports that are remembered, so that their retries change nothing. A player has one or two under way.
const MAX_REPORTS: usize = 16;

pub(super) const SPEED: std::ops::RangeInclusive<f32> = 0.1..=10.0;

/// Heard part and playhead of one person in one message, changed by [`apply`](Self::apply) alone.
///
/// The heard part is a union and only grows. The playhead that counts is the newest in the order of arrival, among reports
/// that knew the value they replace, or come from the very player that wrote it: so a device that was away brings what was
/// heard there, and does not move the playhead back. No wall clock takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeardMap {
    version: i64,
    position_ms: i64,
    speed: f32,
    heard: Heard,
    /// The end was reached by playing.
    ended: bool,
    writer: Option<Writer>,
    updated_at: Option<Timestamp>,
    /// The newest reports, oldest first, and whether their playhead was applied.
    reports: VecDeque<(Uuid, bool)>,
}

/// Who moved the playhead last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Writer {
    player_id: Uuid,
    device_id: Uuid,
    sequence: Option<u32>,
}

/// Why a report was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReport {
    /// `position_ms` is negative, or more than [`PAST_END_MS`] past the end.
    #[error("`position_ms` must lie between 0 and the end of the message")]
    Position,
    /// An interval is negative, inverted, or more than [`PAST_END_MS`] past the end.
    #[error(
        "each interval of `heard` must be [from_ms, to_ms], ascending, between 0 and the end of the message"
    )]
    Heard,
    /// `speed` is not a number of that range.
    #[error("`speed` must lie between 0.1 and 10")]
    Speed,
    /// `base_version` is negative.
    #[error("`base_version` must be the `version` that the player knew, 0 before the first")]
    BaseVersion,
}

/// What a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The playhead is where the report put it, or was, when this is a retry.
    pub playhead_applied: bool,
    /// Anything is different from before and has to be kept.
    pub changed: bool,
    /// It has become played with this report.
    pub played_now: bool,
}

impl Default for HeardMap {
    fn default() -> Self {
        Self {
            version: 0,
            position_ms: 0,
            speed: 1.0,
            heard: Heard::default(),
            ended: false,
            writer: None,
            updated_at: None,
            reports: VecDeque::new(),
        }
    }
}

impl HeardMap {
    /// Takes a report on a message of `duration_ms`, which the server has measured, at `now`.
    pub fn apply(
        &mut self,
        report: &PlaybackReport,
        duration_ms: i64,
        now: Timestamp,
    ) -> Result<Outcome, InvalidReport> {
        check(report, duration_ms)?;
        if let Some((_, applied)) = self.reports.iter().find(|(id, _)| *id == report.report_id) {
            return Ok(Outcome {
                playhead_applied: *applied,
                changed: false,
                played_now: false,
            });
        }
        let was_played = self.played(duration_ms);
        self.heard = self
            .heard
            .merge(&Heard::new(report.heard.iter().copied()).clamp(duration_ms));
        self.ended |= report.ended;
        let applied = self.may_move(report);
        if applied {
            self.version += 1;
            self.position_ms = report.position_ms.min(duration_ms);
            self.speed = report.speed;
            self.updated_at = Some(now);
            self.writer = Some(Writer {
                player_id: report.player_id,
                device_id: report.device_id,
                sequence: report.sequence,
            });
        }
        if self.reports.len() == MAX_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back((report.report_id, applied));
        Ok(Outcome {
            playhead_applied: applied,
            changed: true,
            played_now: !was_played && self.played(duration_ms),
        })
    }

    /// Heard to 90 %, or to the end.
    pub fn played(&self, duration_ms: i64) -> bool {
        let enough =
            duration_ms > 0 && self.heard.total_ms().saturating_mul(10) >= duration_ms.saturating_mul(9);
        self.ended || enough
    }

    /// As it travels.
    pub fn playback(&self, duration_ms: i64) -> Playback {
        Playback {
            version: self.version,
            position_ms: self.position_ms,
            speed: self.speed,
            heard: self.heard.clone(),
            heard_ms: self.heard.total_ms(),
            played: self.played(duration_ms),
            player_id: self.writer.map(|writer| writer.player_id),
            device_id: self.writer.map(|writer| writer.device_id),
            updated_at: self.updated_at,
        }
    }

    fn may_move(&self, report: &PlaybackReport) -> bool {
        match self.writer {
            Some(writer) if writer.player_id == report.player_id => {
                // What it said before what counts now arrives late.
                match (report.sequence, writer.sequence) {
                    (Some(this), Some(newest)) => this > newest,
                    _ => true,
                }
            }
            _ => report.base_version == self.version,
        }
    }
}

fn check(report: &PlaybackReport, duration_ms: i64) -> Result<(), InvalidReport> {
    let inside = |at: i64| at >= 0 && at <= duration_ms.saturating_add(PAST_END_MS);
    if !inside(report.position_ms) {
        return Err(InvalidReport::Position);
    }
    let good = |[from, to]: &[i64; 2]| inside(*from) && inside(*to) && from <= to;
    if !report.heard.iter().all(good) {
        return Err(InvalidReport::Heard);
    }
    if !SPEED.contains(&report.speed) {
        return Err(InvalidReport::Speed);
    }
    if report.base_version < 0 {
        return Err(InvalidReport::BaseVersion);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: i64 = 60_000;

    fn report(player: u128, id: u128, base_version: i64, position_ms: i64) -> PlaybackReport {
        PlaybackReport {
            player_id: Uuid::from_u128(player),
            device_id: Uuid::from_u128(player + 1000),
            report_id: Uuid::from_u128(id),
            base_version,
            position_ms,
            speed: 1.0,
            heard: Vec::new(),
            ended: false,
            sequence: None,
        }
    }

    fn apply(map: &mut HeardMap, report: &PlaybackReport) -> Outcome {
        map.apply(report, DURATION, Timestamp::default()).unwrap()
    }

    #[test]
    fn a_fresh_second_device_does_not_move_the_playhead_back_to_the_start() {
        let mut map = HeardMap::default();
        assert!(apply(&mut map, &report(1, 1, 0, 27_599)).playhead_applied);
        let stale = PlaybackReport {
            heard: vec![[0, 1588]],
            ..report(2, 2, 0, 1_588)
        };
        let outcome = apply(&mut map, &stale);
        assert!(!outcome.playhead_applied && outcome.changed);
        let now = map.playback(DURATION);
        assert_eq!((now.version, now.position_ms, now.heard_ms), (1, 27_599, 1_588));
        // Having learnt the value it may go on from there.
        assert!(apply(&mut map, &report(2, 3, 1, 28_000)).playhead_applied);
    }

    #[test]
    fn the_player_that_wrote_the_playhead_needs_no_answer_to_go_on() {
        let mut map = HeardMap::default();
        for (id, position) in [(1, 10_000), (2, 20_000), (3, 5_000)] {
            assert!(apply(&mut map, &report(1, id, 0, position)).playhead_applied);
        }
        assert_eq!(map.playback(DURATION).version, 3);
        assert_eq!(map.playback(DURATION).position_ms, 5_000);
    }

    #[test]
    fn a_report_that_its_successor_overtook_brings_only_what_was_heard() {
        let numbered = |id, sequence, position_ms| PlaybackReport {
            sequence: Some(sequence),
            heard: vec![[position_ms - 1000, position_ms]],
            ..report(1, id, 0, position_ms)
        };
        let mut map = HeardMap::default();
        apply(&mut map, &numbered(2, 2, 20_000));
        assert!(!apply(&mut map, &numbered(1, 1, 10_000)).playhead_applied);
        assert_eq!(map.playback(DURATION).position_ms, 20_000);
        assert_eq!(map.playback(DURATION).heard_ms, 2_000);
    }

    #[test]
    fn a_retry_gives_the_first_answer_and_changes_nothing() {
        let mut map = HeardMap::default();
        apply(&mut map, &report(1, 1, 0, 1_000));
        apply(&mut map, &report(2, 2, 1, 2_000));
        let before = map.clone();
        for (id, applied) in [(1, true), (2, true)] {
            let retry = PlaybackReport {
                heard: vec![[0, 50_000]],
                ended: true,
                ..report(1, id, 2, 9_000)
            };
            let outcome = apply(&mut map, &retry);
            assert!(outcome.playhead_applied == applied && !outcome.changed && !outcome.played_now);
        }
        assert_eq!(map, before);
        for id in 100..1000 {
            apply(&mut map, &report(1, id, 0, 0));
        }
        assert_eq!(map.reports.len(), MAX_REPORTS);
    }

    #[test]
    fn played_is_ninety_in_a_hundred_or_the_end_and_is_told_once() {
        let mut map = HeardMap::default();
        let heard = |id, intervals: &[[i64; 2]], ended| PlaybackReport {
            heard: intervals.to_vec(),
            ended,
            ..report(1, id, 0, 0)
        };
        assert!(!apply(&mut map, &heard(1, &[[0, 53_999]], false)).played_now);
        assert!(!map.played(DURATION));
        assert!(apply(&mut map, &heard(2, &[[53_000, 54_000]], false)).played_now);
        assert!(!apply(&mut map, &heard(3, &[[0, 60_000]], true)).played_now);
        let mut map = HeardMap::default();
        assert!(apply(&mut map, &heard(1, &[[59_000, 60_000]], true)).played_now);
        // A playhead that was dragged to the end has played nothing.
        let mut map = HeardMap::default();
        apply(&mut map, &report(1, 1, 0, DURATION));
        assert!(!map.played(DURATION));
        // A message without any length is played by its end alone.
        assert!(!HeardMap::default().played(0));
    }

    #[test]
    fn a_little_past_the_end_is_cut_off_and_more_changes_nothing() {
        let mut map = HeardMap::default();
        let edge = PlaybackReport {
            heard: vec![[59_000, 61_000], [60_500, 61_000]],
            ..report(1, 1, 0, 61_000)
        };
        apply(&mut map, &edge);
        let now = map.playback(DURATION);
        assert_eq!(
            (now.position_ms, now.heard.intervals()),
            (60_000, &[[59_000, 60_000]][..])
        );
        let before = map.clone();
        let base = report(1, 2, 1, 0);
        let bad = [
            (
                PlaybackReport {
                    position_ms: 61_001,
                    ..base.clone()
                },
                InvalidReport::Position,
            ),
            (
                PlaybackReport {
                    position_ms: -1,
                    ..base.clone()
                },
                InvalidReport::Position,
            ),
            (
                PlaybackReport {
                    position_ms: i64::MAX,
                    ..base.clone()
                },
                InvalidReport::Position,
            ),
            (
                PlaybackReport {
                    heard: vec![[0, 1], [0, 61_001]],
                    ..base.clone()
                },
                InvalidReport::Heard,
            ),
            (
                PlaybackReport {
                    heard: vec![[-1, 5]],
                    ..base.clone()
                },
                InvalidReport::Heard,
            ),
            (
                PlaybackReport {
                    heard: vec![[9, 8]],
                    ..base.clone()
                },
                InvalidReport::Heard,
            ),
            (
                PlaybackReport {
                    heard: vec![[i64::MIN, i64::MAX]],
                    ..base.clone()
                },
                InvalidReport::Heard,
            ),
            (
                PlaybackReport {
                    speed: 0.0,
                    ..base.clone()
                },
                InvalidReport::Speed,
            ),
            (
                PlaybackReport {
                    speed: f32::NAN,
                    ..base.clone()
                },
                InvalidReport::Speed,
            ),
            (
                PlaybackReport {
                    speed: f32::INFINITY,
                    ..base.clone()
                },
                InvalidReport::Speed,
            ),
            (
                PlaybackReport {
                    base_version: -1,
                    ..base
                },
                InvalidReport::BaseVersion,
            ),
        ];
        for (report, expected) in bad {
            // The body is checked before the version, and a report that was refused may come again, mended.
            assert_eq!(map.apply(&report, DURATION, Timestamp::default()), Err(expected));
            assert_eq!(map, before);
        }
        assert!(
            map.apply(&report(1, 2, 1, 0), i64::MAX, Timestamp::default())
                .is_ok()
        );
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut map = HeardMap::default();
        let first = PlaybackReport {
            heard: vec![[0, 900], [4_000, 5_000]],
            speed: 1.5,
            ..report(1, 1, 0, 5_000)
        };
        apply(&mut map, &first);
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<HeardMap>(&text).unwrap(), map);
    }
}
