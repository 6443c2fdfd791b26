//! The Opus packets of a file, as they are.

use std::io::Cursor;

use crate::container::{Event, Track};
use crate::opus::packet;
use crate::sniff::open;
use crate::{Error, Limits, OpusHead};

/// A packet and its play time in samples at 48 kHz.
pub type TimedPacket = (Box<[u8]>, u32);

/// Takes a file of Opus apart, in whatever container: what its header says and its packets in order, to be sent on as they are.
/// What breaks the rules (RFC 6716 §3) is left out, and so are gaps.
///
/// # Errors
/// `Unsupported` for anything but Opus, `TooLong`, `Empty` without packets, and those of [`probe`](crate::probe).
pub fn opus_packets(bytes: Vec<u8>, limits: &Limits) -> Result<(OpusHead, Vec<TimedPacket>), Error> {
    let mut input = Cursor::new(bytes);
    let mut demux = match open(&mut input)? {
        (_, Track::Opus(demux)) => demux,
        (source, _) => return Err(Error::unsupported(source.mime)),
    };
    let head = demux.head();
    let allowance = limits.max_samples_48k().saturating_add(head.pre_skip.into());
    let (mut packets, mut samples) = (Vec::new(), 0_u64);
    while let Some(event) = demux.next()? {
        let Event::Packet { data, .. } = event else {
            continue;
        };
        let Ok(info) = packet::check(data) else { continue };
        samples += u64::from(info.samples_48k);
        if samples > allowance {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
        packets.push((data.into(), info.samples_48k));
    }
    if packets.is_empty() {
        return Err(Error::Empty);
    }
    Ok((head, packets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, normalise};

    /// A second of a tone.
    fn wav() -> Vec<u8> {
        let samples = (0..48_000_u32).map(|n| ((n as f32 * 0.05).sin() * 8_000.0) as i16);
        let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        let mut wav = b"RIFF".to_vec();
        wav.extend((36 + data.len() as u32).to_le_bytes());
        wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        wav.extend(48_000_u32.to_le_bytes());
        wav.extend(96_000_u32.to_le_bytes());
        wav.extend(b"\x02\0\x10\0data");
        wav.extend((data.len() as u32).to_le_bytes());
        wav.extend(data);
        wav
    }

    fn canonical(source: Vec<u8>) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        normalise(Cursor::new(source), &mut out, &Options::default(), &|| false).unwrap();
        out.into_inner()
    }

    #[test]
    fn packets_are_the_same_in_a_file_and_in_what_is_made_of_it() {
        let file = canonical(wav());
        let (head, packets) = opus_packets(file.clone(), &Limits::default()).unwrap();
        assert_eq!(head.channels, 1);
        let played: u64 = packets.iter().map(|(_, samples)| u64::from(*samples)).sum();
        assert!((48_000..50_000).contains(&played), "{played}");
        let again = opus_packets(canonical(file), &Limits::default()).unwrap();
        assert_eq!(again.1, packets);
    }

    #[test]
    fn what_is_no_opus_or_too_long_is_refused() {
        assert!(opus_packets(wav(), &Limits::default()).is_err());
        let short = Limits {
            max_duration_ms: 500,
            ..Limits::default()
        };
        let refused = opus_packets(canonical(wav()), &short);
        assert!(matches!(refused, Err(Error::TooLong { max_ms: 500 })));
    }
}
