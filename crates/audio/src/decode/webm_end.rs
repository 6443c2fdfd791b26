//! The size of a WebM segment that was cut, put right: symphonia refuses one that is larger than the file, but takes one of
//! unknown size.

use super::open::Patch;
use crate::container::source::Source;
use crate::container::webm::ebml;
use crate::{Error, Input};

const SEGMENT: u32 = 0x1853_8067;
/// Elements before the segment that are looked at.
const MAX_ELEMENTS: usize = 16;
const ID_LENGTH: usize = 4;

/// Patches that make the size unknown, when the file ends before it.
pub(super) fn repair(input: &mut dyn Input) -> Result<Vec<Patch>, Error> {
    let mut source = Source::new(input)?;
    for _ in 0..MAX_ELEMENTS {
        let at = source.position();
        let bytes: [u8; 16] = match source.peek(16)?.first_chunk() {
            Some(bytes) => *bytes,
            None => break,
        };
        let Some(header) = ebml::header(&bytes) else { break };
        let Some(size) = header.size else { break };
        source.skip(header.length as u64)?;
        if header.id != SEGMENT {
            source.skip(size)?;
            continue;
        }
        if size <= source.left() {
            break;
        }
        // All ones behind the marker bit.
        let mut unknown = bytes;
        let width = header.length - ID_LENGTH;
        unknown[ID_LENGTH..header.length].fill(0xFF);
        unknown[ID_LENGTH] = ((1_u16 << (9 - width)) - 1) as u8;
        return Ok((ID_LENGTH..header.length)
            .step_by(4)
            .map(|from| Patch {
                at: at + from as u64,
                bytes: std::array::from_fn(|i| unknown[from + i]),
            })
            .collect());
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn only_a_size_past_the_end_becomes_unknown_at_every_width() {
        for width in 1..=8_usize {
            let mut file = vec![0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67];
            let mut size = vec![0; width];
            size[0] = (1_u16 << (8 - width)) as u8;
            size[width - 1] |= 40;
            file.extend(&size);
            file.extend([0xAA; 40]);
            assert_eq!(repair(&mut Cursor::new(&file)).unwrap(), []);
            file.pop();
            for patch in repair(&mut Cursor::new(&file)).unwrap() {
                patch.apply(0, &mut file);
            }
            let header = ebml::header(&file[5..]).unwrap();
            assert_eq!(
                (header.id, header.size, header.length),
                (SEGMENT, None, 4 + width)
            );
            assert_eq!(file[9 + width..], [0xAA; 39]);
        }
    }
}
