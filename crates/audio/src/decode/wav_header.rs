//! The lengths in the headers of WAV and AIFF, put right. Recorders that stream write none, 0 or the largest number; those that were
//! interrupted leave one that is too large; RF64 keeps them elsewhere. What counts is what the file holds.

use std::io::{self, SeekFrom};

use super::open::{Part, Patch};
use crate::{Error, Input};

/// Chunks before the sound that are looked at.
const MAX_CHUNKS: usize = 64;
/// From here on a length means "unknown": sox and ffmpeg write just under 2³¹ or 2³² when they cannot seek.
const UNKNOWN_FROM: u32 = 0x7fff_0000;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repaired {
    pub(super) patches: Vec<Patch>,
    /// The sound without the header.
    pub(super) sound: Part,
    /// The header promises more sound than there is.
    pub(super) truncated: bool,
}

/// Finds the sound and its true length.
pub(super) fn repair(input: &mut dyn Input) -> Result<Repaired, Error> {
    let end = input.seek(SeekFrom::End(0))?;
    let mut at = 12;
    for _ in 0..MAX_CHUNKS {
        let Some((id, claimed)) = chunk(input, at)? else {
            break;
        };
        let body = at + 8;
        if &id != b"data" {
            at = body + u64::from(claimed) + u64::from(claimed % 2);
            continue;
        }
        let there = end.saturating_sub(body);
        let unknown = claimed >= UNKNOWN_FROM || (claimed == 0 && !chunk_follows(input, body, end)?);
        let len = if unknown { there } else { there.min(claimed.into()) };
        let sound = Part {
            begin: body,
            end: body + len,
        };
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        return Ok(Repaired {
            sound,
            patches: vec![
                Patch {
                    at: 0,
                    bytes: *b"RIFF",
                },
                Patch {
                    at: 4,
                    bytes: [0xff; 4],
                },
                Patch {
                    at: at + 4,
                    bytes: len.to_le_bytes(),
                },
            ],
            truncated: !unknown && u64::from(claimed) > there,
        });
    }
    Err(Error::corrupt("a WAV file without sound data"))
}

/// The same for AIFF and AIFF-C, which know no unknown lengths: only what was cut.
pub(super) fn repair_aiff(input: &mut dyn Input) -> Result<Vec<Patch>, Error> {
    let end = input.seek(SeekFrom::End(0))?;
    let mut at = 12;
    for _ in 0..MAX_CHUNKS {
        let Some((id, len)) = chunk(input, at)? else {
            break;
        };
        let len = u64::from(len.swap_bytes());
        let there = end - (at + 8).min(end);
        if &id == b"SSND" && len > there {
            let size = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
            return Ok(vec![
                Patch {
                    at: 4,
                    bytes: size(end - 8),
                },
                Patch {
                    at: at + 4,
                    bytes: size(there),
                },
            ]);
        }
        at += 8 + len + len % 2;
    }
    Ok(Vec::new())
}

/// Whether another chunk begins at `at`: then a length of 0 before it was meant.
fn chunk_follows(input: &mut dyn Input, at: u64, end: u64) -> io::Result<bool> {
    Ok(match chunk(input, at)? {
        Some((id, len)) => {
            id.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') && at + 8 + u64::from(len) <= end
        }
        None => end <= at,
    })
}

/// Name and length of the chunk at `at`, if the file reaches that far.
fn chunk(input: &mut dyn Input, at: u64) -> io::Result<Option<([u8; 4], u32)>> {
    input.seek(SeekFrom::Start(at))?;
    let mut header = [0; 8];
    match input.read_exact(&mut header) {
        Ok(()) => {
            let [a, b, c, d, len @ ..] = header;
            Ok(Some(([a, b, c, d], u32::from_le_bytes(len))))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A header with these lengths around `sound`.
    fn wav(riff: u32, data: u32, sound: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF".to_vec();
        file.extend(riff.to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
        file.extend(data.to_le_bytes());
        file.extend(sound);
        file
    }

    fn repaired_len(file: &[u8]) -> (u32, bool) {
        let repaired = repair(&mut Cursor::new(file)).expect("a sound chunk");
        let mut file = file.to_vec();
        for patch in &repaired.patches {
            patch.apply(0, &mut file);
        }
        (
            u32::from_le_bytes(file[40..44].try_into().expect("four bytes")),
            repaired.truncated,
        )
    }

    #[test]
    fn a_right_length_stays() {
        assert_eq!(repaired_len(&wav(44, 8, &[1; 8])), (8, false));
        assert_eq!(repaired_len(&wav(44, 4, &[1; 8])), (4, false));
    }

    #[test]
    fn an_unknown_length_is_what_the_file_holds() {
        for unknown in [0, u32::MAX, 0x7fff_f000, 0x7fff_ffff - 36] {
            assert_eq!(
                repaired_len(&wav(0, unknown, &[1; 8])),
                (8, false),
                "{unknown:#x}"
            );
        }
    }

    #[test]
    fn a_length_past_the_end_means_a_cut_file() {
        assert_eq!(repaired_len(&wav(1_036, 1_000, &[1; 8])), (8, true));
    }

    #[test]
    fn nothing_before_another_chunk_is_nothing() {
        assert_eq!(repaired_len(&wav(44, 0, b"LIST\0\0\0\0")), (0, false));
        assert_eq!(repaired_len(&wav(36, 0, b"")), (0, false));
    }

    #[test]
    fn a_file_without_sound_data_is_corrupt() {
        let file = wav(36, 0, b"");
        assert!(matches!(
            repair(&mut Cursor::new(&file[..36])),
            Err(Error::Corrupt { .. })
        ));
    }
}
