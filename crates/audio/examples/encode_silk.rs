//! `encode_silk IN OUT.silk RATE [wechat]`: SILK v3 by the SDK's own encoder, for fixtures; as WeChat writes it or as the SDK does.

use std::num::NonZeroU32;

use voxpost_audio::{Resampler, decode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rate, rest @ ..] = arguments.as_slice() else {
        return Err("usage: encode_silk IN OUT.silk RATE [wechat]".into());
    };
    let rate: NonZeroU32 = rate.parse()?;
    let mut sound = Vec::new();
    let mut resampler: Option<Resampler> = None;
    decode(std::fs::File::open(input)?, &|| false, &mut |block| {
        let resampler = resampler.get_or_insert_with(|| Resampler::new(block.rate, rate));
        resampler.push(block.interleaved, &mut sound);
    })?;
    if let Some(resampler) = resampler {
        resampler.finish(&mut sound);
    }
    let samples: Vec<u8> = sound
        .iter()
        .flat_map(|x| ((x * 32_767.0).round() as i16).to_le_bytes())
        .collect();
    let wechat = rest.first().is_some_and(|word| word == "wechat");
    let bit_rate = 24_000;
    let silk = silk_codec::encode_silk(samples, rate.get() as i32, bit_rate, wechat)?;
    std::fs::write(output, silk)?;
    Ok(())
}
