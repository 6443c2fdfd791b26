//! What a listener's decoder costs per second of speech. 10 ms of a second are 1 % of a core.

use divan::Bencher;
use voxpost_audio::{EncoderSettings, PlayoutDecoder, PlayoutStep, SpeechEncoder};

fn main() {
    divan::main();
}

const FRAME: usize = 960;

/// Every packet is there.
#[divan::bench]
fn a_second_of_packets(bencher: Bencher<'_, '_>) {
    bench(bencher, |payload, _| PlayoutStep::Play {
        payload,
        skip: 0,
        restart: false,
    });
}

/// Every fifth packet is missing and concealed by the neural network.
#[divan::bench]
fn a_second_with_20_percent_concealed(bencher: Bencher<'_, '_>) {
    bench(bencher, |payload, i| match i % 5 {
        4 => PlayoutStep::Conceal { samples: 960 },
        _ => PlayoutStep::Play {
            payload,
            skip: 0,
            restart: false,
        },
    });
}

/// Catching up: every packet is played faster.
#[divan::bench]
fn a_second_of_shrinking(bencher: Bencher<'_, '_>) {
    bench(bencher, |payload, _| PlayoutStep::Shrink {
        payload,
        wanted: 9_600,
    });
}

/// Runs of three missing packets, rebuilt from DRED.
#[divan::bench]
fn a_second_with_runs_from_dred(bencher: Bencher<'_, '_>) {
    bench(bencher, |payload, i| match i % 15 {
        missing @ 11..=13 => PlayoutStep::Dred {
            payload,
            offset: (14 - missing as u32) * 960,
            samples: 960,
        },
        _ => PlayoutStep::Play {
            payload,
            skip: 0,
            restart: false,
        },
    });
}

fn bench(bencher: Bencher<'_, '_>, step: impl Fn(&[u8], usize) -> PlayoutStep<'_>) {
    let mut encoder = SpeechEncoder::new(&EncoderSettings {
        bitrate_bps: 32_000,
        dred_ms: 120,
        loss_percent: 10,
        ..EncoderSettings::live()
    });
    let packets: Vec<Vec<u8>> = (0..50)
        .map(|i| {
            let frame: Vec<f32> = (0..FRAME)
                .map(|n| {
                    let t = (i * FRAME + n) as f32 / 48_000.0;
                    0.2 * (t * 900.0).sin() * (t * 20.0).sin() + 0.1 * (t * 5_000.0).sin()
                })
                .collect();
            let mut packet = Vec::new();
            encoder.encode(&frame, &mut packet);
            packet
        })
        .collect();
    let mut decoder = PlayoutDecoder::new();
    bencher.bench_local(|| {
        for (i, packet) in packets.iter().enumerate() {
            decoder.apply(step(packet, i));
            let mut out = [0.0; FRAME];
            decoder.pull(&mut out);
        }
    });
}
