use std::num::NonZeroU32;

use super::ffi;
use super::fit::{BandwidthMeter, fitted};
use super::pieces::Pieces;
use super::settings::{Bandwidth, EncoderSettings};
use crate::Error;

/// How much is measured before it is decided what is coded: long enough to hear every sound of speech.
const LEAD_SECONDS: usize = 6;

/// The rate at which sound of the rate `source` is encoded: the lowest of the rates that Opus takes without losing
/// any of it. Opus plays at 48 kHz whatever it was given, and does less work for a narrow source.
pub(crate) fn encoder_rate(source: NonZeroU32) -> NonZeroU32 {
    let rate = [8_000, 16_000, 24_000]
        .into_iter()
        .find(|&rate| source.get() <= rate)
        .unwrap_or(48_000);
    NonZeroU32::new(rate).expect("not zero")
}

/// Turns a mono stream into Opus packets.
pub(crate) struct Encoder {
    settings: EncoderSettings,
    fit: Option<Fit>,
    pieces: Pieces,
    lookahead: usize,
    pre_skip: u16,
}

/// Finds out how far up the sound goes. What turns up later widens it, nothing narrows it again.
struct Fit {
    meter: BandwidthMeter,
    /// `None` until the lead is over; then what is coded.
    chosen: Option<Bandwidth>,
    /// Samples until the next decision.
    left: usize,
    rate: usize,
}

impl Encoder {
    /// An encoder of sound at one of the rates of [`encoder_rate`]. So many threads besides the caller's may help with long
    /// sound; the packets are the same with any number of them.
    pub(crate) fn new(rate: NonZeroU32, settings: &EncoderSettings, extra_threads: usize) -> Self {
        let lookahead = ffi::Encoder::new(rate.get(), settings.application_code()).lookahead();
        let rate_hz = rate.get() as usize;
        Self {
            settings: *settings,
            fit: settings.fit.then(|| Fit {
                meter: BandwidthMeter::new(rate),
                chosen: None,
                left: LEAD_SECONDS * rate_hz,
                rate: rate_hz,
            }),
            pieces: Pieces::new(rate.get(), settings, extra_threads),
            lookahead,
            pre_skip: (lookahead * (48_000 / rate_hz)) as u16,
        }
    }

    /// Samples at 48 kHz that come out before the first that went in.
    pub(crate) fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Takes the next samples and hands packets that are ready, with their samples at 48 kHz, to `sink`, in order.
    pub(crate) fn push(&mut self, mut samples: &[f32], sink: &mut Sink<'_>) -> Result<(), Error> {
        while !samples.is_empty() {
            let Some(fit) = &mut self.fit else {
                return self.pieces.push(samples, sink);
            };
            let (now, later) = samples.split_at(samples.len().min(fit.left));
            samples = later;
            fit.meter.push(now);
            fit.left -= now.len();
            let decide = fit.left == 0;
            self.pieces.push(now, sink)?;
            if decide {
                self.decide();
            }
        }
        Ok(())
    }

    /// Ends the stream: pads with silence until all that was pushed can be heard.
    pub(crate) fn finish(mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        if self.fit.as_ref().is_some_and(|fit| fit.chosen.is_none()) {
            self.decide();
        }
        self.pieces.finish(self.lookahead, sink)
    }

    /// Takes what was measured to heart.
    fn decide(&mut self) {
        let Some(fit) = &mut self.fit else { return };
        fit.left = fit.rate;
        // Of silence nothing can be told.
        let found = fit.meter.bandwidth().unwrap_or_default();
        match fit.chosen {
            None => self.pieces.begin_with(&fitted(&self.settings, found)),
            Some(chosen) if chosen < found => self.pieces.go_on_with(&fitted(&self.settings, found)),
            Some(_) => return,
        }
        fit.chosen = Some(found);
    }
}

/// Takes an Opus packet and its samples at 48 kHz.
pub(crate) type Sink<'s> = dyn FnMut(&[u8], u32) -> Result<(), Error> + 's;

#[cfg(test)]
mod tests {
    use super::*;

    fn hz(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).expect("a rate")
    }

    fn encode(samples: usize, rate: u32, block: usize) -> (Vec<Vec<u8>>, u16) {
        let mut encoder = Encoder::new(hz(rate), &EncoderSettings::default(), 0);
        let pre_skip = encoder.pre_skip();
        let sound: Vec<f32> = (0..samples).map(|i| 0.3 * (i as f32 * 0.05).sin()).collect();
        let mut packets = Vec::new();
        let mut sink = |packet: &[u8], samples_48k: u32| {
            assert_eq!(
                crate::packet::check(packet).expect("a valid packet").samples_48k,
                samples_48k
            );
            packets.push(packet.to_vec());
            Ok(())
        };
        for block in sound.chunks(block) {
            encoder.push(block, &mut sink).expect("no output that could fail");
        }
        encoder.finish(&mut sink).expect("no output that could fail");
        (packets, pre_skip)
    }

    #[test]
    fn the_pre_skip_is_that_of_libopus_at_every_rate() {
        for rate in [8_000, 16_000, 24_000, 48_000] {
            assert_eq!(encode(1_000, rate, 1_000).1, 312, "{rate} Hz");
        }
    }

    #[test]
    fn the_packets_hold_all_that_went_in_and_no_frame_more() {
        for samples in [1, 647, 648, 649, 960, 48_000] {
            let (packets, pre_skip) = encode(samples, 48_000, 500);
            assert_eq!(
                packets.len(),
                (samples + usize::from(pre_skip)).div_ceil(960),
                "{samples} samples"
            );
        }
    }

    #[test]
    fn the_block_size_does_not_change_a_packet() {
        let (whole, _) = encode(20_000, 48_000, 20_000);
        for block in [1, 959, 960, 961, 7_000] {
            assert_eq!(encode(20_000, 48_000, block).0, whole, "blocks of {block}");
        }
    }

    /// The highest bandwidth of the packets of a file, and its mean bit rate.
    fn coded(settings: &EncoderSettings, sound: &[f32]) -> (u8, u32) {
        let mut encoder = Encoder::new(hz(48_000), settings, 0);
        let (mut highest, mut bytes) = (0, 0);
        let mut sink = |packet: &[u8], _| {
            // RFC 6716 table 2: narrow, medium and wideband SILK, hybrid, CELT.
            highest = highest.max(
                [0, 1, 2, 3, 4, 0, 2, 3, 4][match packet[0] >> 3 {
                    n @ 0..=11 => usize::from(n / 4),
                    n @ 12..=15 => usize::from(3 + (n - 12) / 2),
                    n => usize::from(5 + (n - 16) / 4),
                }],
            );
            bytes += packet.len() as u32;
            Ok(())
        };
        encoder.push(sound, &mut sink).expect("no output that could fail");
        encoder.finish(&mut sink).expect("no output that could fail");
        (highest, bytes * 8 / (sound.len() as u32 / 48_000))
    }

    /// A buzz whose overtones end at a frequency.
    fn buzz(seconds: usize, highest: f32) -> Vec<f32> {
        let overtones = (highest / 150.0) as usize;
        (0..seconds * 48_000)
            .map(|i| {
                let t = i as f32 / 48_000.0;
                let loud = (3.0 * t).sin().abs() * 0.2;
                (1..=overtones)
                    .map(|k| (std::f32::consts::TAU * 150.0 * k as f32 * t).sin() / k as f32)
                    .sum::<f32>()
                    * loud
            })
            .collect()
    }

    #[test]
    fn a_telephone_recording_is_not_coded_as_fullband() {
        let settings = EncoderSettings::default();
        let (narrow, narrow_bps) = coded(&settings, &buzz(4, 3_400.0));
        let (full, full_bps) = coded(&settings, &buzz(4, 15_000.0));
        assert_eq!((narrow, full), (0, 4));
        assert!(narrow_bps * 5 < full_bps * 4, "{narrow_bps} and {full_bps} bit/s");
        // Unless that is asked for.
        let as_it_is = EncoderSettings {
            fit: false,
            ..settings
        };
        assert_eq!(coded(&as_it_is, &buzz(4, 3_400.0)).0, 4);
    }

    #[test]
    fn what_turns_up_late_widens_what_is_coded() {
        let late = [buzz(8, 3_400.0), buzz(4, 15_000.0)].concat();
        assert_eq!(coded(&EncoderSettings::default(), &late).0, 4);
        // Silence at the beginning tells nothing.
        let late = [vec![0.0; 8 * 48_000], buzz(2, 15_000.0)].concat();
        assert_eq!(coded(&EncoderSettings::default(), &late).0, 4);
    }

    #[test]
    fn every_frame_duration_bandwidth_and_way_to_spend_bits_is_coded() {
        use crate::opus::settings::{Application, FrameDuration, RateControl};
        let sound = buzz(1, 15_000.0);
        let base = EncoderSettings {
            fit: false,
            ..EncoderSettings::default()
        };
        for frame in [
            FrameDuration::Ms2_5,
            FrameDuration::Ms5,
            FrameDuration::Ms10,
            FrameDuration::Ms20,
            FrameDuration::Ms40,
            FrameDuration::Ms60,
        ] {
            for application in [Application::Voip, Application::Audio, Application::LowDelay] {
                let settings = EncoderSettings {
                    frame,
                    application,
                    ..base
                };
                let mut encoder = Encoder::new(hz(48_000), &settings, 0);
                let pre_skip = u64::from(encoder.pre_skip());
                let mut total = 0;
                let mut sink = |packet: &[u8], samples: u32| {
                    assert_eq!(
                        crate::packet::check(packet).expect("a valid packet").samples_48k,
                        samples
                    );
                    total += u64::from(samples);
                    Ok(())
                };
                encoder
                    .push(&sound, &mut sink)
                    .expect("no output that could fail");
                encoder.finish(&mut sink).expect("no output that could fail");
                assert_eq!(
                    total,
                    (48_000 + pre_skip).next_multiple_of(frame.samples_48k().into()),
                    "{settings:?}"
                );
            }
        }
        for (bandwidth, code) in [
            (Bandwidth::Narrow, 0),
            (Bandwidth::Wide, 2),
            (Bandwidth::SuperWide, 3),
            (Bandwidth::Full, 4),
        ] {
            assert_eq!(
                coded(&EncoderSettings { bandwidth, ..base }, &sound).0,
                code,
                "{bandwidth:?}"
            );
        }
        let cbr = EncoderSettings {
            rate_control: RateControl::Cbr,
            ..base
        };
        let mut sizes = Vec::new();
        let mut encoder = Encoder::new(hz(48_000), &cbr, 0);
        encoder
            .push(&sound, &mut |packet: &[u8], _| {
                sizes.push(packet.len());
                Ok(())
            })
            .expect("no output that could fail");
        assert!(sizes.iter().all(|&size| size == 60), "{sizes:?}");
        let silence = vec![0.0; 4 * 48_000];
        let quiet = EncoderSettings { dtx: true, ..base };
        assert!(coded(&quiet, &silence).1 * 2 < coded(&base, &silence).1);
    }

    #[test]
    fn narrow_sources_are_encoded_at_their_own_rate() {
        let rates = [
            (8_000, 8_000),
            (11_025, 16_000),
            (12_000, 16_000),
            (16_000, 16_000),
            (22_050, 24_000),
        ];
        for (source, rate) in rates
            .into_iter()
            .chain([(32_000, 48_000), (44_100, 48_000), (192_000, 48_000)])
        {
            assert_eq!(encoder_rate(hz(source)).get(), rate, "{source} Hz");
        }
    }
}
