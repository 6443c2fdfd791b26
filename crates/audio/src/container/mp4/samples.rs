//! The sample table of a plain MP4 (ISO/IEC 14496-12 §8.6–8.7), walked entry by entry: a count that the file claims is
//! never more than a count.

use super::boxes::{child, u32_at, u64_at};

/// Where one sample is, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) offset: u64,
    pub(crate) size: u32,
    /// Decoding time in ticks.
    pub(crate) time: u64,
    /// Duration in ticks; 0 = unknown.
    pub(crate) duration: u32,
}

/// The tables, and how far they were walked.
#[derive(Default)]
pub(crate) struct SampleTable {
    /// One size for all, or 0.
    fixed_size: u32,
    /// Samples that are left, as the header claims.
    left: u32,
    sizes: Vec<u8>,
    durations: Vec<u8>,
    chunks: Vec<u8>,
    /// Chunk offsets, 4 or 8 bytes each.
    offsets: Vec<u8>,
    wide_offsets: bool,

    sample: usize,
    duration_run: usize,
    duration_left: u32,
    chunk: usize,
    chunk_run: usize,
    chunk_left: u32,
    offset: u64,
    time: u64,
}

impl SampleTable {
    /// Copies the tables out of an `stbl`; what is missing is empty.
    pub(crate) fn new(stbl: &[u8]) -> Self {
        let table = |kind, skip| {
            child(stbl, kind)
                .and_then(|b| b.get(skip..))
                .unwrap_or(&[])
                .to_vec()
        };
        let stsz = child(stbl, b"stsz").unwrap_or(&[]);
        let wide_offsets = child(stbl, b"stco").is_none();
        SampleTable {
            fixed_size: u32_at(stsz, 4).unwrap_or(0),
            left: u32_at(stsz, 8).unwrap_or(0),
            sizes: stsz.get(12..).unwrap_or(&[]).to_vec(),
            durations: table(b"stts", 8),
            chunks: table(b"stsc", 8),
            offsets: if wide_offsets {
                table(b"co64", 8)
            } else {
                table(b"stco", 8)
            },
            wide_offsets,
            ..SampleTable::default()
        }
    }

    /// The next sample; `None` when the first of the tables ends.
    pub(crate) fn next(&mut self) -> Option<Sample> {
        self.left = self.left.checked_sub(1)?;
        let size = match self.fixed_size {
            0 => u32_at(&self.sizes, 4 * self.sample)?,
            n => n,
        };
        while self.chunk_left == 0 {
            self.enter_chunk()?;
        }
        let duration = self.duration();
        let sample = Sample {
            offset: self.offset,
            size,
            time: self.time,
            duration,
        };
        self.sample += 1;
        self.chunk_left -= 1;
        self.offset = self.offset.saturating_add(size.into());
        self.time = self.time.saturating_add(duration.into());
        Some(sample)
    }

    fn enter_chunk(&mut self) -> Option<()> {
        self.offset = if self.wide_offsets {
            u64_at(&self.offsets, 8 * self.chunk)?
        } else {
            u32_at(&self.offsets, 4 * self.chunk)?.into()
        };
        self.chunk += 1;
        // Runs name their first chunk, counted from one.
        while u32_at(&self.chunks, 12 * (self.chunk_run + 1))
            .is_some_and(|first| first as usize <= self.chunk)
        {
            self.chunk_run += 1;
        }
        self.chunk_left = u32_at(&self.chunks, 12 * self.chunk_run + 4)?;
        Some(())
    }

    fn duration(&mut self) -> u32 {
        while self.duration_left == 0 {
            match u32_at(&self.durations, 8 * self.duration_run) {
                Some(count) => self.duration_left = count,
                None => return 0,
            }
            self.duration_run += 1;
        }
        self.duration_left -= 1;
        u32_at(&self.durations, 8 * (self.duration_run - 1) + 4).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_box(kind: &[u8; 4], words: &[u32]) -> Vec<u8> {
        let mut out = (12 + 4 * words.len() as u32).to_be_bytes().to_vec();
        out.extend(kind);
        out.extend([0; 4]);
        out.extend(words.iter().flat_map(|w| w.to_be_bytes()));
        out
    }

    fn walk(boxes: &[Vec<u8>]) -> Vec<(u64, u32, u64, u32)> {
        let mut table = SampleTable::new(&boxes.concat());
        std::iter::from_fn(|| table.next())
            .take(100)
            .map(|s| (s.offset, s.size, s.time, s.duration))
            .collect()
    }

    #[test]
    fn chunks_runs_and_durations_are_walked_together() {
        let samples = walk(&[
            full_box(b"stsz", &[0, 5, 10, 20, 30, 40, 50]),
            full_box(b"stts", &[2, 4, 960, 1, 312]),
            full_box(b"stsc", &[2, 1, 2, 1, 3, 1, 1]),
            full_box(b"stco", &[3, 1000, 2000, 3000]),
        ]);
        assert_eq!(
            samples,
            [
                (1000, 10, 0, 960),
                (1010, 20, 960, 960),
                (2000, 30, 1920, 960),
                (2030, 40, 2880, 960),
                (3000, 50, 3840, 312)
            ]
        );
    }

    #[test]
    fn four_billion_claimed_samples_are_as_many_as_the_tables_hold() {
        let samples = walk(&[
            full_box(b"stsz", &[0, u32::MAX, 10, 20]),
            full_box(b"stts", &[1, u32::MAX, u32::MAX]),
            full_box(b"stsc", &[u32::MAX, 1, u32::MAX, 1]),
            full_box(b"stco", &[u32::MAX, 7]),
        ]);
        assert_eq!(
            samples,
            [(7, 10, 0, u32::MAX), (17, 20, u32::MAX.into(), u32::MAX)]
        );
    }

    #[test]
    fn chunks_without_samples_and_missing_tables_end_quietly() {
        assert_eq!(walk(&[full_box(b"stsz", &[8, 3])]), []);
        let empty_chunks = [
            full_box(b"stsz", &[8, 3]),
            full_box(b"stsc", &[1, 1, 0, 1]),
            full_box(b"stco", &[2, 1, 2]),
        ];
        assert_eq!(walk(&empty_chunks), []);
    }
}
