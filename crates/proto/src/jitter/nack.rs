use std::collections::BTreeMap;

/// Most packets asked for at a time, and remembered as missing.
const MOST: usize = 64;

/// Packets that are missing and may still come in time when asked for.
#[derive(Debug, Default)]
pub(super) struct NackList {
    /// Missing packet → when it was last asked for.
    missing: BTreeMap<i64, Option<i64>>,
    highest: Option<i64>,
}

impl NackList {
    /// A packet came: what lies between it and the highest so far is missing.
    pub(super) fn arrived(&mut self, sequence: i64) {
        self.missing.remove(&sequence);
        if let Some(highest) = self.highest {
            for gap in (highest + 1).max(sequence - MOST as i64)..sequence {
                self.missing.insert(gap, None);
            }
        }
        self.highest = self.highest.max(Some(sequence));
        while self.missing.len() > MOST {
            self.missing.pop_first();
        }
    }

    /// Playback went past everything before `sequence`.
    pub(super) fn played(&mut self, sequence: i64) {
        self.missing = self.missing.split_off(&sequence);
    }

    /// What to ask for at `now`, lowest first: each again after a round trip, and only while `in_time` says so.
    pub(super) fn due(&mut self, now: i64, round_trip: i64, in_time: impl Fn(i64) -> bool) -> Vec<i64> {
        let mut due = Vec::new();
        for (&sequence, asked) in &mut self.missing {
            let waiting = asked.is_some_and(|at| now - at < round_trip);
            if !waiting && in_time(sequence) {
                *asked = Some(now);
                due.push(sequence);
            }
        }
        due
    }
}
