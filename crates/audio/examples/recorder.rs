//! `recorder IN`: what a recorder does with each 10 ms of its microphone, which a sound file stands for here: the verdict that it can
//! show before anything is sent, the chain that cleans up, and one Opus packet for every two blocks.
//!
//! Nothing but the packets allocates once it runs, so all of it may live in an audio callback.

use std::io::{Write, stdout};
use std::num::NonZeroU32;

use voxpost_audio::{
    CaptureChain, CaptureSettings, EncoderSettings, MicrophoneCheck, MicrophoneVerdict, Resampler,
    SpeechEncoder, decode,
};

const RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let input = std::env::args().nth(1).ok_or("usage: recorder IN")?;
    let mut microphone = Vec::new();
    let mut resampler: Option<Resampler> = None;
    decode(std::fs::File::open(input)?, &|| false, &mut |block| {
        let mono: Vec<f32> = block
            .interleaved
            .chunks_exact(block.channels)
            .map(|frame| frame.iter().sum::<f32>() / frame.len() as f32)
            .collect();
        let resampler = resampler.get_or_insert_with(|| Resampler::new(block.rate, RATE));
        resampler.push(&mono, &mut microphone);
    })?;
    if let Some(resampler) = resampler {
        resampler.finish(&mut microphone);
    }

    let mut check = MicrophoneCheck::default();
    let mut chain = CaptureChain::new(&CaptureSettings::default());
    let mut encoder = SpeechEncoder::new(&EncoderSettings::live());
    let mut verdict = MicrophoneVerdict::Listening;
    let (mut frame, mut packet, mut bytes, mut packets) = (Vec::new(), Vec::new(), 0, 0);
    for (n, block) in microphone.as_chunks().0.iter().enumerate() {
        // The verdict is about the microphone, so it hears what the chain has not improved yet.
        check.push(block);
        let now = check.verdict();
        if now != verdict {
            verdict = now;
            writeln!(stdout(), "after {} ms: {verdict:?}", 10 * (n + 1))?;
        }
        let mut cleaned = *block;
        chain.process(&mut cleaned);
        frame.extend_from_slice(&cleaned);
        if frame.len() == 2 * CaptureChain::BLOCK {
            packet.clear();
            encoder.encode(&frame, &mut packet);
            frame.clear();
            bytes += packet.len();
            packets += 1;
        }
    }
    writeln!(stdout(), "{packets} packets, {bytes} bytes; {:?}", check.levels())?;
    Ok(())
}
