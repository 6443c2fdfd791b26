//! Everything that can be told about a sound file.

use serde::Serialize;

use crate::analysis::measure;
use crate::container::Track;
use crate::decode::Decoder;
use crate::sniff::open;
use crate::{Analyser, Analysis, Codec, Error, Input, Limits, Probe};

/// Whoever inspects a file wants an answer, however long it plays.
pub(crate) const LIMITS: Limits = Limits {
    max_duration_ms: 48 * 60 * 60 * 1_000,
    max_output_bytes: 0,
    max_channels: 32,
    max_sample_rate: 384_000,
};

/// What is in a sound file. Durations, counts and loudness are measured, not read from headers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// File format: `"ogg"`, `"webm"`, `"mp4"`, `"wav"`, …
    pub container: &'static str,
    /// Codec: `"opus"`, `"aac"`, `"pcm"`, …
    pub codec: String,
    /// Media type, such as `audio/webm; codecs=opus`.
    pub mime: String,
    /// Play time in ms, rounded.
    pub duration_ms: u64,
    /// Sample rate of the recording in Hz, as far as it is known; Opus always plays at 48 kHz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
    /// Mean bit rate in bit/s: of the packets for Opus, of the whole file otherwise.
    pub bitrate: u64,
    /// Samples at 48 kHz that are dropped from the start; Opus only.
    pub pre_skip: Option<u16>,
    /// Packets, or blocks of plain samples.
    pub packets: u64,
    /// The file ends early or has damaged parts.
    pub truncated: bool,
    /// What it sounds like. Loudness and peak are those of all channels of the file.
    #[serde(flatten)]
    pub analysis: Analysis,
}

/// Decodes a whole sound file and tells what is in it.
///
/// # Errors
/// As [`normalise`](crate::normalise()), except that the limits are so wide that only nonsense passes them.
pub fn inspect(mut input: impl Input, cancelled: &dyn Fn() -> bool) -> Result<Report, Error> {
    let source = match open(&mut input)? {
        (source, Track::Opus(mut demux)) => {
            let head = demux.head();
            let (analysis, found) = measure(demux.as_mut(), &LIMITS, cancelled)?;
            return Ok(Report {
                container: source.container.name(),
                codec: codec_name(&source.codec),
                mime: source.mime,
                duration_ms: (found.samples_48k + 24) / 48,
                sample_rate: if head.input_sample_rate == 0 {
                    48_000
                } else {
                    head.input_sample_rate
                },
                channels: head.channels,
                bitrate: bitrate(found.packet_bytes, found.samples_48k, 48_000),
                pre_skip: Some(head.pre_skip),
                packets: found.packets,
                truncated: found.truncated,
                analysis,
            });
        }
        (_, Track::Other(Codec::Other(codec))) => return Err(Error::Unsupported { codec }),
        (source, _) => source,
    };
    decoded(&mut input, source, cancelled)
}

fn decoded(input: &mut dyn Input, source: Probe, cancelled: &dyn Fn() -> bool) -> Result<Report, Error> {
    let bytes = input.seek(std::io::SeekFrom::End(0))?;
    let mut decoder = Decoder::open(input, &source, &LIMITS, cancelled)?;
    let mut analyser = Analyser::with_layout(decoder.rate(), decoder.layout());
    let mut packets = 0;
    while let Some(block) = decoder.next_block()? {
        packets += 1;
        analyser.push(block.interleaved);
        if cancelled() {
            return Err(Error::OutOfTime);
        }
    }
    let (frames, rate) = (decoder.frames(), u64::from(decoder.rate().get()));
    if frames == 0 {
        return Err(Error::Empty);
    }
    Ok(Report {
        container: source.container.name(),
        codec: codec_name(&source.codec),
        mime: source.mime,
        duration_ms: (2_000 * frames + rate) / (2 * rate),
        sample_rate: decoder.rate().get(),
        channels: decoder.layout().channels as u8,
        bitrate: bitrate(bytes, frames, rate),
        pre_skip: None,
        packets,
        truncated: decoder.truncated(),
        analysis: analyser.finish(),
    })
}

fn bitrate(bytes: u64, frames: u64, rate: u64) -> u64 {
    (u128::from(bytes) * 8 * u128::from(rate) / u128::from(frames.max(1))) as u64
}

fn codec_name(codec: &Codec) -> String {
    match codec {
        Codec::Other(name) => name.to_lowercase(),
        Codec::AmrNb => "amr-nb".into(),
        Codec::AmrWb => "amr-wb".into(),
        codec => format!("{codec:?}").to_lowercase(),
    }
}
