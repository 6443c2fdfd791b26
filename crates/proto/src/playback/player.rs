//! What a player on a device reports, and when.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::map::SPEED;
use super::{Heard, Resume, resume};
use crate::Timestamp;
use crate::api::{Playback, PlaybackAnswer, PlaybackReport, PlaybackSummary};

/// While it plays, a report goes out this often.
pub const REPORT_EVERY_MS: i64 = 10_000;

/// A playhead may advance this much more than the clock: timers are late. Beyond it the player jumped.
const SLACK_MS: i64 = 1_000;

/// The first pause after a failed report; it doubles up to [`LONGEST_RETRY_MS`].
const FIRST_RETRY_MS: i64 = 1_000;
const LONGEST_RETRY_MS: i64 = 30_000;

/// What happened at the player.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Sound begins.
    Play,
    /// Sound goes on; say so about once a second.
    Progress {
        /// The playhead.
        position_ms: i64,
    },
    /// Sound stops.
    Pause {
        /// The playhead.
        position_ms: i64,
    },
    /// A person moved the playhead.
    Seek {
        /// To here.
        position_ms: i64,
    },
    /// A person chose another speed.
    Speed {
        /// 1 is as it was spoken.
        speed: f32,
    },
    /// The end was reached by playing.
    End,
    /// The page goes away or into the background: there may be no later.
    Hide,
}

/// What a device keeps of a player, so that it survives a crash: write it at once with each action, atomically.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Whose it is; the player that comes back from it is the same one.
    pub player_id: Uuid,
    /// The last report's.
    pub sequence: u32,
    /// The version that was known when the playhead was moved.
    pub base_version: i64,
    /// The playhead.
    pub position_ms: i64,
    /// 1 is as it was spoken.
    pub speed: f32,
    /// There is something that the server has not confirmed.
    pub moved: bool,
    /// What was heard and is not confirmed.
    pub heard: Heard,
    /// The end was reached, and that is not confirmed.
    pub ended: bool,
    /// When it was written, by this device's clock.
    pub at: Timestamp,
}

/// One player of one message on one device, as a machine without clock, network and disk.
///
/// ```text
/// let (mut player, resume) = Player::open(journal, server, player_id, device_id, duration_ms, now);
/// loop {
///     player.handle(now, action);                     // or handle_answer, handle_failure, handle_refusal, handle_elsewhere
///     store(player.journal(now));
///     if let Some(report) = player.poll_report(now, fresh_id) { send(report) }
///     wake_at(player.poll_timeout());
/// }
/// ```
///
/// A movement is told with the version that was known when it was made. So one that was made while the device was away does
/// not move the playhead elsewhere back, and one that a person makes now does count. A player whose person did nothing yet
/// reports nothing.
#[derive(Clone, Debug)]
pub struct Player {
    player_id: Uuid,
    device_id: Uuid,
    duration_ms: i64,
    /// The newest version that is known.
    known_version: i64,
    /// The one that was known at the last movement.
    base_version: i64,
    position_ms: i64,
    speed: f32,
    /// While it plays: when the playhead was where it is.
    playing: Option<Timestamp>,
    moved: bool,
    heard: Heard,
    ended: bool,
    urgent: bool,
    hiding: bool,
    sequence: u32,
    in_flight: Option<PlaybackReport>,
    retry_at: Timestamp,
    failures: u32,
    reported_at: Timestamp,
}

impl Player {
    /// Opens a message: the player, and where it begins. `server` is None while it cannot be asked. `fresh_player_id` is used
    /// unless the journal holds something unconfirmed, which is then told first.
    pub fn open(
        journal: Option<Journal>,
        server: Option<&Playback>,
        fresh_player_id: Uuid,
        device_id: Uuid,
        duration_ms: i64,
        now: Timestamp,
    ) -> (Self, Resume) {
        let begin = resume(journal.as_ref(), server, duration_ms, now);
        let known = journal.as_ref().map_or(0, |journal| journal.base_version.max(0));
        let known_version = server.map_or(known, |server| server.version);
        let mut player = Self {
            player_id: fresh_player_id,
            device_id,
            duration_ms: duration_ms.max(0),
            known_version,
            base_version: known_version,
            position_ms: begin.position_ms,
            speed: server.map_or(1.0, |server| possible(server.speed)),
            playing: None,
            moved: false,
            heard: Heard::default(),
            ended: false,
            urgent: false,
            hiding: false,
            sequence: 0,
            in_flight: None,
            retry_at: now,
            failures: 0,
            reported_at: now,
        };
        if let Some(journal) = journal.filter(|journal| journal.moved) {
            player.player_id = journal.player_id;
            player.sequence = journal.sequence;
            player.base_version = journal.base_version.max(0);
            player.position_ms = journal.position_ms.clamp(0, player.duration_ms);
            player.speed = possible(journal.speed);
            player.heard = journal.heard.clamp(duration_ms);
            player.ended = journal.ended;
            player.moved = true;
            player.urgent = true;
        }
        (player, begin)
    }

    /// Takes what happened at the player.
    pub fn handle(&mut self, now: Timestamp, action: Action) {
        match action {
            Action::Play => {
                if self.playing.is_none() {
                    self.playing = Some(now);
                    self.reported_at = now;
                }
            }
            Action::Progress { position_ms } => self.advance(now, position_ms),
            Action::Pause { position_ms } => {
                if self.playing.is_some() {
                    self.advance(now, position_ms);
                }
                self.playing = None;
                self.urgent = true;
            }
            Action::Seek { position_ms } => {
                self.move_to(position_ms);
                self.playing = self.playing.map(|_| now);
                self.urgent = true;
            }
            Action::Speed { speed } => self.speed = possible(speed),
            Action::End => {
                self.advance(now, self.duration_ms);
                self.move_to(self.duration_ms);
                self.ended = true;
                self.playing = None;
                self.urgent = true;
            }
            Action::Hide => {
                self.urgent = true;
                self.hiding = true;
            }
        }
        self.urgent &= self.moved || self.in_flight.is_some();
        self.hiding &= self.urgent;
    }

    /// The report to send now, if one is due. One is under way at a time, but for the last words of a page that goes away.
    /// `report_id` is a fresh id, used when the report is a new one.
    pub fn poll_report(&mut self, now: Timestamp, report_id: Uuid) -> Option<PlaybackReport> {
        let hiding = std::mem::take(&mut self.hiding);
        if self.in_flight.is_some() && !hiding {
            return self.retry(now);
        }
        if !self.moved {
            // A page that goes away may take what is under way with it: the same again.
            return self.in_flight.clone();
        }
        let due = self.urgent || self.playing.is_some() && now >= self.next_regular();
        if !due {
            return None;
        }
        if let Some(before) = self.in_flight.take() {
            self.heard = self.heard.merge(&Heard::new(before.heard));
            self.ended |= before.ended;
        }
        self.sequence = self.sequence.saturating_add(1);
        let report = PlaybackReport {
            player_id: self.player_id,
            device_id: self.device_id,
            report_id,
            base_version: self.base_version,
            position_ms: self.position_ms,
            speed: self.speed,
            heard: std::mem::take(&mut self.heard).into(),
            ended: std::mem::take(&mut self.ended),
            sequence: Some(self.sequence),
        };
        self.in_flight = Some(report.clone());
        self.moved = false;
        self.urgent = false;
        self.failures = 0;
        self.retry_at = now.plus_millis(LONGEST_RETRY_MS);
        self.reported_at = now;
        Some(report)
    }

    /// When to poll again without anything having happened.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.in_flight.is_some() {
            Some(self.retry_at)
        } else if self.moved && self.urgent {
            Some(self.reported_at)
        } else if self.moved && self.playing.is_some() {
            Some(self.next_regular())
        } else {
            None
        }
    }

    /// The server's answer to a report. Returns false for one that nobody waits for any more.
    pub fn handle_answer(&mut self, report_id: Uuid, answer: &PlaybackAnswer) -> bool {
        self.known_version = self.known_version.max(answer.playback.version);
        self.take_in_flight(report_id).is_some()
    }

    /// The report did not get through, or no answer came: the same one is sent again later.
    pub fn handle_failure(&mut self, now: Timestamp, report_id: Uuid) {
        if self.is_in_flight(report_id) {
            let pause = FIRST_RETRY_MS << self.failures.min(5);
            self.retry_at = now.plus_millis(pause.min(LONGEST_RETRY_MS));
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// The server refused the report for good (the message is gone): it is not sent again.
    pub fn handle_refusal(&mut self, report_id: Uuid) {
        self.take_in_flight(report_id);
    }

    /// Another device moved the playhead. Returns where this player, if it is idle, should show it.
    pub fn handle_elsewhere(&mut self, playback: &PlaybackSummary) -> Option<i64> {
        if playback.version <= self.known_version {
            return None;
        }
        self.known_version = playback.version;
        let idle = self.playing.is_none() && !self.moved && self.in_flight.is_none();
        if idle {
            self.position_ms = playback.position_ms.clamp(0, self.duration_ms);
        }
        idle.then_some(self.position_ms)
    }

    /// What to keep on this device.
    pub fn journal(&self, now: Timestamp) -> Journal {
        let under_way = self.in_flight.as_ref();
        let heard = under_way.map_or_else(Heard::default, |report| Heard::new(report.heard.iter().copied()));
        Journal {
            player_id: self.player_id,
            sequence: self.sequence,
            base_version: self.base_version,
            position_ms: self.position_ms,
            speed: self.speed,
            moved: self.moved || under_way.is_some(),
            heard: self.heard.merge(&heard),
            ended: self.ended || under_way.is_some_and(|report| report.ended),
            at: now,
        }
    }

    /// 1 is as it was spoken.
    pub fn speed(&self) -> f32 {
        self.speed
    }

    /// The playhead.
    pub fn position_ms(&self) -> i64 {
        self.position_ms
    }

    fn advance(&mut self, now: Timestamp, position_ms: i64) {
        let position_ms = position_ms.clamp(0, self.duration_ms);
        let since = self.playing.unwrap_or(now);
        let passed = (now.millis() - since.millis()).max(0) as f64 * f64::from(self.speed);
        let step = position_ms - self.position_ms;
        if self.playing.is_none() {
            self.reported_at = now;
        }
        self.playing = Some(now);
        if step == 0 {
            return;
        }
        if step > 0 && step as f64 <= passed + SLACK_MS as f64 {
            self.heard.add(self.position_ms, position_ms);
        }
        self.move_to(position_ms);
    }

    fn move_to(&mut self, position_ms: i64) {
        self.position_ms = position_ms.clamp(0, self.duration_ms);
        self.base_version = self.known_version;
        self.moved = true;
    }

    fn next_regular(&self) -> Timestamp {
        self.reported_at.plus_millis(REPORT_EVERY_MS)
    }

    fn retry(&mut self, now: Timestamp) -> Option<PlaybackReport> {
        if now < self.retry_at {
            return None;
        }
        self.retry_at = now.plus_millis(LONGEST_RETRY_MS);
        self.in_flight.clone()
    }

    fn is_in_flight(&self, report_id: Uuid) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|report| report.report_id == report_id)
    }

    fn take_in_flight(&mut self, report_id: Uuid) -> Option<PlaybackReport> {
        self.is_in_flight(report_id)
            .then(|| self.in_flight.take())
            .flatten()
    }
}

/// The nearest speed that may be reported; a damaged journal may hold any.
fn possible(speed: f32) -> f32 {
    if speed.is_finite() {
        speed.clamp(*SPEED.start(), *SPEED.end())
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::HeardMap;

    const DURATION: i64 = 120_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(100_000_000 + ms)
    }

    fn fresh() -> Player {
        Player::open(
            None,
            None,
            Uuid::from_u128(1),
            Uuid::from_u128(2),
            DURATION,
            at(0),
        )
        .0
    }

    fn poll(player: &mut Player, ms: i64) -> Option<PlaybackReport> {
        player.poll_report(at(ms), Uuid::from_u128(10_000 + ms.unsigned_abs() as u128))
    }

    fn answer(player: &mut Player, map: &mut HeardMap, report: &PlaybackReport) -> bool {
        let outcome = map.apply(report, DURATION, at(0)).unwrap();
        let answer = PlaybackAnswer {
            playhead_applied: outcome.playhead_applied,
            playback: map.playback(DURATION),
        };
        player.handle_answer(report.report_id, &answer);
        outcome.playhead_applied
    }

    /// Plays from `from` to `to` seconds in steps of one, from `start` on the clock.
    fn play(player: &mut Player, start: i64, from: i64, to: i64) {
        player.handle(at(start), Action::Play);
        for second in 1..=to - from {
            let position_ms = (from + second) * 1000;
            player.handle(at(start + second * 1000), Action::Progress { position_ms });
        }
    }

    #[test]
    fn a_fresh_player_reports_nothing_whatever_happens_around_it() {
        let mut player = fresh();
        for action in [
            Action::Play,
            Action::Progress { position_ms: 0 },
            Action::Speed { speed: 2.0 },
            Action::Pause { position_ms: 0 },
            Action::Hide,
        ] {
            player.handle(at(60_000), action);
            assert_eq!(poll(&mut player, 60_000), None, "{action:?}");
            assert_eq!(player.poll_timeout(), None);
        }
        assert!(!player.journal(at(0)).moved);
    }

    #[test]
    fn while_it_plays_it_reports_every_ten_seconds() {
        let mut player = fresh();
        play(&mut player, 0, 0, 9);
        assert_eq!(poll(&mut player, 9_000), None);
        assert_eq!(player.poll_timeout(), Some(at(10_000)));
        player.handle(at(10_000), Action::Progress { position_ms: 10_000 });
        let report = poll(&mut player, 10_000).unwrap();
        assert_eq!(
            (report.position_ms, &report.heard[..]),
            (10_000, &[[0, 10_000]][..])
        );
        assert!(answer(&mut player, &mut HeardMap::default(), &report));
        assert!(!player.journal(at(10_000)).moved);
        player.handle(at(11_000), Action::Progress { position_ms: 11_000 });
        assert_eq!(poll(&mut player, 11_000), None);
        assert_eq!(player.poll_timeout(), Some(at(20_000)));
    }

    #[test]
    fn pause_seek_end_and_hide_report_at_once() {
        for action in [
            Action::Pause { position_ms: 3_000 },
            Action::Seek { position_ms: 90_000 },
            Action::End,
            Action::Hide,
        ] {
            let mut player = fresh();
            play(&mut player, 0, 0, 3);
            player.handle(at(3_000), action);
            let report = poll(&mut player, 3_000).unwrap();
            // What was skipped, also to the end, was not heard.
            assert_eq!(report.heard, [[0, 3_000]], "{action:?}");
            assert_eq!(report.ended, action == Action::End);
        }
    }

    #[test]
    fn a_jump_that_no_clock_explains_is_not_heard() {
        let mut player = fresh();
        player.handle(at(0), Action::Speed { speed: 2.0 });
        player.handle(at(0), Action::Play);
        player.handle(at(5_000), Action::Progress { position_ms: 10_000 });
        player.handle(at(6_000), Action::Progress { position_ms: 60_000 });
        player.handle(at(7_000), Action::Progress { position_ms: 62_000 });
        // The clock is set back by an hour, and the sound plays on.
        player.handle(at(-3_600_000), Action::Progress { position_ms: 63_000 });
        player.handle(at(-3_599_000), Action::Pause { position_ms: 65_000 });
        assert_eq!(
            poll(&mut player, 0).unwrap().heard,
            [[0, 10_000], [60_000, 65_000]]
        );
    }

    #[test]
    fn a_report_without_an_answer_is_repeated_as_it_was_until_there_is_one() {
        let mut player = fresh();
        play(&mut player, 0, 0, 10);
        let first = poll(&mut player, 10_000).unwrap();
        player.handle(at(11_000), Action::Progress { position_ms: 11_000 });
        let mut now = 11_000;
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            player.handle_failure(at(now), first.report_id);
            assert_eq!(poll(&mut player, now + pause - 1), None);
            now += pause;
            assert_eq!(poll(&mut player, now).as_ref(), Some(&first));
        }
        assert!(answer(&mut player, &mut HeardMap::default(), &first));
        // What came meanwhile is told next.
        assert_eq!(poll(&mut player, now).unwrap().heard, [[10_000, 11_000]]);
    }

    #[test]
    fn the_last_words_of_a_page_do_not_wait_for_what_is_under_way() {
        let mut player = fresh();
        play(&mut player, 0, 0, 10);
        let first = poll(&mut player, 10_000).unwrap();
        player.handle(at(10_100), Action::Hide);
        assert_eq!(
            poll(&mut player, 10_100),
            Some(first.clone()),
            "the same once more"
        );
        player.handle(at(11_000), Action::Progress { position_ms: 11_000 });
        player.handle(at(11_000), Action::Hide);
        let last = poll(&mut player, 11_000).unwrap();
        assert_eq!((last.position_ms, &last.heard[..]), (11_000, &[[0, 11_000]][..]));
        // Whichever arrives first, the later one counts.
        for order in [[&first, &last], [&last, &first]] {
            let mut map = HeardMap::default();
            for report in order {
                map.apply(report, DURATION, at(0)).unwrap();
            }
            assert_eq!(map.playback(DURATION).position_ms, 11_000);
        }
    }

    #[test]
    fn what_was_moved_while_away_is_refused_to_its_end_and_what_a_person_does_then_counts() {
        let mut map = HeardMap::default();
        let mut away = fresh();
        play(&mut away, 0, 0, 10);
        let first = poll(&mut away, 10_000).unwrap();
        away.handle_failure(at(10_000), first.report_id);
        away.handle(at(11_000), Action::Progress { position_ms: 11_000 });
        away.handle(at(12_000), Action::Pause { position_ms: 12_000 });
        // Meanwhile another device went on to 1:30.
        let mut other = Player::open(
            None,
            None,
            Uuid::from_u128(7),
            Uuid::from_u128(8),
            DURATION,
            at(0),
        )
        .0;
        other.handle(at(0), Action::Seek { position_ms: 90_000 });
        let moved = poll(&mut other, 1).unwrap();
        assert!(answer(&mut other, &mut map, &moved));

        let retry = poll(&mut away, 60_000).unwrap();
        assert!(!answer(&mut away, &mut map, &retry));
        let rest = poll(&mut away, 60_001).unwrap();
        assert!(
            !answer(&mut away, &mut map, &rest),
            "it was made before the other's was known"
        );
        assert_eq!(map.playback(DURATION).position_ms, 90_000);
        assert_eq!(
            map.playback(DURATION).heard_ms,
            12_000,
            "and yet all of it was heard"
        );
        assert_eq!(poll(&mut away, 60_002), None);

        away.handle(at(61_000), Action::Seek { position_ms: 20_000 });
        let now = poll(&mut away, 61_000).unwrap();
        assert!(answer(&mut away, &mut map, &now));
        assert_eq!(map.playback(DURATION).position_ms, 20_000);
    }

    #[test]
    fn a_player_that_was_killed_comes_back_from_its_journal_and_tells_the_rest() {
        let mut map = HeardMap::default();
        let mut player = fresh();
        play(&mut player, 0, 0, 10);
        let report = poll(&mut player, 10_000).unwrap();
        // It arrives, its answer does not; two seconds later the power goes.
        map.apply(&report, DURATION, at(10_000)).unwrap();
        play(&mut player, 10_000, 10, 12);
        let journal = player.journal(at(12_000));
        drop(player);

        let server = map.playback(DURATION);
        let fresh_id = Uuid::from_u128(99);
        let (mut player, begin) = Player::open(
            Some(journal),
            Some(&server),
            fresh_id,
            Uuid::from_u128(2),
            DURATION,
            at(20_000),
        );
        assert_eq!((begin.position_ms, begin.offer), (12_000, None));
        let rest = poll(&mut player, 20_000).unwrap();
        assert!(answer(&mut player, &mut map, &rest));
        assert_eq!(map.playback(DURATION).position_ms, 12_000);
        assert_eq!(map.playback(DURATION).heard.intervals(), [[0, 12_000]]);
        assert!(!player.journal(at(20_000)).moved);
    }

    #[test]
    fn an_idle_player_follows_the_others_and_one_that_plays_does_not() {
        let news = |version, position_ms| PlaybackSummary {
            version,
            position_ms,
            heard_ms: 0,
            played: false,
        };
        let mut player = fresh();
        assert_eq!(player.handle_elsewhere(&news(3, 40_000)), Some(40_000));
        assert_eq!(player.handle_elsewhere(&news(3, 50_000)), None);
        assert_eq!(player.handle_elsewhere(&news(2, 50_000)), None);
        assert_eq!(
            poll(&mut player, 0),
            None,
            "following is no movement of one's own"
        );
        play(&mut player, 0, 40, 42);
        assert_eq!(player.handle_elsewhere(&news(4, 1_000)), None);
        player.handle(at(3_000), Action::Progress { position_ms: 43_000 });
        player.handle(at(3_000), Action::Hide);
        assert_eq!(poll(&mut player, 3_000).unwrap().base_version, 4);
    }

    #[test]
    fn a_report_that_is_refused_for_good_is_not_sent_again() {
        let mut player = fresh();
        player.handle(at(0), Action::Seek { position_ms: 5 });
        let report = poll(&mut player, 0).unwrap();
        player.handle_refusal(report.report_id);
        assert_eq!((poll(&mut player, 100_000), player.poll_timeout()), (None, None));
    }
}
