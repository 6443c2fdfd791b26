//! MP3: 64 kbit/s mono at 48 kHz, by LAME, with the tag that tells players how much to trim.

use std::io::{self, Read, SeekFrom, Write};
use std::num::NonZeroU32;

use mp3lame_encoder::{Bitrate, Builder, FlushGap, Mode, MonoPcm, Quality, max_required_buffer_size};

use super::Scratch;
use super::plan::Plan;
use super::sound::{each_block, pcm};
use crate::{Error, Input};

const RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");
/// What LAME may still hold at the end (lame.h).
const FLUSH_BYTES: usize = 7_200;

/// Writes the whole file.
pub(super) fn write(
    plan: &Plan,
    input: &mut dyn Input,
    output: &mut dyn Write,
    scratch: &mut dyn Scratch,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let mut builder = Builder::new().ok_or_else(|| broken("no memory"))?;
    builder.set_num_channels(1).map_err(broken)?;
    builder.set_mode(Mode::Mono).map_err(broken)?;
    builder.set_sample_rate(RATE.get()).map_err(broken)?;
    builder.set_output_sample_rate(Some(RATE)).map_err(broken)?;
    builder.set_brate(Bitrate::Kbps64).map_err(broken)?;
    builder.set_quality(Quality::Good).map_err(broken)?;
    builder.set_to_write_vbr_tag(true).map_err(broken)?;
    let mut encoder = builder.build().map_err(broken)?;

    let (mut samples, mut bytes) = (Vec::new(), Vec::new());
    each_block(plan, input, RATE, cancelled, |block| {
        samples.clear();
        samples.extend(block.iter().map(|x| pcm(*x)));
        bytes.clear();
        bytes.reserve(max_required_buffer_size(samples.len()));
        encoder
            .encode_to_vec(MonoPcm(&samples), &mut bytes)
            .map_err(broken)?;
        Ok(scratch.write_all(&bytes)?)
    })?;
    bytes.clear();
    bytes.reserve(FLUSH_BYTES);
    encoder.flush_to_vec::<FlushGap>(&mut bytes).map_err(broken)?;
    scratch.write_all(&bytes)?;

    // The first frame was left empty for the tag, whose contents are known only now.
    let mut tag = Vec::with_capacity(encoder.lame_tag_size());
    encoder.lame_tag_encode_to_vec(&mut tag);
    scratch.rewind()?;
    scratch.write_all(&tag)?;
    scratch.seek(SeekFrom::Start(0))?;
    io::copy(&mut scratch.take(u64::MAX), output)?;
    Ok(())
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::Io(io::Error::other(format!("LAME: {what}")))
}
