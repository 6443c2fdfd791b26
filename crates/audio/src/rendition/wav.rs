//! WAV: 16-bit samples at 16 kHz, mono.

use std::io::Write;
use std::num::NonZeroU32;

use super::plan::Plan;
use super::sound::{each_block, length, pcm};
use crate::{Error, Input};

const RATE: NonZeroU32 = NonZeroU32::new(16_000).expect("not zero");
const HEADER: u64 = 44;

/// Writes the whole file.
pub(super) fn write(
    plan: &Plan,
    input: &mut dyn Input,
    output: &mut dyn Write,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let data = length(plan, RATE) * 2;
    if data + HEADER > u32::MAX.into() {
        return Err(Error::OutputTooLarge {
            max_bytes: u32::MAX.into(),
        });
    }
    output.write_all(&header(data as u32))?;
    let mut bytes = Vec::new();
    each_block(plan, input, RATE, cancelled, |samples| {
        bytes.clear();
        bytes.extend(samples.iter().flat_map(|x| pcm(*x).to_le_bytes()));
        Ok(output.write_all(&bytes)?)
    })
}

fn header(data: u32) -> [u8; HEADER as usize] {
    let mut out = *b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0data\0\0\0\0";
    out[4..8].copy_from_slice(&(data + HEADER as u32 - 8).to_le_bytes());
    out[24..28].copy_from_slice(&RATE.get().to_le_bytes());
    out[28..32].copy_from_slice(&(2 * RATE.get()).to_le_bytes());
    out[40..44].copy_from_slice(&data.to_le_bytes());
    out
}
