//! `clean_up off|gate|suppress IN OUT.wav`: what a recorder would make of a sound file, without its delay.

use std::num::NonZeroU32;

use voxpost_audio::{CaptureChain, CaptureSettings, NoiseReduction, Resampler, decode};

const RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [noise, input, output] = arguments.as_slice() else {
        return Err("usage: clean_up off|gate|suppress IN OUT.wav".into());
    };
    let noise = match noise.as_str() {
        "off" => NoiseReduction::Off,
        "gate" => NoiseReduction::Gate,
        "suppress" => NoiseReduction::Suppress,
        other => return Err(format!("{other} is none of off, gate, suppress").into()),
    };
    let (mut sound, mut mono) = (Vec::new(), Vec::new());
    let mut resampler: Option<Resampler> = None;
    decode(std::fs::File::open(input)?, &|| false, &mut |block| {
        mono.clear();
        let frames = block.interleaved.chunks_exact(block.channels);
        mono.extend(frames.map(|frame| frame.iter().sum::<f32>() / frame.len() as f32));
        let resampler = resampler.get_or_insert_with(|| Resampler::new(block.rate, RATE));
        resampler.push(&mono, &mut sound);
    })?;
    if let Some(resampler) = resampler {
        resampler.finish(&mut sound);
    }

    let mut chain = CaptureChain::new(&CaptureSettings {
        noise,
        ..CaptureSettings::default()
    });
    let length = sound.len();
    sound.resize(
        (length + chain.latency()).next_multiple_of(CaptureChain::BLOCK),
        0.0,
    );
    for block in sound.as_chunks_mut().0 {
        chain.process(block);
    }
    let heard = &sound[chain.latency()..chain.latency() + length];
    std::fs::write(output, wav(heard))?;
    Ok(())
}

fn wav(sound: &[f32]) -> Vec<u8> {
    let data = (sound.len() * 2) as u32;
    let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    out[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    out.extend(RATE.get().to_le_bytes());
    out.extend((2 * RATE.get()).to_le_bytes());
    out.extend(b"\x02\0\x10\0data");
    out.extend(data.to_le_bytes());
    out.extend(
        sound
            .iter()
            .flat_map(|x| ((x * 32_767.0).round() as i16).to_le_bytes()),
    );
    out
}
