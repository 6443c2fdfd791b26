use std::num::{NonZeroU8, NonZeroU32};

use super::{Analyser, Analysis};
use crate::container::{Demux, Track};
use crate::sniff::open;
use crate::sound::{Decoded, decode_opus};
use crate::{Error, Input, Limits};

/// The rate at which messages are measured. Speech has next to nothing above 8 kHz, and decoding less costs
/// less; docs/benchmarks.md has what it costs in accuracy.
pub(crate) const ANALYSIS_RATE: NonZeroU32 = NonZeroU32::new(16_000).expect("not zero");

/// Measures a canonical message, or Opus in any other container, by decoding it. Pre-skip and end trim are respected.
///
/// `cancelled` is asked for every packet.
///
/// # Errors
/// `Unsupported` for anything but Opus, `TooLong`, `Empty` without sound, `OutOfTime`, and those of
/// [`probe`](crate::probe).
pub fn analyse_ogg(
    mut input: impl Input,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<Analysis, Error> {
    match open(&mut input)? {
        (_, Track::Opus(mut demux)) => Ok(measure(demux.as_mut(), limits, cancelled)?.0),
        (source, _) => Err(Error::unsupported(source.mime)),
    }
}

/// Decodes a stream of Opus packets and measures what is heard.
pub(crate) fn measure(
    demux: &mut dyn Demux,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<(Analysis, Decoded), Error> {
    let channels = NonZeroU8::new(demux.head().channels).unwrap_or(NonZeroU8::MIN);
    let mut analyser = Analyser::new(ANALYSIS_RATE, channels);
    let found = decode_opus(demux, ANALYSIS_RATE, limits, cancelled, &mut |block| {
        analyser.push(block);
    })?;
    Ok((analyser.finish(), found))
}
