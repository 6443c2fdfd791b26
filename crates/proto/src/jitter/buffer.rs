use std::collections::BTreeMap;
use std::time::Duration;

use super::config::JitterConfig;
use super::counters::Counters;
use super::delay::DelayTarget;
use super::nack::NackList;
use super::packet::{Inserted, PayloadInfo, Step, Stored};
use super::stats::{JitterStats, LossReport, PlayoutDelay};
use crate::rtp::RtpHeader;

/// Longest play time of one packet in samples (RFC 6716 R5).
const MAX_SAMPLES: u32 = 5_760;
/// Shortest piece that a decoder can make up, 2.5 ms; shorter holes are stepped over.
const SHORTEST: i64 = 120;
/// Nothing is made up for longer than this: 100 ms. Then it is silent.
const LONGEST_CONCEALMENT: i64 = 4_800;
/// A delay is let be until it is this much too long: 20 ms. The target moves with every packet, and following it closely
/// changes the tempo all the time, which is heard more than the delay.
const TOO_LONG: i64 = 960;
/// A delay is let be until it is this much too short: 5 ms. Copies are in time or are not; it is made longer in pauses.
const TOO_SHORT: i64 = 240;
/// A packet that comes this late, 60 ms, loses what was concealed in its place; one that comes later is played whole:
/// the network stood still, and nothing of what was said is to be lost.
const SHORTLY: i64 = 2_880;

/// The jitter buffer: packets go in as they arrive, steps for the decoder come out as they are to be played.
/// The [module's documentation](super) explains it.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    counters: Counters,
    packets: BTreeMap<i64, Stored>,
    delay: DelayTarget,
    nacks: NackList,
    stats: JitterStats,
    state: State,
    /// What the last step handed out.
    current: Vec<u8>,
    position: Option<i64>,
    /// From arrival until its turn, of the packet played last.
    waited: i64,
    now: i64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No packet has been played.
    Waiting,
    Playing(Line),
}

/// Where playback is.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Packet that is played next.
    sequence: i64,
    /// Media time up to which packets have been decoded.
    timestamp: i64,
    /// Samples made up since then.
    made_up: i64,
    /// Play time of the packet before.
    samples: i64,
    /// The packet before announced a pause.
    pause: bool,
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new(config: JitterConfig) -> Self {
        Self {
            counters: Counters::default(),
            packets: BTreeMap::new(),
            delay: DelayTarget::new(&config),
            nacks: NackList::default(),
            stats: JitterStats::default(),
            state: State::Waiting,
            current: Vec::new(),
            position: None,
            waited: 0,
            now: 0,
            config,
        }
    }

    /// Takes a packet that arrived at `arrival` (of any clock that only goes forward).
    pub fn insert(
        &mut self,
        arrival: Duration,
        header: &RtpHeader,
        payload: Vec<u8>,
        info: PayloadInfo,
    ) -> Inserted {
        self.stats.received += 1;
        self.now = self.now.max(to_samples(arrival));
        let arrival = self.now;
        if payload.is_empty()
            || payload.len() > self.config.max_payload
            || !(1..=MAX_SAMPLES).contains(&info.samples)
        {
            self.stats.refused += 1;
            return Inserted::Refused;
        }
        let Some(place) = self.counters.place(header, &info, arrival) else {
            self.stats.refused += 1;
            return Inserted::Suspect;
        };
        if self.packets.contains_key(&place.sequence) || self.delay.has(place.sequence) {
            self.stats.duplicates += 1;
            return Inserted::Duplicate;
        }
        self.delay.learn(place.sequence, place.timestamp, arrival, info);
        self.nacks.arrived(place.sequence);
        if matches!(self.state, State::Playing(line) if place.sequence < line.sequence) {
            self.stats.late += 1;
            return Inserted::Late;
        }
        self.packets.insert(
            place.sequence,
            Stored {
                timestamp: place.timestamp,
                arrival,
                payload,
                info,
                restart: place.restart,
            },
        );
        if self.packets.len() > self.config.max_packets.max(1) {
            self.packets.pop_first();
            self.stats.skipped += 1;
            self.jump_to_first();
        }
        if place.restart {
            self.stats.restarts += 1;
            return Inserted::Restarted;
        }
        Inserted::Queued
    }

    /// What to do next when the decoder holds `queued` samples that have not been heard, or `None` when these are enough
    /// for a tick. To be called until it says so, then a tick of sound is played, and so on.
    pub fn step(&mut self, now: Duration, queued: usize) -> Option<Step<'_>> {
        self.now = self.now.max(to_samples(now));
        let (now, queued) = (self.now, queued as i64);
        let tick = self.tick();
        if queued >= tick {
            return None;
        }
        let State::Playing(line) = self.state else {
            return Some(self.begin(now, queued));
        };
        self.position = Some(line.timestamp + line.made_up - queued);
        self.skip_what_is_too_old(now);
        let State::Playing(line) = self.state else {
            return None;
        };
        let Some((&sequence, first)) = self.packets.first_key_value() else {
            return Some(self.nothing_there(line, tick));
        };
        let hole = first.timestamp - line.timestamp;
        let remaining = hole - line.made_up;
        let missing = sequence - line.sequence;
        let transit = now - first.timestamp;
        // A hole in time without a missing packet is a pause of the sender; so is one that no few packets can fill.
        let pause = hole > 0 && (missing == 0 || remaining > (missing + 1) * i64::from(MAX_SAMPLES));
        if pause {
            let due =
                transit >= self.delay.target() || now - first.arrival >= to_samples(self.config.max_delay);
            return Some(if due {
                self.play(now, queued)
            } else {
                self.silence(tick)
            });
        }
        if remaining < SHORTEST {
            return Some(self.play(now, queued));
        }
        Some(self.bridge(line, remaining))
    }

    /// How far behind the fastest packet playback is, and should be. `None` before it began.
    pub fn delay(&self) -> Option<PlayoutDelay> {
        let position = self.position?;
        let fastest = self.delay.fastest();
        Some(PlayoutDelay {
            current: to_duration(self.now - position - fastest),
            target: to_duration(self.delay.target() - fastest),
            waited: to_duration(self.waited),
        })
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    /// Losses of the last seconds, for the sender's choice of redundancy.
    pub fn loss_report(&self) -> LossReport {
        LossReport {
            fraction: self.delay.losses.fraction(),
            mean_burst: self.delay.losses.mean_burst(),
        }
    }

    /// Sequence numbers of packets that are missing and can still be played when the sender repeats them within
    /// `round_trip`. Each is told again after a round trip.
    pub fn nacks(&mut self, now: Duration, round_trip: Duration) -> Vec<u16> {
        let State::Playing(line) = self.state else {
            return Vec::new();
        };
        let (now, round_trip) = (to_samples(now).max(self.now), to_samples(round_trip));
        let behind = now - self.position.unwrap_or(line.timestamp);
        let due = self.nacks.due(now, round_trip, |sequence| {
            // The media time of a missing packet follows from what is known before it.
            let ahead = (sequence - line.sequence) * line.samples;
            line.timestamp + ahead + behind >= now + round_trip
        });
        due.into_iter()
            .map(|sequence| self.counters.on_the_wire(sequence))
            .collect()
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn tick(&self) -> i64 {
        to_samples(self.config.tick).clamp(SHORTEST, i64::from(MAX_SAMPLES))
    }

    /// Nothing has been played: the first packet waits a little for those that overtook it and for what it is to tell.
    fn begin(&mut self, now: i64, queued: i64) -> Step<'_> {
        let waited = self
            .packets
            .first_key_value()
            .map(|(&sequence, first)| (sequence, first.timestamp, now - first.arrival));
        match waited {
            Some((sequence, timestamp, waited)) if waited >= to_samples(self.config.start_delay) => {
                self.state = State::Playing(Line {
                    sequence,
                    timestamp,
                    made_up: 0,
                    samples: 960,
                    pause: false,
                });
                self.play(now, queued)
            }
            _ => Step::Silence {
                samples: self.tick() as u32,
            },
        }
    }

    /// The first packet that waits, at a speed that brings the delay to its target.
    fn play(&mut self, now: i64, queued: i64) -> Step<'_> {
        let (State::Playing(line), Some((sequence, packet))) = (self.state, self.packets.pop_first()) else {
            return self.silence(SHORTEST);
        };
        self.stats.played += 1;
        self.stats.lost += (sequence - line.sequence) as u64;
        self.nacks.played(sequence);
        let samples = i64::from(packet.info.samples);
        let too_long = self.too_long(now - packet.timestamp, queued + samples, samples);
        // What was made up beyond the hole before this packet can stand in place of its beginning: as much of it as would
        // make the delay longer than it should be.
        let late = line.made_up - (packet.timestamp - line.timestamp);
        let skip = if late <= SHORTLY {
            late.min(samples).min(too_long).max(0)
        } else {
            0
        };
        self.state = State::Playing(Line {
            sequence: sequence + 1,
            timestamp: packet.timestamp + samples,
            made_up: if skip > 0 { late - skip } else { 0 },
            samples,
            pause: packet.info.dtx,
        });
        self.waited = now + queued - packet.arrival;
        self.current = packet.payload;
        let payload = &self.current[..];
        let wanted = too_long.unsigned_abs().min(48_000) as u32;
        if skip > 0 || packet.restart || packet.info.dtx {
            return Step::Play {
                payload,
                skip: skip as u32,
                restart: packet.restart,
            };
        }
        if too_long > TOO_LONG {
            self.stats.shrunk += 1;
            Step::Shrink { payload, wanted }
        } else if too_long < -TOO_SHORT {
            self.stats.stretched += 1;
            Step::Stretch { payload, wanted }
        } else {
            Step::Play {
                payload,
                skip: 0,
                restart: false,
            }
        }
    }

    /// By how many samples the sound that will be queued after a packet is longer than needed (negative: shorter), when the
    /// packet was taken at a transit time of `transit`. Packets are taken at ticks only: the next one when less than a
    /// tick is queued, and by then it must have had the time that is aimed at.
    fn too_long(&self, transit: i64, queued: i64, samples: i64) -> i64 {
        let tick = self.tick();
        let wait = samples + self.delay.target() - transit;
        queued - (wait + tick - 1).div_euclid(tick) * tick
    }

    /// A later packet is there, the next one is lost: what is missing comes from a copy, or is made up.
    fn bridge(&mut self, line: Line, remaining: i64) -> Step<'_> {
        let fec = self
            .packets
            .first_key_value()
            .is_some_and(|(_, next)| next.info.fec && remaining <= i64::from(next.info.samples));
        let samples = if fec {
            remaining
        } else {
            piece(remaining, line.samples)
        } / SHORTEST
            * SHORTEST;
        self.made_up(samples);
        let distance = |p: &Stored| p.timestamp - line.timestamp - line.made_up;
        let samples = samples as u32;
        if let Some(next) = self.packets.values().next().filter(|_| fec) {
            self.stats.fec_samples += u64::from(samples);
            return Step::Fec {
                payload: &next.payload,
                samples,
            };
        }
        let dred = self
            .packets
            .values()
            .take(8)
            .find(|p| !p.restart && i64::from(p.info.dred_samples) >= distance(p));
        if let Some(packet) = dred {
            self.stats.dred_samples += u64::from(samples);
            return Step::Dred {
                payload: &packet.payload,
                offset: distance(packet) as u32,
                samples,
            };
        }
        if line.made_up < LONGEST_CONCEALMENT {
            self.stats.concealed_samples += u64::from(samples);
            Step::Conceal { samples }
        } else {
            self.stats.silence_samples += u64::from(samples);
            Step::Silence { samples }
        }
    }

    /// No packet waits. Whether the next is lost or late shows when one comes; until then time stands still.
    fn nothing_there(&mut self, line: Line, tick: i64) -> Step<'_> {
        if line.pause || line.made_up >= LONGEST_CONCEALMENT {
            return self.silence(tick);
        }
        self.made_up(tick);
        self.stats.concealed_samples += tick as u64;
        Step::Conceal { samples: tick as u32 }
    }

    fn silence(&mut self, samples: i64) -> Step<'_> {
        self.made_up(samples);
        self.stats.silence_samples += samples as u64;
        Step::Silence {
            samples: samples as u32,
        }
    }

    fn made_up(&mut self, samples: i64) {
        if let State::Playing(line) = &mut self.state {
            line.made_up += samples;
        }
    }

    /// Jumps forward when playback is hopelessly behind.
    fn skip_what_is_too_old(&mut self, now: i64) {
        let limit = to_samples(self.config.skip_behind);
        let target = self.delay.target();
        let too_old = |p: &Stored, by: i64| now - p.timestamp - target > by;
        if !self
            .packets
            .first_key_value()
            .is_some_and(|(_, p)| too_old(p, limit))
        {
            return;
        }
        while self.packets.len() > 1 && self.packets.first_key_value().is_some_and(|(_, p)| too_old(p, 0)) {
            self.packets.pop_first();
            self.stats.skipped += 1;
        }
        self.jump_to_first();
    }

    fn jump_to_first(&mut self) {
        if let (State::Playing(line), Some((&sequence, first))) =
            (&mut self.state, self.packets.first_key_value())
        {
            line.sequence = sequence;
            line.timestamp = first.timestamp;
            line.made_up = 0;
        }
    }
}

/// How much of a hole of `remaining` samples to fill at once, with packets of `packet` samples: first what makes the rest
/// whole packets, because copies are of whole packets.
fn piece(remaining: i64, packet: i64) -> i64 {
    let packet = packet.max(SHORTEST);
    match remaining % packet {
        begun if begun >= SHORTEST => begun,
        _ => packet.min(remaining),
    }
}

fn to_samples(time: Duration) -> i64 {
    // A clock that is asked for 3 million years from now is a wrong clock.
    let micros = i64::try_from(time.as_micros())
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 48);
    micros * 48 / 1_000
}

fn to_duration(samples: i64) -> Duration {
    Duration::from_micros(samples.max(0) as u64 * 1_000 / 48)
}
