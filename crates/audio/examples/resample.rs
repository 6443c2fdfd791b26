//! `resample FROM TO`: raw mono samples, 32-bit floats, from the standard input to the standard output at another rate.
//! `resample FROM TO latency`: how much sound goes in before the first sample comes out, in ms. For scripts/bench-sound.

use std::io::{Read, Write, stdin, stdout};
use std::num::NonZeroU32;

use voxpost_audio::Resampler;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = arguments.as_slice() else {
        return Err("usage: resample FROM TO [latency]".into());
    };
    let (from, to): (NonZeroU32, NonZeroU32) = (from.parse()?, to.parse()?);
    let mut resampler = Resampler::new(from, to);
    let mut out = Vec::new();
    if !rest.is_empty() {
        let mut samples = 0_u32;
        while out.is_empty() {
            resampler.push(&[0.0], &mut out);
            samples += 1;
        }
        let milliseconds = f64::from(samples) * 1_000.0 / f64::from(from.get());
        writeln!(stdout(), "{milliseconds:.2}")?;
        return Ok(());
    }
    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes)?;
    let samples: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&x| f32::from_le_bytes(x))
        .collect();
    resampler.push(&samples, &mut out);
    resampler.finish(&mut out);
    let bytes: Vec<u8> = out.iter().flat_map(|x| x.to_le_bytes()).collect();
    stdout().write_all(&bytes)?;
    Ok(())
}
