use super::rng::Rng;

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// None.
    None,
    /// Each by itself.
    Random {
        /// Share that is lost, 0 to 1.
        share: f64,
    },
    /// Runs of always the same length at random places.
    Bursts {
        /// Share that is lost, 0 to 1.
        share: f64,
        /// Packets in a run.
        length: u32,
    },
    /// Two states, a good and a bad one, each with its own share of losses (Gilbert 1960, Elliott 1963).
    GilbertElliott {
        /// Probability for each packet to turn from good to bad.
        to_bad: f64,
        /// Probability for each packet to turn from bad to good.
        to_good: f64,
        /// Share that is lost in the good state.
        lost_in_good: f64,
        /// Share that is lost in the bad state.
        lost_in_bad: f64,
    },
}

impl Loss {
    /// For each of `packets`, whether it is lost.
    pub(super) fn draw(self, packets: usize, rng: &mut Rng) -> Vec<bool> {
        let mut lost = vec![false; packets];
        match self {
            Self::None => {}
            Self::Random { share } => lost.iter_mut().for_each(|lost| *lost = rng.chance(share)),
            Self::Bursts { share, length } => bursts(&mut lost, share, length.max(1) as usize, rng),
            Self::GilbertElliott {
                to_bad,
                to_good,
                lost_in_good,
                lost_in_bad,
            } => {
                let mut bad = false;
                for lost in &mut lost {
                    bad = rng.chance(if bad { 1.0 - to_good } else { to_bad });
                    *lost = rng.chance(if bad { lost_in_bad } else { lost_in_good });
                }
            }
        }
        lost
    }
}

/// At least one packet comes between two runs, so that their length is what was asked for.
fn bursts(lost: &mut [bool], share: f64, length: usize, rng: &mut Rng) {
    let mean_gap = length as f64 * (1.0 - share) / share.max(1e-9);
    let begin = 1.0 / mean_gap.max(1.0);
    let mut i = 0;
    while i < lost.len() {
        if rng.chance(begin) {
            let end = (i + length).min(lost.len());
            lost[i..end].fill(true);
            i = end;
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_and_runs(loss: Loss) -> (f64, f64) {
        let lost = loss.draw(100_000, &mut Rng::new(1));
        let count = lost.iter().filter(|&&l| l).count() as f64;
        let runs = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
        (count / 100_000.0, count / runs)
    }

    #[test]
    fn every_model_loses_the_share_and_the_runs_that_it_was_asked_for() {
        let (share, _) = share_and_runs(Loss::Random { share: 0.1 });
        assert!((share - 0.1).abs() < 0.01, "{share}");
        let (share, run) = share_and_runs(Loss::Bursts {
            share: 0.2,
            length: 3,
        });
        assert!(
            (share - 0.2).abs() < 0.02 && (run - 3.0).abs() < 0.01,
            "{share} in runs of {run}"
        );
        let (share, run) = share_and_runs(Loss::GilbertElliott {
            to_bad: 0.05,
            to_good: 0.2,
            lost_in_good: 0.0,
            lost_in_bad: 1.0,
        });
        // Stationary: 0.05 / (0.05 + 0.2) in the bad state, for 5 packets on average.
        assert!(
            (share - 0.2).abs() < 0.02 && (run - 5.0).abs() < 0.3,
            "{share} in runs of {run}"
        );
    }
}
