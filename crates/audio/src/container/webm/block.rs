//! Blocks and their lacing (RFC 9559 §10).

use std::ops::Range;

use super::ebml;

/// The head of a Block or SimpleBlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) track: u64,
    /// Ticks after the cluster's timestamp.
    pub(crate) ticks: i16,
    /// Where the frames, or their lacing, begin.
    pub(crate) start: usize,
    lacing: u8,
}

/// Longest head: a track number of 8 bytes, the ticks, the flags.
pub(crate) const MAX_HEAD: usize = 11;

impl Block {
    /// Reads the head of a block's payload.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let (track, n) = ebml::vint(payload)?;
        let &[a, b, flags] = payload.get(n..n + 3)? else {
            return None;
        };
        Some(Block {
            track: track?,
            ticks: i16::from_be_bytes([a, b]),
            start: n + 3,
            lacing: flags >> 1 & 3,
        })
    }

    /// Lists the frames as ranges of the whole payload. `None` when the lacing contradicts the payload's size.
    pub(crate) fn frames(&self, payload: &[u8], frames: &mut Vec<Range<usize>>) -> Option<()> {
        let mut at = self.start;
        if self.lacing == 0 {
            frames.push(at..payload.len());
            return Some(());
        }
        let count = usize::from(*payload.get(at)?) + 1;
        at += 1;
        let mut sizes = [0usize; 255];
        let sizes = &mut sizes[..count - 1];
        match self.lacing {
            1 => at += xiph_sizes(payload.get(at..)?, sizes)?,
            3 => at += ebml_sizes(payload.get(at..)?, sizes)?,
            _ => {
                let all = payload.len() - at;
                if !all.is_multiple_of(count) {
                    return None;
                }
                sizes.fill(all / count);
            }
        }
        for &mut size in sizes {
            let end = at.checked_add(size).filter(|&end| end <= payload.len())?;
            frames.push(at..end);
            at = end;
        }
        frames.push(at..payload.len());
        Some(())
    }
}

/// Each size is a sum of bytes that ends with one under 255. Gives the bytes used.
fn xiph_sizes(bytes: &[u8], sizes: &mut [usize]) -> Option<usize> {
    let mut at = 0;
    for size in sizes {
        loop {
            let byte = *bytes.get(at)?;
            at += 1;
            *size += usize::from(byte);
            if byte < 255 {
                break;
            }
        }
    }
    Some(at)
}

/// The first size is a number, the others are signed differences. Gives the bytes used.
fn ebml_sizes(bytes: &[u8], sizes: &mut [usize]) -> Option<usize> {
    let mut at = 0;
    let mut before = None;
    for size in sizes {
        let (value, n) = ebml::vint(&bytes[at..])?;
        at += n;
        let value = value.filter(|&v| v < 1 << 40)? as i64;
        let now = match before {
            None => value,
            Some(before) => before + value - ((1i64 << (7 * n - 1)) - 1),
        };
        *size = usize::try_from(now).ok()?;
        before = Some(now);
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(payload: &[u8]) -> Option<Vec<&[u8]>> {
        let block = Block::parse(payload)?;
        let mut ranges = Vec::new();
        block.frames(payload, &mut ranges)?;
        Some(ranges.into_iter().map(|range| &payload[range]).collect())
    }

    #[test]
    fn a_block_without_lacing_is_one_frame() {
        let block = [0x81, 0xFF, 0xFE, 0x80, 1, 2, 3];
        assert_eq!(
            Block::parse(&block),
            Some(Block {
                track: 1,
                ticks: -2,
                start: 4,
                lacing: 0
            })
        );
        assert_eq!(frames(&block).unwrap(), [[1, 2, 3]]);
    }

    #[test]
    fn xiph_lacing_gives_its_frames() {
        let mut block = vec![0x81, 0, 0, 0x82, 2, 255, 1, 2];
        block.extend([7; 256]);
        block.extend([8, 8, 9]);
        let frames = frames(&block).unwrap();
        assert_eq!(frames, [&[7; 256][..], &[8, 8], &[9]]);
    }

    #[test]
    fn ebml_lacing_gives_its_frames() {
        // RFC 9559 §10.3.3: sizes 800, 500, 1000 are coded as 0x4320, 0x5ED3 (−300); the last is the rest.
        let mut block = vec![0x81, 0, 0, 0x86, 2, 0x43, 0x20, 0x5E, 0xD3];
        for (byte, n) in [(1, 800), (2, 500), (3, 1000)] {
            block.resize(block.len() + n, byte);
        }
        let sizes: Vec<_> = frames(&block).unwrap().iter().map(|f| (f[0], f.len())).collect();
        assert_eq!(sizes, [(1, 800), (2, 500), (3, 1000)]);
    }

    #[test]
    fn fixed_lacing_gives_its_frames() {
        assert_eq!(
            frames(&[0x81, 0, 0, 0x84, 1, 1, 2, 3, 4]).unwrap(),
            [[1, 2], [3, 4]]
        );
    }

    #[test]
    fn lacing_that_does_not_fit_is_refused() {
        for block in [
            &[0x81, 0, 0, 0x84, 1, 1, 2, 3][..],         // fixed: 3 bytes in two
            &[0x81, 0, 0, 0x82, 1, 200, 1],              // Xiph: too long
            &[0x81, 0, 0, 0x82, 1, 255],                 // Xiph: cut off
            &[0x81, 0, 0, 0x86, 2, 0x81, 0x80, 1, 2, 3], // EBML: negative
            &[0x81, 0, 0, 0x86],                         // no count
        ] {
            assert_eq!(frames(block), None, "{block:?}");
        }
    }
}
