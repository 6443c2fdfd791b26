//! Which place of the message is heard while the nth sample is.

use std::collections::VecDeque;

/// What was heard since the last look: stretches of the message in order, in samples at 48 kHz, and where it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// From and to; what lies between two of them was skipped.
    pub(crate) stretches: Vec<(u64, u64)>,
    pub(crate) position: u64,
}

/// Samples on their way out, in blocks that know which part of the message they are.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    blocks: VecDeque<Block>,
    /// Samples that were handed out, ever.
    pushed: u64,
    /// Of the message: where what is handed out next begins.
    end: u64,
    position: u64,
}

#[derive(Debug)]
struct Block {
    /// In samples that were handed out.
    start: u64,
    end: u64,
    /// In the message.
    from: u64,
    to: u64,
}

impl Timeline {
    /// Forgets what is on its way: the next sample that is handed out is the one after `taken`, and is heard at `position`.
    pub(super) fn reset(&mut self, taken: u64, position: u64) {
        self.blocks.clear();
        self.pushed = taken;
        self.end = position;
        self.position = position;
    }

    /// `samples` were handed out, and are the message up to `to`.
    pub(super) fn push(&mut self, samples: usize, to: u64) {
        let (from, start) = (self.end, self.pushed);
        self.pushed += samples as u64;
        self.end = to;
        if samples > 0 {
            self.blocks.push_back(Block {
                start,
                end: self.pushed,
                from,
                to: to.max(from),
            });
        }
    }

    /// What is handed out next begins here: what lies between is skipped.
    pub(super) fn jump(&mut self, to: u64) {
        self.end = to;
    }

    /// Samples that were handed out, ever.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Goes on to where `heard` samples were heard, ever.
    pub(super) fn advance(&mut self, heard: u64) -> Heard {
        let mut stretches: Vec<(u64, u64)> = Vec::new();
        let mut passed = |from: u64, to: u64| match stretches.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ if from < to => stretches.push((from, to)),
            _ => {}
        };
        while let Some(block) = self.blocks.front_mut() {
            if block.start >= heard {
                break;
            }
            let upto = heard.min(block.end);
            let part = (upto - block.start) as f64 / (block.end - block.start) as f64;
            let to = block.from + ((block.to - block.from) as f64 * part) as u64;
            passed(block.from, to);
            self.position = to;
            if upto < block.end {
                (block.start, block.from) = (upto, to);
                break;
            }
            self.blocks.pop_front();
        }
        Heard {
            stretches,
            position: self.position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(timeline: &mut Timeline, samples: u64) -> (Vec<(u64, u64)>, u64) {
        let Heard { stretches, position } = timeline.advance(samples);
        (stretches, position)
    }

    #[test]
    fn what_is_heard_is_what_was_taken_and_not_what_was_decoded() {
        let mut timeline = Timeline::default();
        timeline.reset(0, 5_000);
        timeline.push(480, 5_480);
        timeline.push(480, 5_960);
        assert_eq!(heard(&mut timeline, 0), (vec![], 5_000));
        assert_eq!(heard(&mut timeline, 240), (vec![(5_000, 5_240)], 5_240));
        assert_eq!(heard(&mut timeline, 720), (vec![(5_240, 5_720)], 5_720));
        assert_eq!(heard(&mut timeline, 9_999), (vec![(5_720, 5_960)], 5_960));
    }

    #[test]
    fn a_change_of_speed_holds_from_the_sample_on_at_which_it_was_made() {
        let mut timeline = Timeline::default();
        timeline.push(1_000, 1_000);
        timeline.push(1_000, 3_000);
        assert_eq!(heard(&mut timeline, 1_500), (vec![(0, 2_000)], 2_000));
    }

    #[test]
    fn silence_that_is_skipped_is_not_heard() {
        let mut timeline = Timeline::default();
        timeline.push(1_000, 1_000);
        timeline.jump(9_000);
        timeline.push(1_000, 10_000);
        assert_eq!(
            heard(&mut timeline, 2_000),
            (vec![(0, 1_000), (9_000, 10_000)], 10_000)
        );
    }

    #[test]
    fn after_a_seek_nothing_of_before_is_heard() {
        let mut timeline = Timeline::default();
        timeline.push(1_000, 1_000);
        timeline.reset(300, 50_000);
        timeline.push(1_000, 51_000);
        assert_eq!(heard(&mut timeline, 300), (vec![], 50_000));
        assert_eq!(heard(&mut timeline, 400), (vec![(50_000, 50_100)], 50_100));
    }
}
