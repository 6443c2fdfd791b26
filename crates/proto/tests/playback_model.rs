//! Many devices of one person, on a network that loses, doubles and delays, with clocks that are wrong and processes that are
//! killed: in the end all agree, nothing that was heard is lost, and no playhead goes back to a stale value.

use std::collections::HashMap;

use proptest::prelude::*;
use voxpost_proto::api::{Playback, PlaybackAnswer, PlaybackReport};
use voxpost_proto::playback::{Action, Heard, HeardMap, Journal, Player};
use voxpost_proto::{Timestamp, Uuid};

const DURATION: i64 = 90_000;

/// One step of the run: which device, what, and how long it takes.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Plays on for so many seconds.
    Listen(u8),
    Pause,
    Seek(i64),
    End,
    Hide,
    /// The process is killed and comes back from its journal.
    Kill,
    Offline,
    Online,
    /// The network delivers something that is under way.
    Deliver,
    /// The network loses something that is under way.
    Lose,
    /// The network delivers something and keeps a copy.
    Double,
    /// The device gives up waiting for its answer.
    GiveUp,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..15).prop_map(Step::Listen),
        2 => Just(Step::Pause),
        2 => (0..=DURATION).prop_map(Step::Seek),
        1 => Just(Step::End),
        1 => Just(Step::Hide),
        1 => Just(Step::Kill),
        1 => Just(Step::Offline),
        1 => Just(Step::Online),
        6 => Just(Step::Deliver),
        2 => Just(Step::Lose),
        2 => Just(Step::Double),
        3 => Just(Step::GiveUp),
    ]
}

/// A message on the network.
#[derive(Clone)]
enum Packet {
    Report(PlaybackReport),
    Answer(Uuid, PlaybackAnswer),
}

struct Device {
    id: Uuid,
    /// What its clock shows more than it should.
    skew_ms: i64,
    online: bool,
    player: Player,
    journal: Journal,
    /// The true time of its last movement.
    moved_at: i64,
}

struct World {
    /// True time; nobody sees it.
    now: i64,
    ids: u128,
    server: HeardMap,
    devices: Vec<Device>,
    network: Vec<(usize, Packet)>,
    /// What people really heard.
    heard: Heard,
    /// By report: the true time of the movement in it.
    moved_at: HashMap<Uuid, i64>,
    /// The true time of the movement that the server's playhead stands for.
    newest_applied: i64,
}

impl World {
    fn new(skews: &[i64]) -> Self {
        let mut world = Self {
            now: 1_000_000_000,
            ids: 0,
            server: HeardMap::default(),
            devices: Vec::new(),
            network: Vec::new(),
            heard: Heard::default(),
            moved_at: HashMap::new(),
            newest_applied: 0,
        };
        for &skew_ms in skews {
            let (id, player_id) = (world.id(), world.id());
            let at = Timestamp::from_millis(world.now + skew_ms);
            let (player, _) = Player::open(None, None, player_id, id, DURATION, at);
            let journal = player.journal(at);
            let device = Device {
                id,
                skew_ms,
                online: true,
                player,
                journal,
                moved_at: 0,
            };
            world.devices.push(device);
        }
        world
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn clock(&self, device: usize) -> Timestamp {
        Timestamp::from_millis(self.now + self.devices[device].skew_ms)
    }

    fn run(&mut self, device: usize, step: Step, choice: usize) {
        self.now += 137;
        match step {
            Step::Listen(seconds) => {
                self.act(device, Action::Play);
                for _ in 0..seconds {
                    self.now += 1_000;
                    let from = self.devices[device].player.position_ms();
                    let position_ms = (from + 1_000).min(DURATION);
                    self.heard.add(from, position_ms);
                    self.act(device, Action::Progress { position_ms });
                }
            }
            Step::Pause => {
                let position_ms = self.devices[device].player.position_ms();
                self.act(device, Action::Pause { position_ms });
            }
            Step::Seek(position_ms) => self.act(device, Action::Seek { position_ms }),
            Step::End => self.act(device, Action::End),
            Step::Hide => self.act(device, Action::Hide),
            Step::Kill => self.kill(device),
            Step::Offline => self.devices[device].online = false,
            Step::Online => self.devices[device].online = true,
            Step::Deliver | Step::Double => self.deliver(choice, matches!(step, Step::Double)),
            Step::Lose => {
                if !self.network.is_empty() {
                    self.network.swap_remove(choice % self.network.len());
                }
            }
            Step::GiveUp => {
                let at = self.clock(device);
                if let Some(report_id) = self.under_way(device) {
                    self.devices[device].player.handle_failure(at, report_id);
                    self.now += 31_000;
                }
            }
        }
        self.poll(device);
    }

    fn act(&mut self, device: usize, action: Action) {
        let at = self.clock(device);
        let own = &mut self.devices[device];
        let before = own.player.position_ms();
        own.player.handle(at, action);
        if own.player.position_ms() != before || matches!(action, Action::Seek { .. } | Action::End) {
            own.moved_at = self.now;
        }
        self.poll(device);
    }

    /// Sends what is due, and writes the journal, as a device does after whatever happens.
    fn poll(&mut self, device: usize) {
        let (at, fresh) = (self.clock(device), self.id());
        let own = &mut self.devices[device];
        let report = own.player.poll_report(at, fresh);
        own.journal = own.player.journal(at);
        if let Some(report) = report {
            self.moved_at.entry(report.report_id).or_insert(own.moved_at);
            self.network.push((device, Packet::Report(report)));
        }
    }

    fn kill(&mut self, device: usize) {
        let (at, fresh) = (self.clock(device), self.id());
        let server = self.server.playback(DURATION);
        let own = &mut self.devices[device];
        let known = own.online.then_some(&server);
        let (player, _) = Player::open(Some(own.journal.clone()), known, fresh, own.id, DURATION, at);
        own.player = player;
    }

    fn under_way(&self, device: usize) -> Option<Uuid> {
        let at = Timestamp::from_millis(i64::MAX);
        let report = self.devices[device].player.clone().poll_report(at, Uuid::nil())?;
        Some(report.report_id).filter(|id| !id.is_nil())
    }

    fn deliver(&mut self, choice: usize, keep: bool) {
        let reachable: Vec<usize> = (0..self.network.len())
            .filter(|&at| self.devices[self.network[at].0].online)
            .collect();
        let Some(&at) = reachable.get(choice % reachable.len().max(1)) else {
            return;
        };
        let (device, packet) = if keep {
            self.network[at].clone()
        } else {
            self.network.swap_remove(at)
        };
        match packet {
            Packet::Report(report) => {
                let answer = self.serve(&report);
                self.network
                    .push((device, Packet::Answer(report.report_id, answer)));
            }
            Packet::Answer(report_id, answer) => {
                self.devices[device].player.handle_answer(report_id, &answer);
            }
        }
    }

    fn serve(&mut self, report: &PlaybackReport) -> PlaybackAnswer {
        let before = self.server.playback(DURATION);
        let outcome = self
            .server
            .apply(report, DURATION, Timestamp::from_millis(self.now))
            .expect("a player's report is valid");
        let after = self.server.playback(DURATION);
        assert!(covers(&after.heard, &before.heard), "the heard part shrank");
        assert!(after.version >= before.version && (after.played || !before.played));
        if outcome.changed && outcome.playhead_applied {
            let moved_at = self.moved_at[&report.report_id];
            assert!(
                moved_at >= self.newest_applied,
                "a movement of {moved_at} put the playhead back behind one of {}",
                self.newest_applied
            );
            self.newest_applied = moved_at;
        } else {
            assert_eq!(position(&after), position(&before), "a refused playhead moved it");
        }
        if outcome.changed {
            for device in 0..self.devices.len() {
                let other = &mut self.devices[device];
                if other.online && other.id != report.device_id {
                    other.player.handle_elsewhere(&after.summary());
                }
            }
        }
        PlaybackAnswer {
            playhead_applied: outcome.playhead_applied,
            playback: after,
        }
    }

    /// All pause, come online, and the network does its work.
    fn settle(&mut self) {
        for device in 0..self.devices.len() {
            self.run(device, Step::Online, 0);
            self.run(device, Step::Pause, 0);
        }
        for _ in 0..10_000 {
            while !self.network.is_empty() {
                self.deliver(0, false);
                (0..self.devices.len()).for_each(|device| self.poll(device));
            }
            let waiting: Vec<usize> = (0..self.devices.len())
                .filter(|&device| self.devices[device].player.poll_timeout().is_some())
                .collect();
            if waiting.is_empty() {
                return;
            }
            // What was lost is sent again when its time has come.
            self.now += 31_000;
            waiting.iter().for_each(|&device| self.poll(device));
        }
        panic!("it never comes to rest");
    }
}

fn position(playback: &Playback) -> (i64, i64) {
    (playback.version, playback.position_ms)
}

fn covers(whole: &Heard, part: &Heard) -> bool {
    part.intervals()
        .iter()
        .all(|[from, to]| whole.intervals().iter().any(|[a, b]| a <= from && to <= b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn all_devices_agree_nothing_heard_is_lost_and_no_playhead_goes_back(
        skews in prop::collection::vec(-90_000_000i64..90_000_000, 2..5),
        steps in prop::collection::vec((0usize..8, step(), any::<usize>()), 1..120),
    ) {
        let mut world = World::new(&skews);
        let devices = skews.len();
        for (device, step, choice) in steps {
            world.run(device % devices, step, choice);
        }
        world.settle();
        let server = world.server.playback(DURATION);
        prop_assert!(covers(&server.heard, &world.heard), "heard {:?}, kept {:?}", world.heard, server.heard);
        for device in 0..devices {
            let journal = world.devices[device].journal.clone();
            prop_assert!(!journal.moved, "a device keeps something to tell");
            // Whoever opens the message now, on whichever device, begins at the same place.
            let at = Timestamp::from_millis(server.updated_at.map_or(0, Timestamp::millis));
            let (_, begin) = Player::open(Some(journal), Some(&server), Uuid::nil(), Uuid::nil(), DURATION, at);
            let expected = if server.position_ms >= DURATION - 250 { 0 } else { server.position_ms };
            prop_assert_eq!((begin.position_ms, begin.offer), (expected, None));
        }
    }
}
