//! How much a recorder may say: from how the server keeps up, one step of a ladder of encoder settings.
//!
//! On a socket nothing is lost, only late. So the measure is how much recorded sound the server has not acknowledged, beyond
//! what is on its way anyhow. FEC is no part of it: on a socket its bits would be stored for ever and never be used.
//!
//! | step | bit rate | bandwidth | frame | mode | DTX | on the wire |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 0 | 6 kbit/s | narrow | 60 ms | CBR | on | 17 kbit/s |
//! | 1 | 8 kbit/s | narrow | 60 ms | VBR | on | 19 kbit/s |
//! | 2 | 12 kbit/s | wide | 40 ms | VBR | on | 28 kbit/s |
//! | 3 | 16 kbit/s | wide | 20 ms | VBR | off | 48 kbit/s |
//! | 4 | 24 kbit/s | super-wide | 20 ms | VBR | off | 56 kbit/s |
//! | 5 | 32 kbit/s | full | 20 ms | VBR | off | 64 kbit/s |
//!
//! The last column counts 80 bytes around each packet (RTP, WebSocket, TLS, TCP/IP) when it travels alone. A sender that is
//! behind bundles, which makes step 0 fit through 8 kbit/s.

use std::collections::VecDeque;

/// How far up the sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bandwidth {
    /// 4 kHz.
    Narrow,
    /// 8 kHz.
    Wide,
    /// 12 kHz.
    SuperWide,
    /// 20 kHz.
    Full,
}

impl Bandwidth {
    /// As libopus and WebCodecs call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Narrow => "narrowband",
            Self::Wide => "wideband",
            Self::SuperWide => "superwideband",
            Self::Full => "fullband",
        }
    }
}

/// What the encoder is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStep {
    /// Bits a second, without anything around the packets.
    pub bitrate_bps: u32,
    /// How far up the sound goes.
    pub bandwidth: Bandwidth,
    /// How long a packet plays.
    pub frame_ms: u32,
    /// Variable bit rate.
    pub vbr: bool,
    /// Send nothing while nobody speaks.
    pub dtx: bool,
}

const fn step(bitrate_bps: u32, bandwidth: Bandwidth, frame_ms: u32, vbr: bool, dtx: bool) -> RateStep {
    RateStep {
        bitrate_bps,
        bandwidth,
        frame_ms,
        vbr,
        dtx,
    }
}

/// The ladder, from the bottom.
pub const LADDER: [RateStep; 6] = [
    step(6_000, Bandwidth::Narrow, 60, false, true),
    step(8_000, Bandwidth::Narrow, 60, true, true),
    step(12_000, Bandwidth::Wide, 40, true, true),
    step(16_000, Bandwidth::Wide, 20, true, false),
    step(24_000, Bandwidth::SuperWide, 20, true, false),
    step(32_000, Bandwidth::Full, 20, true, false),
];

/// Where a recording begins: 24 kbit/s.
const FIRST: usize = 4;
/// Around each packet that travels alone.
const OVERHEAD_BITS: u64 = 80 * 8;
/// So much sound beyond a round trip is normal: commits take their time, encoders too.
const NORMAL_MS: u64 = 400;
/// From here on the path is too narrow.
const LATE_MS: u64 = 1_000;
/// From here on only the least will do.
const VERY_LATE_MS: u64 = 3_000;
/// After a fall it takes this long, and a round trip, until its effect shows.
const SETTLE_MS: u64 = 1_000;
/// How long all must be well before a step up; doubled each time that a step up was a mistake.
const CLIMB_MS: u64 = 5_000;
const CLIMB_MAX_MS: u64 = 60_000;
/// A step up that holds this long was none.
const PROVEN_MS: u64 = 15_000;
/// Throughput is measured over this time.
const WINDOW_MS: u64 = 2_000;
const WINDOW_REPORTS: usize = 64;

/// What a sender knows; to be told with every acknowledgement, and each 200 ms when none comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateReport {
    /// The time, from any start, in ms.
    pub now_ms: u64,
    /// Bytes of all packets that were acknowledged so far.
    pub acked_bytes: u64,
    /// Recorded sound that is not acknowledged, in ms.
    pub backlog_ms: u64,
    /// The shortest time from sending to acknowledgement lately, in ms.
    pub rtt_ms: u64,
}

/// Chooses the step. It falls at once, and climbs slowly.
#[derive(Debug, Clone)]
pub struct RateControl {
    step: usize,
    reports: VecDeque<(u64, u64)>,
    well_since: Option<u64>,
    fell_at: Option<u64>,
    climbed_at: Option<u64>,
    climb_ms: u64,
}

impl Default for RateControl {
    fn default() -> Self {
        Self {
            step: FIRST,
            reports: VecDeque::new(),
            well_since: None,
            fell_at: None,
            climbed_at: None,
            climb_ms: CLIMB_MS,
        }
    }
}

impl RateControl {
    /// What the encoder should be set to now.
    pub fn step(&self) -> &'static RateStep {
        &LADDER[self.step]
    }

    /// The place on the ladder, from 0.
    pub fn index(&self) -> usize {
        self.step
    }

    /// Takes news in; returns whether the step changed.
    pub fn handle_report(&mut self, report: &RateReport) -> bool {
        let now = report.now_ms;
        self.reports.push_back((now, report.acked_bytes));
        while self.reports.len() > WINDOW_REPORTS
            || self.reports.front().is_some_and(|&(at, _)| at + WINDOW_MS < now)
        {
            self.reports.pop_front();
        }
        let late = report.backlog_ms.saturating_sub(report.rtt_ms);
        let before = self.step;
        if late > LATE_MS {
            self.well_since = None;
            self.fall(now, late, report.rtt_ms);
        } else if late > NORMAL_MS {
            self.well_since = None;
        } else {
            self.climb(now);
        }
        self.step != before
    }

    fn fall(&mut self, now: u64, late: u64, rtt: u64) {
        let settling = self.fell_at.is_some_and(|at| now < at + SETTLE_MS + rtt);
        let target = if late > VERY_LATE_MS {
            0
        } else if settling {
            return;
        } else {
            let through = self.throughput_bps();
            let fits = LADDER
                .iter()
                .rposition(|step| wire_bps(step) * 5 <= through * 4)
                .unwrap_or(0);
            fits.min(self.step.saturating_sub(1))
        };
        if target >= self.step {
            return;
        }
        self.step = target;
        self.fell_at = Some(now);
        if self.climbed_at.is_some_and(|at| now < at + PROVEN_MS) {
            self.climb_ms = (self.climb_ms * 2).min(CLIMB_MAX_MS);
        }
        self.climbed_at = None;
    }

    fn climb(&mut self, now: u64) {
        if self.climbed_at.is_some_and(|at| now >= at + PROVEN_MS) {
            self.climb_ms = CLIMB_MS;
            self.climbed_at = None;
        }
        let since = *self.well_since.get_or_insert(now);
        if self.step + 1 < LADDER.len() && now >= since + self.climb_ms {
            self.step += 1;
            self.climbed_at = Some(now);
            self.well_since = Some(now);
        }
    }

    /// What was acknowledged lately, in bits a second.
    fn throughput_bps(&self) -> u64 {
        match (self.reports.front(), self.reports.back()) {
            (Some(&(from, first)), Some(&(to, last))) if to > from => {
                last.saturating_sub(first) * 8_000 / (to - from)
            }
            _ => 0,
        }
    }
}

fn wire_bps(step: &RateStep) -> u64 {
    u64::from(step.bitrate_bps) + OVERHEAD_BITS * 1_000 / u64::from(step.frame_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(now_ms: u64, acked_bytes: u64, backlog_ms: u64) -> RateReport {
        RateReport {
            now_ms,
            acked_bytes,
            backlog_ms,
            rtt_ms: 100,
        }
    }

    #[test]
    fn every_step_needs_more_than_the_one_below() {
        assert!(LADDER.windows(2).all(|w| wire_bps(&w[0]) < wire_bps(&w[1])));
        assert_eq!(
            LADDER.map(|step| wire_bps(&step) / 1_000),
            [16, 18, 28, 48, 56, 64]
        );
    }

    #[test]
    fn a_good_path_leads_to_the_top_one_step_at_a_time() {
        let mut rate = RateControl::default();
        let mut seen = vec![rate.index()];
        for n in 0..100 {
            if rate.handle_report(&report(n * 200, n * 1_000, 200)) {
                seen.push(rate.index());
            }
        }
        assert_eq!(seen, [4, 5]);
    }

    #[test]
    fn an_outage_falls_to_the_bottom_at_once_and_comes_back_slowly() {
        let mut rate = RateControl::default();
        rate.handle_report(&report(0, 0, 100));
        rate.handle_report(&report(3_200, 0, 3_200));
        assert_eq!(rate.index(), 0);
        let (mut now, mut climbs) = (20_000, Vec::new());
        while rate.index() < LADDER.len() - 1 {
            now += 200;
            if rate.handle_report(&report(now, now, 200)) {
                climbs.push(now);
            }
        }
        assert_eq!(climbs.len(), 5);
        assert!(climbs.windows(2).all(|w| w[1] - w[0] >= CLIMB_MS));
    }

    #[test]
    fn a_narrow_path_chooses_what_fits_and_tries_less_and_less_often() {
        let mut rate = RateControl::default();
        // 40 kbit/s get through.
        for n in 0..=10 {
            rate.handle_report(&report(n * 200, n * 1_000, 100 + n * 130));
        }
        assert_eq!(rate.index(), 2, "28 kbit/s fit into 80 % of 40");
        let mut now = 2_000;
        let mut waits = Vec::new();
        for _ in 0..4 {
            let since = now + 200;
            while rate.index() == 2 {
                now += 200;
                rate.handle_report(&report(now, now * 5, 200));
            }
            waits.push(now - since);
            now += 1_200;
            rate.handle_report(&report(now, now * 5, 1_300));
            assert_eq!(rate.index(), 2);
        }
        assert_eq!(waits, [5_000, 10_000, 20_000, 40_000]);
    }
}
