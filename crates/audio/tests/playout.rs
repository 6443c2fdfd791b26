//! The playout decoder against speech that another program wrote.

mod counting;

use counting::allocations;
use voxpost_audio::{
    Bandwidth, EncoderSettings, PacketInspector, PlayoutDecoder, PlayoutStep, SpeechEncoder,
};

const FRAME: usize = 960;

/// Speech-like sound: a gliding voice of harmonics in syllables.
fn voice(seconds: usize) -> Vec<f32> {
    let mut phase = 0.0_f32;
    (0..seconds * 48_000)
        .map(|i| {
            let t = i as f32 / 48_000.0;
            phase += (120.0 + 30.0 * (t * 3.0).sin()) / 48_000.0;
            let syllable = (t * 9.0).sin().max(0.0);
            let harmonics: f32 = (1..20)
                .map(|h| (std::f32::consts::TAU * phase * h as f32).sin() / h as f32)
                .sum();
            0.15 * syllable * harmonics
        })
        .collect()
}

fn encode(sound: &[f32], settings: &EncoderSettings) -> Vec<Vec<u8>> {
    let mut encoder = SpeechEncoder::new(settings);
    let frames = sound.chunks_exact(FRAME);
    frames
        .map(|frame| {
            let mut packet = Vec::new();
            encoder.encode(frame, &mut packet);
            packet
        })
        .collect()
}

fn with_dred() -> EncoderSettings {
    EncoderSettings {
        bitrate_bps: 32_000,
        dred_ms: 120,
        loss_percent: 10,
        bandwidth: Bandwidth::Wide,
        ..EncoderSettings::live()
    }
}

fn play(payload: &[u8]) -> PlayoutStep<'_> {
    PlayoutStep::Play {
        payload,
        skip: 0,
        restart: false,
    }
}

#[test]
fn no_step_allocates() {
    let packets = encode(&voice(3), &with_dred());
    let mut decoder = PlayoutDecoder::new();
    let mut out = [0.0; FRAME];
    let count = allocations(|| {
        for (i, payload) in packets.iter().enumerate() {
            decoder.apply(match i % 10 {
                2 => PlayoutStep::Conceal { samples: 960 },
                3 => PlayoutStep::Shrink {
                    payload,
                    wanted: 9_600,
                },
                4 => PlayoutStep::Stretch {
                    payload,
                    wanted: 9_600,
                },
                5 => PlayoutStep::Fec {
                    payload,
                    samples: 960,
                },
                6 => PlayoutStep::Dred {
                    payload,
                    offset: 960,
                    samples: 960,
                },
                7 => PlayoutStep::Silence { samples: 960 },
                8 => PlayoutStep::Play {
                    payload,
                    skip: 480,
                    restart: true,
                },
                _ => play(payload),
            });
            decoder.pull(&mut out);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn the_inspector_sees_what_the_encoder_was_asked_for() {
    let mut inspector = PacketInspector::new();
    let mut share = |settings: &EncoderSettings| {
        let packets = encode(&voice(2), settings);
        let contents: Vec<_> = packets
            .iter()
            .map(|packet| inspector.inspect(packet).expect("an Opus packet"))
            .collect();
        assert!(contents.iter().all(|content| content.samples == 960));
        let fec = contents.iter().filter(|content| content.fec).count();
        let dred = contents
            .iter()
            .filter(|content| content.dred_samples >= 2_880)
            .count();
        (fec * 100 / packets.len(), dred * 100 / packets.len())
    };
    assert_eq!(share(&EncoderSettings::live()), (0, 0));
    let (fec, dred) = share(&EncoderSettings {
        fec: true,
        loss_percent: 10,
        ..EncoderSettings::live()
    });
    assert!(fec > 40 && dred == 0, "FEC in {fec} %, DRED in {dred} %");
    let (fec, dred) = share(&with_dred());
    assert!(fec == 0 && dred > 40, "FEC in {fec} %, DRED in {dred} %");
}

/// Mean power of 10 ms pieces in dB.
fn envelope(sound: &[f32]) -> Vec<f32> {
    let power = |piece: &[f32]| piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32;
    sound
        .chunks_exact(480)
        .map(|piece| 10.0 * (power(piece) + 1e-6).log10())
        .collect()
}

/// Mean difference of the envelopes in dB, over the runs of three lost packets only.
fn error_in_runs(how: impl Fn(&[u8], u32) -> PlayoutStep<'_>) -> f32 {
    let packets = encode(&voice(4), &with_dred());
    let listen = |lossy: bool| {
        let mut decoder = PlayoutDecoder::new();
        let mut heard = Vec::new();
        for (i, payload) in packets.iter().enumerate() {
            let missing = i % 15;
            if lossy && (11..14).contains(&missing) && i + 14 - missing < packets.len() {
                let later = 14 - missing;
                decoder.apply(how(&packets[i + later], later as u32 * 960));
            } else {
                decoder.apply(play(payload));
            }
            let mut out = [0.0; FRAME];
            decoder.pull(&mut out);
            heard.extend(out);
        }
        envelope(&heard)
    };
    let (whole, lossy) = (listen(false), listen(true));
    let in_runs = (0..whole.len()).filter(|i| (11..14).contains(&(i / 2 % 15)));
    let errors: Vec<f32> = in_runs.map(|i| (whole[i] - lossy[i]).abs()).collect();
    errors.iter().sum::<f32>() / errors.len() as f32
}

#[test]
fn dred_comes_closer_to_what_was_lost_than_concealment() {
    let concealed = error_in_runs(|_, _| PlayoutStep::Conceal { samples: 960 });
    let rebuilt = error_in_runs(|payload, offset| PlayoutStep::Dred {
        payload,
        offset,
        samples: 960,
    });
    assert!(
        rebuilt < concealed * 0.8,
        "DRED {rebuilt} dB, concealment {concealed} dB"
    );
}

#[test]
fn a_stream_of_faster_and_slower_packets_is_as_much_shorter_and_longer_as_the_decoder_says() {
    let packets = encode(&voice(4), &EncoderSettings::live());
    let mut decoder = PlayoutDecoder::new();
    let mut heard = 0;
    for (i, payload) in packets.iter().enumerate() {
        decoder.apply(if i % 50 < 25 {
            PlayoutStep::Shrink {
                payload,
                wanted: 9_600,
            }
        } else {
            PlayoutStep::Stretch {
                payload,
                wanted: 9_600,
            }
        });
        let mut out = vec![0.0; decoder.queued()];
        heard += decoder.pull(&mut out);
    }
    let stats = decoder.stats();
    assert_eq!(
        heard as u64,
        packets.len() as u64 * 960 + stats.added - stats.removed
    );
    assert!(stats.added > 4_800 && stats.removed > 4_800, "{stats:?}");
}

#[test]
fn the_second_half_of_a_lost_packet_comes_from_the_copy_when_the_first_was_concealed() {
    let settings = EncoderSettings {
        fec: true,
        loss_percent: 20,
        bandwidth: Bandwidth::Wide,
        ..EncoderSettings::live()
    };
    // Each 20 packets the voice sets in, in the very packet that is lost: nothing before it tells of that.
    let lost = |i: usize| i % 20 == 10;
    let mut sound = voice(6);
    for (i, frame) in sound.chunks_exact_mut(FRAME).enumerate() {
        let level = if i % 20 < 10 { 0.01 } else { 1.0 };
        frame.iter_mut().for_each(|sample| *sample *= level);
    }
    let packets = encode(&sound, &settings);
    // Energy of the second halves of these packets, after the cross-fade.
    let energy = |step: &dyn Fn(usize, &mut PlayoutDecoder)| -> f32 {
        let mut decoder = PlayoutDecoder::new();
        let mut sum = 0.0;
        for i in 0..packets.len() - 1 {
            step(i, &mut decoder);
            let mut out = vec![0.0; decoder.queued()];
            decoder.pull(&mut out);
            if lost(i) {
                sum += out[720..].iter().map(|sample| sample * sample).sum::<f32>();
            }
        }
        sum
    };
    let begun = |decoder: &mut PlayoutDecoder| decoder.apply(PlayoutStep::Conceal { samples: 480 });
    let whole = energy(&|i, decoder| decoder.apply(play(&packets[i])));
    let copied = energy(&|i, decoder| match lost(i) {
        false => decoder.apply(play(&packets[i])),
        true => {
            begun(decoder);
            let payload = &packets[i + 1];
            decoder.apply(PlayoutStep::Fec {
                payload,
                samples: 480,
            });
        }
    });
    let concealed = energy(&|i, decoder| match lost(i) {
        false => decoder.apply(play(&packets[i])),
        true => {
            begun(decoder);
            begun(decoder);
        }
    });
    assert!(
        copied > whole * 0.4 && concealed < whole * 0.1,
        "{copied} and {concealed} of {whole}"
    );
}

#[test]
fn packets_that_are_none_are_concealed() {
    let mut decoder = PlayoutDecoder::new();
    for payload in [&[][..], &[0xFF; 3], &[0x03, 0x00], &[0x1B; 1_400]] {
        decoder.apply(play(payload));
        decoder.apply(PlayoutStep::Fec {
            payload,
            samples: 960,
        });
        decoder.apply(PlayoutStep::Dred {
            payload,
            offset: u32::MAX,
            samples: u32::MAX,
        });
        let mut out = [0.0; FRAME];
        decoder.pull(&mut out);
        assert!(out.iter().all(|sample| sample.is_finite()));
    }
    assert!(decoder.stats().broken > 0);
}
