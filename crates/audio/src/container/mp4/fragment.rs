//! Movie fragments (ISO/IEC 14496-12 §8.8): the samples of one `moof`, walked entry by entry.

use super::boxes::{self, child, u32_at, u64_at};
use super::samples::Sample;

const BASE_DATA_OFFSET: u32 = 0x1;
const SAMPLE_DESCRIPTION: u32 = 0x2;
const DEFAULT_DURATION: u32 = 0x8;
const DEFAULT_SIZE: u32 = 0x10;
const DATA_OFFSET: u32 = 0x1;
const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const SAMPLE_DURATION: u32 = 0x100;
const SAMPLE_SIZE: u32 = 0x200;
const SAMPLE_FLAGS: u32 = 0x400;
const SAMPLE_COMPOSITION: u32 = 0x800;

/// The samples of one track in one fragment.
#[derive(Default)]
pub(crate) struct Fragment {
    runs: Vec<Run>,
    next: usize,
    offset: u64,
    /// Ticks up to here; carried from fragment to fragment when they do not say.
    time: u64,
}

struct Run {
    /// Where its first sample is; `None` = after the run before.
    offset: Option<u64>,
    /// Time of its first sample, in ticks; `None` = after the run before.
    time: Option<u64>,
    left: u32,
    duration: u32,
    size: u32,
    flags: u32,
    entries: Vec<u8>,
    at: usize,
}

impl Fragment {
    /// Takes in the runs of a track out of a `moof` payload. `start` is the position of the `moof` box, `defaults` the
    /// (duration, size) of the movie.
    pub(crate) fn load(&mut self, moof: &[u8], start: u64, track: u32, defaults: (u32, u32)) {
        self.runs.clear();
        self.next = 0;
        boxes::children(moof, |kind, traf| {
            if kind == *b"traf" {
                self.load_track(traf, start, track, defaults);
            }
        });
    }

    /// The next sample of the fragment.
    pub(crate) fn next(&mut self) -> Option<Sample> {
        loop {
            let run = self.runs.get_mut(self.next)?;
            self.offset = run.offset.take().unwrap_or(self.offset);
            self.time = run.time.take().unwrap_or(self.time);
            if let Some((size, duration)) = run.next() {
                let sample = Sample {
                    offset: self.offset,
                    size,
                    time: self.time,
                    duration,
                };
                self.offset = self.offset.saturating_add(size.into());
                self.time = self.time.saturating_add(duration.into());
                return Some(sample);
            }
            self.next += 1;
        }
    }

    fn load_track(&mut self, traf: &[u8], start: u64, track: u32, defaults: (u32, u32)) -> Option<()> {
        let tfhd = child(traf, b"tfhd")?;
        if u32_at(tfhd, 4)? != track {
            return None;
        }
        let flags = u32_at(tfhd, 0)? & 0xFF_FFFF;
        let (mut base, (mut duration, mut size), mut at) = (start, defaults, 8);
        if flags & BASE_DATA_OFFSET != 0 {
            base = u64_at(tfhd, at)?;
            at += 8;
        }
        if flags & SAMPLE_DESCRIPTION != 0 {
            at += 4;
        }
        if flags & DEFAULT_DURATION != 0 {
            duration = u32_at(tfhd, at)?;
            at += 4;
        }
        if flags & DEFAULT_SIZE != 0 {
            size = u32_at(tfhd, at)?;
        }
        let mut time = child(traf, b"tfdt").and_then(|tfdt| match tfdt.first()? {
            0 => u32_at(tfdt, 4).map(u64::from),
            _ => u64_at(tfdt, 4),
        });
        let mut first = true;
        boxes::children(traf, |kind, trun| {
            if kind == *b"trun"
                && let Some(mut run) = Run::parse(trun, base, duration, size)
            {
                run.time = time.take();
                run.offset = run.offset.or(first.then_some(base));
                first = false;
                self.runs.push(run);
            }
        });
        Some(())
    }
}

impl Run {
    fn parse(trun: &[u8], base: u64, duration: u32, size: u32) -> Option<Self> {
        let flags = u32_at(trun, 0)? & 0xFF_FFFF;
        let left = u32_at(trun, 4)?;
        let mut at = 8;
        let mut offset = None;
        if flags & DATA_OFFSET != 0 {
            offset = Some(base.saturating_add_signed(i64::from(u32_at(trun, at)? as i32)));
            at += 4;
        }
        if flags & FIRST_SAMPLE_FLAGS != 0 {
            at += 4;
        }
        let entries = trun.get(at..)?.to_vec();
        Some(Run {
            offset,
            time: None,
            left,
            duration,
            size,
            flags,
            entries,
            at: 0,
        })
    }

    /// (size, duration) of the next sample.
    fn next(&mut self) -> Option<(u32, u32)> {
        self.left = self.left.checked_sub(1)?;
        let mut field = |flag: u32, default: u32| {
            if self.flags & flag == 0 {
                return Some(default);
            }
            let value = u32_at(&self.entries, self.at)?;
            self.at += 4;
            Some(value)
        };
        let duration = field(SAMPLE_DURATION, self.duration)?;
        let size = field(SAMPLE_SIZE, self.size)?;
        field(SAMPLE_FLAGS, 0)?;
        field(SAMPLE_COMPOSITION, 0)?;
        Some((size, duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_box(kind: &[u8; 4], flags: u32, words: &[u32]) -> Vec<u8> {
        let mut out = (12 + 4 * words.len() as u32).to_be_bytes().to_vec();
        out.extend(kind);
        out.extend(flags.to_be_bytes());
        out.extend(words.iter().flat_map(|w| w.to_be_bytes()));
        out
    }

    fn walk(traf: &[Vec<u8>]) -> Vec<(u64, u32, u64, u32)> {
        let body = traf.concat();
        let mut moof = (8 + body.len() as u32).to_be_bytes().to_vec();
        moof.extend(b"traf");
        moof.extend(body);
        let mut fragment = Fragment::default();
        fragment.load(&moof, 5000, 1, (960, 7));
        std::iter::from_fn(|| fragment.next())
            .take(100)
            .map(|s| (s.offset, s.size, s.time, s.duration))
            .collect()
    }

    #[test]
    fn runs_follow_each_other_with_their_own_sizes_and_durations() {
        let samples = walk(&[
            full_box(b"tfhd", 0x2_0000, &[1]),
            full_box(b"tfdt", 0, &[4800]),
            full_box(
                b"trun",
                DATA_OFFSET | SAMPLE_DURATION | SAMPLE_SIZE,
                &[2, 100, 960, 10, 480, 20],
            ),
            full_box(b"trun", 0, &[1]),
        ]);
        assert_eq!(
            samples,
            [(5100, 10, 4800, 960), (5110, 20, 5760, 480), (5130, 7, 6240, 960)]
        );
    }

    #[test]
    fn other_tracks_and_cut_off_runs_give_nothing_more() {
        assert_eq!(
            walk(&[full_box(b"tfhd", 0, &[2]), full_box(b"trun", 0, &[3])]),
            []
        );
        let cut = walk(&[
            full_box(b"tfhd", 0, &[1]),
            full_box(b"trun", SAMPLE_SIZE, &[u32::MAX, 10, 20]),
        ]);
        assert_eq!(cut, [(5000, 10, 0, 960), (5010, 20, 960, 960)]);
    }
}
