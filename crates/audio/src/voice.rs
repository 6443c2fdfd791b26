use std::io::Cursor;

use crate::container::{Demux, Event, Track};
use crate::opus::decode::Decoder;
use crate::opus::packet;
use crate::pcm::{Layout, downmix, sanitise};
use crate::sniff::open;
use crate::{Error, Limits, OpusHead};

/// The rate at which it plays.
const RATE: std::num::NonZeroU32 = std::num::NonZeroU32::new(48_000).expect("not zero");

/// How much is decoded before the place that is to be heard: 400 ms. RFC 7845 §4.6 asks for 80 ms at least; this costs a
/// millisecond and sounds as if it had been played through.
const PRE_ROLL: u64 = 19_200;

/// A message to play from any place: packets stay packed (180 kB a minute), and are decoded as they are heard.
///
/// Positions are in samples at 48 kHz from the first that is heard; sound is mono.
pub struct VoiceReader {
    head: OpusHead,
    decoder: Decoder,
    /// What comes one after another, and where each begins, pre-skip included.
    pieces: Vec<(u64, Piece)>,
    next: usize,
    /// Of what `ready` begins with, pre-skip included.
    position: u64,
    ready: Vec<f32>,
    /// Pre-skip included.
    end: u64,
}

enum Piece {
    Packet(Box<[u8]>),
    Silence(u64),
}

impl VoiceReader {
    /// Takes a message in its canonical form, or Opus in any other container.
    ///
    /// # Errors
    /// `Unsupported` for anything but Opus, `TooLong`, `Empty` without sound, and those of [`probe`](crate::probe).
    pub fn new(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Error> {
        let mut input = Cursor::new(bytes);
        let mut demux = match open(&mut input)? {
            (_, Track::Opus(demux)) => demux,
            (source, _) => return Err(Error::unsupported(source.mime)),
        };
        let head = demux.head();
        let (pieces, end) = read(demux.as_mut(), &head, limits)?;
        Ok(Self {
            decoder: Decoder::new(RATE, &head),
            position: 0,
            next: 0,
            ready: Vec::new(),
            head,
            pieces,
            end,
        }
        .at(0))
    }

    /// Samples that there are to hear.
    pub fn len(&self) -> u64 {
        self.end - self.pre_skip()
    }

    /// Never: there is something to hear, or there is no reader.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next sample that [`read`](Self::read) gives.
    pub fn position(&self) -> u64 {
        self.position - self.pre_skip()
    }

    /// Goes on at this sample, or at the end.
    pub fn seek(&mut self, sample: u64) {
        let target = sample.min(self.len()) + self.pre_skip();
        let from = target.saturating_sub(PRE_ROLL);
        self.decoder = Decoder::new(RATE, &self.head);
        self.next = self
            .pieces
            .partition_point(|(start, _)| *start <= from)
            .saturating_sub(1);
        self.position = self.pieces.get(self.next).map_or(self.end, |(start, _)| *start);
        self.ready.clear();
        self.drop_until(target);
    }

    /// Fills `out`; gives how many samples, fewer only at the end.
    pub fn read(&mut self, out: &mut [f32]) -> usize {
        let mut filled = 0;
        while filled < out.len() {
            if self.ready.is_empty() && !self.decode() {
                break;
            }
            let left = self.end.saturating_sub(self.position) as usize;
            let count = self.ready.len().min(out.len() - filled).min(left);
            if count == 0 {
                break;
            }
            out[filled..filled + count].copy_from_slice(&self.ready[..count]);
            self.ready.drain(..count);
            self.position += count as u64;
            filled += count;
        }
        filled
    }

    fn at(mut self, sample: u64) -> Self {
        self.seek(sample);
        self
    }

    fn pre_skip(&self) -> u64 {
        self.head.pre_skip.into()
    }

    fn drop_until(&mut self, target: u64) {
        while self.position < target && (!self.ready.is_empty() || self.decode()) {
            let count = self.ready.len().min((target - self.position) as usize);
            self.ready.drain(..count);
            self.position += count as u64;
        }
    }

    /// Makes the next piece ready; false at the end.
    fn decode(&mut self) -> bool {
        let Some((_, piece)) = self.pieces.get(self.next) else {
            return false;
        };
        self.next += 1;
        match piece {
            Piece::Packet(data) => {
                let layout = Layout {
                    channels: self.head.channels.into(),
                    lfe: None,
                };
                downmix(self.decoder.decode(data), layout, &mut self.ready);
                sanitise(&mut self.ready);
            }
            Piece::Silence(samples) => self.ready.resize(*samples as usize, 0.0),
        }
        true
    }
}

/// All pieces, none of them empty, and where the sound ends.
fn read(demux: &mut dyn Demux, head: &OpusHead, limits: &Limits) -> Result<(Vec<(u64, Piece)>, u64), Error> {
    let allowance = limits.max_samples_48k().saturating_add(head.pre_skip.into());
    let mut pieces = Vec::new();
    let mut end = 0_u64;
    while let Some(event) = demux.next()? {
        let start = end;
        match event {
            Event::Packet { data, .. } => {
                // A packet that breaks the rules is no sound; remuxing drops it as well.
                let Ok(info) = packet::check(data) else { continue };
                end += u64::from(info.samples_48k);
                pieces.push((start, Piece::Packet(data.into())));
            }
            Event::Gap { samples, .. } => {
                end = end.saturating_add(samples);
                // In whole seconds at most, so that a long one needs no long buffer.
                let mut at = start;
                while at < end.min(allowance) {
                    let samples = (end - at).min(RATE.get().into());
                    pieces.push((at, Piece::Silence(samples)));
                    at += samples;
                }
            }
        }
        if end > allowance {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
    }
    let end = end.saturating_sub(demux.ending().discard);
    if end <= head.pre_skip.into() {
        return Err(Error::Empty);
    }
    Ok((pieces, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncoderSettings, Options, normalise};

    /// A message of `seconds` in which the pitch rises with time.
    fn message(seconds: u32) -> Vec<u8> {
        let rate = 48_000;
        let mut wav = Vec::new();
        let data = seconds * rate * 2;
        wav.extend_from_slice(b"RIFF");
        wav.extend_from_slice(&(36 + data).to_le_bytes());
        wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        wav.extend_from_slice(&rate.to_le_bytes());
        wav.extend_from_slice(&(rate * 2).to_le_bytes());
        wav.extend_from_slice(b"\x02\0\x10\0data");
        wav.extend_from_slice(&data.to_le_bytes());
        let mut phase = 0.0_f32;
        for n in 0..seconds * rate {
            phase += 0.02 + 0.05 * (n as f32 / (seconds * rate) as f32);
            wav.extend_from_slice(&((phase.sin() * 8_000.0) as i16).to_le_bytes());
        }
        let mut out = Cursor::new(Vec::new());
        let options = Options {
            encoder: EncoderSettings::default(),
            ..Options::default()
        };
        normalise(Cursor::new(wav), &mut out, &options, &|| false).expect("it is a WAV file");
        out.into_inner()
    }

    fn reader(bytes: &[u8]) -> VoiceReader {
        VoiceReader::new(bytes.to_vec(), &Limits::default()).unwrap()
    }

    fn all(reader: &mut VoiceReader) -> Vec<f32> {
        let mut out = vec![0.0; reader.len() as usize + 10];
        let count = reader.read(&mut out);
        out.truncate(count);
        out
    }

    #[test]
    fn it_is_as_long_as_the_message_and_says_where_it_is() {
        let mut reader = reader(&message(3));
        assert_eq!(reader.len(), 3 * 48_000);
        let mut out = vec![0.0; 1_000];
        assert_eq!((reader.read(&mut out), reader.position()), (1_000, 1_000));
        assert_eq!(all(&mut reader).len() as u64, reader.len() - 1_000);
        assert_eq!(reader.read(&mut out), 0);
    }

    #[test]
    fn sound_from_any_place_is_what_playing_through_gives_there() {
        let bytes = message(3);
        let whole = all(&mut reader(&bytes));
        let mut reader = reader(&bytes);
        for from in [0, 1, 5_000, 48_000, 100_001, 143_000, 10] {
            reader.seek(from);
            assert_eq!(reader.position(), from);
            let mut out = vec![0.0; 900];
            let count = reader.read(&mut out);
            let (mut wrong, mut right) = (0.0, 1e-9);
            for (a, b) in out[..count].iter().zip(&whole[from as usize..]) {
                wrong += (a - b) * (a - b);
                right += b * b;
            }
            assert!(wrong / right < 0.03, "{from}: {}", wrong / right);
        }
        reader.seek(u64::MAX);
        assert_eq!(reader.read(&mut [0.0; 10]), 0);
    }

    #[test]
    fn what_is_no_opus_is_refused_and_cut_files_play_as_far_as_they_go() {
        assert!(VoiceReader::new(b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), &Limits::default()).is_err());
        assert!(VoiceReader::new(Vec::new(), &Limits::default()).is_err());
        let bytes = message(3);
        for keep in (0..bytes.len()).step_by(211) {
            if let Ok(mut reader) = VoiceReader::new(bytes[..keep].to_vec(), &Limits::default()) {
                assert_eq!(all(&mut reader).len() as u64, reader.len());
            }
        }
    }
}
