//! Long sound is encoded in pieces, so that several cores can work on it.
//!
//! Each piece has an encoder of its own, which first hears the end of the piece before; the packets of that warm-up are
//! dropped. By then its state (the shape of its noise, its gain, what it predicts from) is that of an encoder that was there from the
//! beginning, and the listener's decoder goes on over the seam. The first packet that is kept predicts as little as possible from what
//! the decoder holds, which is nearly, not exactly, what this encoder believes it holds.
//!
//! Pieces are cut by position alone, also when nobody helps: the packets are the same on any machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use opusic_sys as sys;

use super::encode::Sink;
use super::ffi;
use super::settings::EncoderSettings;
use crate::Error;

/// Room for any packet that is asked for: 128 kbit/s for 60 ms in VBR, and redundancy.
const MAX_PACKET: usize = 4_000;
/// Length of a piece: long enough that its warm-up costs little, short enough to hold several of them. Whole frames of any
/// duration, as the warm-up is.
const PIECE_MS: usize = 30_000;
/// Half a second of speech is what the encoder looks back at; docs/benchmarks.md has what shorter ones cost.
const WARM_UP_MS: usize = 600;

/// Takes samples, gives packets.
pub(super) struct Pieces {
    extra_threads: usize,
    current: Piece,
    running: VecDeque<JoinHandle<Packets>>,
    samples_48k: u32,
}

/// A stretch of sound, and how it is coded.
struct Piece {
    rate: u32,
    /// Samples per packet.
    frame: usize,
    /// Samples that are kept of it when it is full.
    length: usize,
    /// Samples at the beginning that are heard and not kept.
    warm_up: usize,
    samples: Vec<f32>,
    /// From which frame on which settings hold; the first from 0 on.
    settings: Vec<(usize, EncoderSettings)>,
}

/// Packets one after the other.
#[derive(Default)]
struct Packets {
    bytes: Vec<u8>,
    sizes: Vec<usize>,
}

impl Pieces {
    pub(super) fn new(rate: u32, settings: &EncoderSettings, extra_threads: usize) -> Self {
        let samples_48k = settings.frame.samples_48k();
        Self {
            extra_threads,
            current: Piece {
                rate,
                frame: samples_48k as usize * rate as usize / 48_000,
                length: samples_of(rate, PIECE_MS),
                warm_up: 0,
                samples: Vec::new(),
                settings: vec![(0, *settings)],
            },
            running: VecDeque::new(),
            samples_48k,
        }
    }

    /// The settings of all that came so far, which is less than a piece.
    pub(super) fn begin_with(&mut self, settings: &EncoderSettings) {
        self.current.settings = vec![(0, *settings)];
    }

    /// Other settings from the present frame on.
    pub(super) fn go_on_with(&mut self, settings: &EncoderSettings) {
        let frame = self.current.samples.len() / self.current.frame;
        self.current.settings.push((frame, *settings));
    }

    pub(super) fn push(&mut self, mut samples: &[f32], sink: &mut Sink<'_>) -> Result<(), Error> {
        while !samples.is_empty() {
            let room = self.current.full() - self.current.samples.len();
            let (now, later) = samples.split_at(samples.len().min(room));
            self.current.samples.extend_from_slice(now);
            samples = later;
            if now.len() == room {
                let next = self.current.next();
                let full = std::mem::replace(&mut self.current, next);
                self.encode(full, sink)?;
            }
        }
        Ok(())
    }

    /// Ends the stream with as much silence as the encoder is late, and what fills the last frame.
    pub(super) fn finish(mut self, lookahead: usize, sink: &mut Sink<'_>) -> Result<(), Error> {
        let end = (self.current.samples.len() + lookahead).next_multiple_of(self.current.frame);
        self.current.samples.resize(end, 0.0);
        let last = self.current.encode();
        while let Some(piece) = self.running.pop_front() {
            self.give(&joined(piece), sink)?;
        }
        self.give(&last, sink)
    }

    fn encode(&mut self, piece: Piece, sink: &mut Sink<'_>) -> Result<(), Error> {
        if self.extra_threads == 0 {
            return self.give(&piece.encode(), sink);
        }
        while self.running.front().is_some_and(JoinHandle::is_finished)
            || self.running.len() >= self.extra_threads
        {
            let Some(first) = self.running.pop_front() else {
                break;
            };
            self.give(&joined(first), sink)?;
        }
        let piece = Arc::new(piece);
        let work = piece.clone();
        let thread = thread::Builder::new().name("opus".into());
        match thread.spawn(move || work.encode()) {
            Ok(thread) => self.running.push_back(thread),
            // No thread to be had: what is running comes first, then this one.
            Err(_) => {
                while let Some(first) = self.running.pop_front() {
                    self.give(&joined(first), sink)?;
                }
                self.give(&piece.encode(), sink)?;
            }
        }
        Ok(())
    }

    fn give(&self, packets: &Packets, sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut rest = &packets.bytes[..];
        for &size in &packets.sizes {
            let (packet, later) = rest.split_at(size);
            rest = later;
            sink(packet, self.samples_48k)?;
        }
        Ok(())
    }
}

impl Drop for Pieces {
    /// Nothing goes on behind the back of a caller who gave up.
    fn drop(&mut self) {
        for piece in self.running.drain(..) {
            let _ = piece.join();
        }
    }
}

fn samples_of(rate: u32, ms: usize) -> usize {
    rate as usize / 1_000 * ms
}

fn joined(piece: JoinHandle<Packets>) -> Packets {
    piece
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Piece {
    /// How many samples it holds when it is full.
    fn full(&self) -> usize {
        self.warm_up + self.length
    }

    /// The piece that follows, with its warm-up.
    fn next(&self) -> Self {
        let warm_up = samples_of(self.rate, WARM_UP_MS);
        let mut samples = Vec::with_capacity(warm_up + self.length);
        samples.extend_from_slice(&self.samples[self.samples.len() - warm_up..]);
        let settings = self.settings.last().map(|(_, settings)| (0, *settings));
        Self {
            rate: self.rate,
            frame: self.frame,
            length: self.length,
            warm_up,
            samples,
            settings: settings.into_iter().collect(),
        }
    }

    fn encode(&self) -> Packets {
        let mut packets = Packets::default();
        let mut packet = [0; MAX_PACKET];
        let mut settings = self.settings.iter().peekable();
        let mut encoder = None;
        let mut last: &[f32] = &[];
        let first_kept = self.warm_up / self.frame;
        for (n, frame) in self.samples.chunks_exact(self.frame).enumerate() {
            while let Some((_, settings)) = settings.next_if(|(from, _)| *from <= n) {
                // libopus would take ten seconds to widen. A new encoder does it at once, and goes on where the other was once it
                // has seen the last frame.
                let mut fresh = encoder_with(self.rate, settings);
                if !last.is_empty() {
                    let _ = fresh.encode(last, &mut packet);
                }
                encoder = Some(fresh);
            }
            let encoder = encoder.as_mut().expect("settings from the first frame on");
            let is_seam = n == first_kept && self.warm_up > 0;
            if is_seam {
                predict(encoder, false);
            }
            let size = encoder
                .encode(frame, &mut packet)
                .expect("a frame of the right length and room for any packet");
            if is_seam {
                predict(encoder, true);
            }
            last = frame;
            if n >= first_kept {
                packets.bytes.extend_from_slice(&packet[..size]);
                packets.sizes.push(size);
            }
        }
        packets
    }
}

fn encoder_with(rate: u32, settings: &EncoderSettings) -> ffi::Encoder {
    let mut encoder = ffi::Encoder::new(rate, settings.application_code());
    for (request, value) in settings.requests() {
        encoder
            .set(request, value)
            .expect("libopus takes clamped settings");
    }
    encoder
}

/// Whether packets may rely on those before them.
fn predict(encoder: &mut ffi::Encoder, predict: bool) {
    encoder
        .set(sys::OPUS_SET_PREDICTION_DISABLED_REQUEST, (!predict).into())
        .expect("libopus takes 0 and 1");
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::num::NonZeroU32;
    use std::path::Path;

    use super::*;
    use crate::{Resampler, decode};

    /// Speech of so many seconds at a rate: the recording, again and again.
    fn speech(seconds: usize, rate: u32) -> Vec<f32> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sound/speech.flac");
        let to = NonZeroU32::new(rate).expect("a rate");
        let mut once = Vec::new();
        let mut resampler = None;
        decode(File::open(file).expect("a fixture"), &|| false, &mut |block| {
            resampler
                .get_or_insert_with(|| Resampler::new(block.rate, to))
                .push(block.interleaved, &mut once);
        })
        .expect("a fixture");
        once.iter()
            .copied()
            .cycle()
            .take(seconds * rate as usize)
            .collect()
    }

    fn encode(sound: &[f32], mut pieces: Pieces, block: usize) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut sink = |packet: &[u8], _: u32| {
            packets.push(packet.to_vec());
            Ok(())
        };
        for block in sound.chunks(block) {
            pieces.push(block, &mut sink).expect("no output that could fail");
        }
        pieces.finish(0, &mut sink).expect("no output that could fail");
        packets
    }

    fn pieces_of(ms: usize, rate: u32, settings: &EncoderSettings, extra_threads: usize) -> Pieces {
        let mut pieces = Pieces::new(rate, settings, extra_threads);
        pieces.current.length = samples_of(rate, ms);
        pieces
    }

    #[test]
    fn the_packets_are_the_same_with_any_number_of_threads_and_any_blocks() {
        let sound = speech(10, 24_000);
        let settings = EncoderSettings::default();
        let alone = encode(&sound, pieces_of(1_200, 24_000, &settings, 0), 24_000);
        assert_eq!(alone.len(), 500);
        for (threads, block) in [(1, 24_000), (3, 999), (8, 240_000)] {
            assert!(encode(&sound, pieces_of(1_200, 24_000, &settings, threads), block) == alone);
        }
    }

    #[test]
    fn short_sound_is_one_piece() {
        let sound = speech(3, 48_000);
        let settings = EncoderSettings::default();
        let whole = encode(&sound, pieces_of(90_000, 48_000, &settings, 0), 960);
        assert!(encode(&sound, Pieces::new(48_000, &settings, 2), 960) == whole);
    }

    /// Decoded by one decoder from beginning to end, without the encoder's delay.
    fn heard(packets: &[Vec<u8>]) -> Vec<f32> {
        let mut decoder = ffi::Decoder::new(0);
        let mut out = [0.0; 5_760];
        let mut heard = Vec::new();
        for packet in packets {
            let samples = decoder.decode(packet, &mut out).expect("a packet of the encoder");
            heard.extend_from_slice(&out[..samples]);
        }
        heard.split_off(312)
    }

    /// Signal to noise in dB of the frames of 20 ms in which somebody speaks, mean.
    fn segmental_snr(original: &[f32], heard: &[f32]) -> f64 {
        let power =
            |samples: &mut dyn Iterator<Item = f32>| samples.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let frames: Vec<f64> = original
            .chunks_exact(960)
            .zip(heard.chunks_exact(960))
            .filter_map(|(a, b)| {
                let signal = power(&mut a.iter().copied());
                let noise = power(&mut a.iter().zip(b).map(|(a, b)| a - b));
                (signal > 960.0 * 1e-4)
                    .then(|| (10.0 * (signal / noise.max(1e-12)).log10()).clamp(-10.0, 35.0))
            })
            .collect();
        frames.iter().sum::<f64>() / frames.len().max(1) as f64
    }

    #[test]
    fn seams_sound_no_worse_than_the_same_places_without_a_seam() {
        const PIECE: usize = 1_200;
        let sound = speech(60, 48_000);
        for (kind, settings) in [
            ("hybrid", EncoderSettings::default()),
            (
                "SILK",
                EncoderSettings {
                    bandwidth: crate::Bandwidth::Wide,
                    bitrate_bps: 16_000,
                    ..EncoderSettings::default()
                },
            ),
            (
                "CELT",
                EncoderSettings {
                    application: crate::Application::Audio,
                    bitrate_bps: 64_000,
                    ..EncoderSettings::default()
                },
            ),
        ] {
            let serial = heard(&encode(&sound, pieces_of(90_000, 48_000, &settings, 0), 48_000));
            let seamed = heard(&encode(&sound, pieces_of(PIECE, 48_000, &settings, 0), 48_000));
            // 100 ms from each seam on.
            let after_seams = |heard: &[f32]| {
                let (mut original, mut part) = (Vec::new(), Vec::new());
                for seam in (1..49).map(|n| n * PIECE * 48) {
                    original.extend_from_slice(&sound[seam..seam + 4_800]);
                    part.extend_from_slice(&heard[seam..seam + 4_800]);
                }
                segmental_snr(&original, &part)
            };
            let (with, without) = (after_seams(&seamed), after_seams(&serial));
            let (all_with, all_without) = (segmental_snr(&sound, &seamed), segmental_snr(&sound, &serial));
            assert!(with > without - 0.5, "{kind}: {with:.2} and not {without:.2} dB");
            // An encoder takes a second to find its bit rate, and these pieces are hardly longer.
            assert!(
                all_with > all_without - 1.0,
                "{kind}: {all_with:.2} and not {all_without:.2} dB"
            );
        }
    }
}
