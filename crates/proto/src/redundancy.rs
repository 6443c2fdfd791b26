//! The sender's choice of redundancy: what of the bit rate to spend on copies, from what the receiver reports.

use crate::jitter::LossReport;

/// Below this bit rate copies would take more than they give: everything goes into the sound itself.
const LEAST_FOR_FEC: u32 = 14_000;
/// What DRED needs to leave enough for the sound.
const LEAST_FOR_DRED: u32 = 28_000;
/// Share of packets lost from which copies are sent, and below which they are no longer.
const BEGIN: f32 = 0.02;
const END: f32 = 0.01;
/// Mean run of losses from which a copy in the next packet is mostly lost too, and below which it mostly is not.
const LONG_RUNS: f32 = 2.0;
const SHORT_RUNS: f32 = 1.6;
/// What libopus is told to expect, in percent. More makes the copies better and the sound worse; at 24 kbit/s 10 was best
/// at every loss from 5 to 30 % (docs/jitter-buffer.md).
const EXPECTED_LOSS: u8 = 10;

/// What to ask the encoder for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redundancy {
    /// A coarser copy of each packet in the next one (in-band FEC).
    pub fec: bool,
    /// Loss that the encoder is to expect, in percent.
    pub loss_percent: u8,
    /// Deep redundancy for this long before each packet, in ms; 0 for none.
    pub dred_ms: u16,
}

/// Chooses FEC for single losses, DRED for runs, and neither when nothing is lost.
///
/// FEC costs about a fifth of the bits and brings back a packet whose successor comes. A run of losses takes the copy
/// with it; DRED reaches over the run but needs a higher bit rate. The two are never on together: libopus would spend on
/// both. Between the thresholds the choice stays as it was. This is for networks that lose packets; where packets are
/// only delayed, and what is sent is stored, both stay off.
#[derive(Debug, Clone, Default)]
pub struct RedundancyPolicy {
    protecting: bool,
    runs: bool,
}

impl RedundancyPolicy {
    /// A policy that has heard of no losses.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to ask for from now on at a bit rate of `bitrate_bps` with everything, after a report for packets of
    /// `frame_ms`.
    pub fn choose(&mut self, report: &LossReport, bitrate_bps: u32, frame_ms: u16) -> Redundancy {
        self.protecting = report.fraction >= if self.protecting { END } else { BEGIN };
        self.runs = report.mean_burst >= if self.runs { SHORT_RUNS } else { LONG_RUNS };
        if !self.protecting || bitrate_bps < LEAST_FOR_FEC {
            return Redundancy::default();
        }
        if self.runs && bitrate_bps >= LEAST_FOR_DRED {
            // Runs of up to about twice the mean are covered.
            let reach = (report.mean_burst * 2.0).ceil().clamp(2.0, 50.0) as u16 * frame_ms.max(1);
            return Redundancy {
                fec: false,
                loss_percent: EXPECTED_LOSS,
                dred_ms: reach.next_multiple_of(20).clamp(40, 1_000),
            };
        }
        Redundancy {
            fec: true,
            loss_percent: EXPECTED_LOSS,
            dred_ms: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fraction: f32, mean_burst: f32) -> LossReport {
        LossReport { fraction, mean_burst }
    }

    #[test]
    fn nothing_is_spent_while_nothing_is_lost() {
        let mut policy = RedundancyPolicy::new();
        assert_eq!(
            policy.choose(&report(0.0, 0.0), 24_000, 20),
            Redundancy::default()
        );
        assert_eq!(
            policy.choose(&report(0.015, 1.0), 24_000, 20),
            Redundancy::default()
        );
    }

    #[test]
    fn single_losses_get_fec_and_runs_get_dred_where_the_bit_rate_allows() {
        let mut policy = RedundancyPolicy::new();
        let single = policy.choose(&report(0.1, 1.1), 24_000, 20);
        assert_eq!((single.fec, single.dred_ms), (true, 0));
        let runs = policy.choose(&report(0.2, 3.0), 32_000, 20);
        assert_eq!((runs.fec, runs.dred_ms), (false, 120));
        let narrow = policy.choose(&report(0.2, 3.0), 16_000, 20);
        assert_eq!((narrow.fec, narrow.dred_ms), (true, 0));
        assert_eq!(policy.choose(&report(0.2, 1.0), 8_000, 20), Redundancy::default());
    }

    #[test]
    fn a_report_near_a_threshold_does_not_change_the_choice_to_and_fro() {
        let mut policy = RedundancyPolicy::new();
        assert!(policy.choose(&report(0.021, 1.0), 24_000, 20).fec);
        assert!(policy.choose(&report(0.019, 1.0), 24_000, 20).fec);
        assert!(!policy.choose(&report(0.009, 1.0), 24_000, 20).fec);
        assert!(!policy.choose(&report(0.019, 1.0), 24_000, 20).fec);
    }
}
