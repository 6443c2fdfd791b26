use super::config::JitterConfig;
use super::histogram::{BIN, Histogram};
use super::packet::PayloadInfo;

/// Share of the old that stays with each packet: at 50 packets a second half is forgotten after 7 s.
const FORGET: f32 = 0.998;
/// How much of a packet's worth is lost although a copy could be used in its place.
const COPY_LOSS: f32 = 0.3;
/// A packet that comes this much later than what is waited for is a spike: 78 ms, as in NetEq.
const SPIKE: i64 = 3_744;
/// Spikes are a habit of the network when they come back within this time: 10 s.
const SPIKE_MEMORY: i64 = 480_000;
/// A packet counts as lost once this many later ones have come, and copies are looked for in as many.
const LAG: i64 = 12;
const SLOTS: usize = 64;
/// So many packets in a row that are later than what is aimed at speak of another route: from then on each counts for
/// several, so that a second is enough to follow.
const NEW_ROUTE: u32 = 5;
const VOTES: u8 = 8;

/// How late to play: the delay at which waiting longer would cost more than the packets that still miss their turn.
///
/// For every packet the transit time (arrival minus timestamp) goes into one distribution, and the earliest time at
/// which the packet or a copy of it (FEC, DRED) could have been played into another. The delay x that is chosen makes
/// `x + worth × (0.3 × P(packet later than x) + 0.7 × P(packet and copies later than x))` smallest, with both tails
/// taken from distributions that forget. Where copies travel, it grows as far as they are worth waiting for.
#[derive(Debug)]
pub(super) struct DelayTarget {
    own: Histogram,
    best: Histogram,
    slots: [Slot; SLOTS],
    newest: Option<Newest>,
    /// Packets before this one have been judged.
    judged: i64,
    late_in_a_row: u32,
    last_spike: Option<i64>,
    /// The last spike came soon after the one before.
    habit: bool,
    target: i64,
    /// What a full loss is worth, in samples of delay.
    worth: f32,
    min_delay: i64,
    max_delay: i64,
    pub(super) losses: Losses,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    sequence: i64,
    used: bool,
    timestamp: i64,
    transit: i64,
    /// Came in the train behind a lonely spike: tells nothing of the days to come.
    ignored: bool,
    /// How often it counts.
    votes: u8,
    info: PayloadInfo,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    sequence: i64,
    timestamp: i64,
    arrival: i64,
}

impl DelayTarget {
    pub(super) fn new(config: &JitterConfig) -> Self {
        let samples = |d: std::time::Duration| (d.as_micros() as i64).saturating_mul(48) / 1_000;
        Self {
            own: Histogram::new(FORGET),
            best: Histogram::new(FORGET),
            slots: [Slot::default(); SLOTS],
            newest: None,
            judged: 0,
            late_in_a_row: 0,
            last_spike: None,
            habit: false,
            target: 0,
            worth: samples(config.delay_per_percent) as f32 * 100.0,
            min_delay: samples(config.min_delay),
            max_delay: samples(config.max_delay.max(config.min_delay)),
            losses: Losses::default(),
        }
    }

    /// Transit time at which packets should be played.
    pub(super) fn target(&self) -> i64 {
        self.target
    }

    /// Transit time of the fastest packets.
    pub(super) fn fastest(&self) -> i64 {
        self.own.lowest().unwrap_or(self.target)
    }

    /// Whether this very packet has been seen of late.
    pub(super) fn has(&self, sequence: i64) -> bool {
        let slot = &self.slots[sequence.rem_euclid(SLOTS as i64) as usize];
        slot.used && slot.sequence == sequence
    }

    /// Learns from a packet that was not there before.
    pub(super) fn learn(&mut self, sequence: i64, timestamp: i64, arrival: i64, info: PayloadInfo) {
        let transit = arrival - timestamp;
        let ignored = self.is_in_train(timestamp, arrival);
        self.late_in_a_row = if transit > self.target && !ignored {
            self.late_in_a_row + 1
        } else {
            0
        };
        let votes = if self.late_in_a_row >= NEW_ROUTE { VOTES } else { 1 };
        if !ignored {
            (0..votes).for_each(|_| self.own.add(Some(transit)));
        }
        if self.newest.is_none() {
            self.judged = sequence;
        }
        if sequence >= self.judged {
            self.slots[sequence.rem_euclid(SLOTS as i64) as usize] = Slot {
                sequence,
                used: true,
                timestamp,
                transit,
                ignored,
                votes,
                info,
            };
        }
        if self.newest.is_none_or(|newest| newest.sequence < sequence) {
            self.newest = Some(Newest {
                sequence,
                timestamp,
                arrival,
            });
            // A jump over more than the slots hold has nothing to judge in between.
            self.judged = self.judged.max(sequence - SLOTS as i64 + 1);
            while self.judged <= sequence - LAG {
                self.judge(self.judged);
                self.judged += 1;
            }
        }
        self.target = self.cheapest();
    }

    /// Whether a packet only waited behind a spike that stands alone. A single stall of the network is played out late
    /// and caught up with; a delay for it would come too late. Stalls that come back are learned from.
    fn is_in_train(&mut self, timestamp: i64, arrival: i64) -> bool {
        let Some(newest) = self.newest else { return false };
        if arrival - timestamp < self.target + SPIKE {
            return false;
        }
        let on_the_heels = (arrival - newest.arrival) * 2 < timestamp - newest.timestamp;
        if !on_the_heels {
            self.habit = self
                .last_spike
                .is_some_and(|spike| arrival - spike < SPIKE_MEMORY);
            self.last_spike = Some(arrival);
        }
        on_the_heels && !self.habit
    }

    /// Enough of what follows a packet has come to say whether it or a copy of it came, and when.
    fn judge(&mut self, sequence: i64) {
        let own = self.slot(sequence).copied();
        if own.is_some_and(|slot| slot.ignored) {
            return;
        }
        if own.is_none() {
            self.own.add(None);
        }
        self.losses.add(own.is_none());
        let copy = self.earliest_copy(sequence, own.map(|slot| slot.timestamp));
        let best = own.map(|slot| slot.transit).into_iter().chain(copy).min();
        let votes = own.map_or(1, |slot| slot.votes);
        (0..votes).for_each(|_| self.best.add(best));
    }

    fn earliest_copy(&self, sequence: i64, timestamp: Option<i64>) -> Option<i64> {
        (1..=LAG)
            .filter_map(|after| {
                let slot = self.slot(sequence + after)?;
                let distance =
                    timestamp.map_or(after * i64::from(slot.info.samples), |own| slot.timestamp - own);
                let copies = (after == 1 && slot.info.fec && distance == i64::from(slot.info.samples))
                    || i64::from(slot.info.dred_samples) >= distance;
                copies.then_some(slot.transit + distance)
            })
            .min()
    }

    fn slot(&self, sequence: i64) -> Option<&Slot> {
        self.has(sequence)
            .then(|| &self.slots[sequence.rem_euclid(SLOTS as i64) as usize])
    }

    fn cheapest(&self) -> i64 {
        let Some((lowest, highest)) = self.own.span() else {
            return self.target;
        };
        let highest = self.best.span().map_or(highest, |(_, best)| best.max(highest));
        let (mut own, mut best) = (self.own.tail(), self.best.tail());
        let (mut cheapest, mut lowest_cost) = (lowest, f32::INFINITY);
        for edge in (lowest..=highest).step_by(BIN as usize) {
            let missing = COPY_LOSS * own.above(edge) + (1.0 - COPY_LOSS) * best.above(edge);
            let cost = (edge - lowest) as f32 + self.worth * missing;
            if cost < lowest_cost {
                (cheapest, lowest_cost) = (edge, cost);
            }
        }
        cheapest.clamp(lowest + self.min_delay, lowest + self.max_delay)
    }
}

/// Share and clustering of losses, for the sender.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Losses {
    seen: u32,
    lost: f32,
    /// Share of packets that are the first of a run of losses.
    runs: f32,
    in_run: bool,
}

impl Losses {
    const FORGET: f32 = 0.99;

    fn add(&mut self, lost: bool) {
        self.seen = self.seen.saturating_add(1);
        let share = (1.0 / self.seen as f32).max(1.0 - Self::FORGET);
        self.lost += share * (f32::from(u8::from(lost)) - self.lost);
        self.runs += share * (f32::from(u8::from(lost && !self.in_run)) - self.runs);
        self.in_run = lost;
    }

    /// Share of packets that never came, 0 to 1.
    pub(super) fn fraction(&self) -> f32 {
        self.lost
    }

    /// Mean number of packets lost in a row; 0 when none was.
    pub(super) fn mean_burst(&self) -> f32 {
        if self.lost < 1e-4 {
            0.0
        } else {
            (self.lost / self.runs.max(1e-4)).max(1.0)
        }
    }
}
