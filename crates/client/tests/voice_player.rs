//! The voice player with real packets over the simulated network: what is heard is what was said.

use std::path::Path as File;
use std::time::Duration;

use voxpost_audio::{Bandwidth, EncoderSettings, SpeechEncoder};
use voxpost_client::{VoicePlayer, VoicePlayerStats};
use voxpost_proto::jitter::{Inserted, JitterConfig};
use voxpost_proto::rtp::RtpHeader;
use voxpost_testkit::net::{Fate, Jitter, Loss, Path, Rng, Trace};
use voxpost_testkit::sound;

const FRAME: usize = 960;
const TICK: usize = 480;

/// 3.2 s of speech that another program wrote, three times.
fn speech() -> Vec<f32> {
    let file = File::new(env!("CARGO_MANIFEST_DIR")).join("../audio/fixtures/sound/speech.flac");
    let bytes = std::fs::read(file).expect("the fixture");
    let mut wav = Vec::new();
    voxpost_audio::normalise(
        std::io::Cursor::new(bytes),
        &mut wav,
        &voxpost_audio::Options::default(),
        &|| false,
    )
    .expect("sound");
    sound::decode_ogg_opus(&wav).repeat(3)
}

/// Both counters wrap on the way.
fn encode(speech: &[f32], settings: &EncoderSettings) -> Vec<Vec<u8>> {
    let mut encoder = SpeechEncoder::new(settings);
    let frames = speech.chunks_exact(FRAME).enumerate();
    frames
        .map(|(i, frame)| {
            let header = RtpHeader {
                marker: i == 0,
                payload_type: 111,
                sequence: (65_500 + i) as u16,
                timestamp: (u32::MAX - 96_000).wrapping_add((i * FRAME) as u32),
                ssrc: 5,
            };
            let mut datagram = header.to_bytes().to_vec();
            encoder.encode(frame, &mut datagram);
            datagram
        })
        .collect()
}

fn listen(datagrams: &[Vec<u8>], trace: &Trace) -> (Vec<f32>, VoicePlayer) {
    let mut player = VoicePlayer::new(JitterConfig::default());
    let mut arrivals = trace.arrivals().peekable();
    let mut heard = Vec::new();
    while heard.len() < datagrams.len() * FRAME + 48_000 {
        let now = Duration::from_millis(heard.len() as u64 / 48);
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at_ms <= now.as_secs_f64() * 1_000.0) {
            player.receive(now, &datagrams[arrival.packet]);
        }
        let mut tick = [0.0; TICK];
        player.tick(now, &mut tick);
        heard.extend(tick);
    }
    (heard, player)
}

/// The speech is said three times; by the third the delay has settled.
fn third_time(said: &[f32], heard: &[f32]) -> sound::Similarity {
    let from = said.len() * 2 / 3;
    sound::similarity(&said[from..], &heard[from..said.len() + 9_600], sound::RATE)
}

fn over(path: &Path, settings: &EncoderSettings) -> (Vec<f32>, Vec<f32>, VoicePlayerStats) {
    let said = speech();
    let datagrams = encode(&said, settings);
    let trace = path.trace(datagrams.len(), 20.0, 80, 11);
    let (heard, player) = listen(&datagrams, &trace);
    (said, heard, player.stats())
}

#[test]
fn over_a_perfect_network_the_speech_is_what_was_said() {
    let (said, heard, stats) = over(&Path::default(), &EncoderSettings::live());
    let alike = third_time(&said, &heard);
    assert!(alike.is_same_speech(), "{alike:?} {stats:?}");
    assert_eq!((stats.jitter.lost, stats.playout.broken), (0, 0));
}

#[test]
fn ten_percent_loss_is_mostly_repaired_by_fec_when_the_sender_uses_it() {
    let path = Path {
        jitter: Jitter::InOrder { p95_ms: 60.0 },
        loss: Loss::Random { share: 0.1 },
        duplicates: 0.05,
        ..Path::default()
    };
    let settings = EncoderSettings {
        fec: true,
        loss_percent: 10,
        ..EncoderSettings::live()
    };
    let (said, heard, stats) = over(&path, &settings);
    let alike = third_time(&said, &heard);
    assert!(alike.envelope_correlation > 0.8, "{alike:?} {stats:?}");
    assert!(stats.jitter.lost > 20 && stats.jitter.duplicates > 5, "{stats:?}");
    assert!(
        stats.playout.fec * 10 > stats.jitter.lost * FRAME as u64 * 4,
        "{stats:?}"
    );
}

#[test]
fn runs_of_losses_are_rebuilt_by_dred() {
    let path = Path {
        loss: Loss::Bursts {
            share: 0.2,
            length: 3,
        },
        ..Path::default()
    };
    let settings = EncoderSettings {
        bitrate_bps: 32_000,
        dred_ms: 120,
        loss_percent: 10,
        ..EncoderSettings::live()
    };
    let (_, _, stats) = over(&path, &settings);
    let lost = stats.jitter.lost * FRAME as u64;
    assert!(stats.playout.dred * 10 > lost * 6, "{stats:?}");
}

#[test]
fn every_checked_in_trace_is_played_to_its_end() {
    let traces = File::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/traces");
    let mut played = 0;
    for entry in std::fs::read_dir(traces).expect("the traces") {
        let file = entry.expect("a file").path();
        let mut trace = Trace::from_text(&std::fs::read_to_string(&file).expect("text"));
        let datagrams = encode(&speech(), &EncoderSettings::live());
        trace.fates.truncate(datagrams.len());
        let came = trace.delays_ms().flatten().count() as u64;
        let (heard, player) = listen(&datagrams, &trace);
        let stats = player.stats().jitter;
        assert_eq!(
            stats.played + stats.late + stats.skipped,
            came,
            "{}: {stats:?}",
            file.display()
        );
        assert!(
            heard
                .iter()
                .all(|sample| sample.is_finite() && sample.abs() <= 1.5)
        );
        played += 1;
    }
    assert!(played >= 4, "{played} traces");
}

#[test]
fn a_pause_with_discontinuous_transmission_is_comfort_noise_and_loses_nothing() {
    let mut said = speech();
    let from = said.len() / 2;
    let mut rng = Rng::new(1);
    for sample in &mut said[from..from + 96_000] {
        *sample = (rng.unit() as f32 - 0.5) * 0.002;
    }
    let settings = EncoderSettings {
        dtx: true,
        bandwidth: Bandwidth::Wide,
        ..EncoderSettings::live()
    };
    let mut datagrams = encode(&said, &settings);
    // Of the packets without sound only the first in a row is sent; sequence numbers count what is sent.
    let mut trace = Path::default().trace(datagrams.len(), 20.0, 80, 1);
    let (mut sequence, mut silent) = (0_u16, false);
    for (datagram, fate) in datagrams.iter_mut().zip(&mut trace.fates) {
        let without_sound = datagram.len() <= 14;
        if without_sound && silent {
            *fate = Fate::Lost;
        } else {
            datagram[2..4].copy_from_slice(&sequence.to_be_bytes());
            sequence = sequence.wrapping_add(1);
        }
        silent = without_sound;
    }
    let (_, player) = listen(&datagrams, &trace);
    let stats = player.stats();
    assert!(stats.playout.silence > 48_000, "{stats:?}");
    assert_eq!(stats.jitter.lost, 0);
    assert!(stats.jitter.concealed_samples < 9_600, "{stats:?}");
}

#[test]
fn what_is_no_rtp_or_no_opus_is_refused_and_harms_nothing() {
    let mut player = VoicePlayer::new(JitterConfig::default());
    let mut rng = Rng::new(3);
    for i in 0..600_u64 {
        let noise: Vec<u8> = (0..i).map(|_| rng.bits() as u8).collect();
        player.receive(Duration::from_millis(i * 10), &noise);
        let header = RtpHeader {
            marker: false,
            payload_type: 111,
            sequence: i as u16,
            timestamp: i as u32 * 960,
            ssrc: 1,
        };
        let mut datagram = header.to_bytes().to_vec();
        datagram.extend(&noise);
        player.receive(Duration::from_millis(i * 10), &datagram);
        let mut tick = [0.0; TICK];
        player.tick(Duration::from_millis(i * 10), &mut tick);
        assert!(tick.iter().all(|sample| sample.is_finite()));
    }
    assert_eq!(
        player.receive(Duration::from_secs(7), b"hello"),
        Inserted::Refused
    );
}
