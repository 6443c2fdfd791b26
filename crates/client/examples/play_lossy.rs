//! `play_lossy SPEECH.wav OUT.wav [TRACE.txt]`: sends speech (16-bit mono WAV, 48 kHz) through a lossy network and writes
//! what a listener hears. Without a trace the network loses 10 % and has 60 ms of jitter.
//!
//! It is all that an app needs: encode, send, receive, tick.

use std::time::Duration;

use voxpost_audio::{EncoderSettings, SpeechEncoder};
use voxpost_client::VoicePlayer;
use voxpost_proto::jitter::JitterConfig;
use voxpost_proto::rtp::RtpHeader;
use voxpost_testkit::net::{Jitter, Loss, Path, Trace};
use voxpost_testkit::wav;

const FRAME: usize = 960;
const TICK: usize = 480;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, output, rest @ ..] = &arguments[..] else {
        return Err("play_lossy SPEECH.wav OUT.wav [TRACE.txt]".into());
    };
    let speech = wav::read_mono_48k(&std::fs::read(input)?)?;

    // The sender: a packet every 20 ms, with a copy of the one before it.
    let mut encoder = SpeechEncoder::new(&EncoderSettings {
        fec: true,
        loss_percent: 10,
        ..EncoderSettings::live()
    });
    let datagrams: Vec<Vec<u8>> = speech
        .chunks_exact(FRAME)
        .enumerate()
        .map(|(i, frame)| {
            let header = RtpHeader {
                marker: i == 0,
                payload_type: 111,
                sequence: i as u16,
                timestamp: (i * FRAME) as u32,
                ssrc: 1,
            };
            let mut datagram = header.to_bytes().to_vec();
            encoder.encode(frame, &mut datagram);
            datagram
        })
        .collect();

    // The network.
    let trace = match rest.first() {
        Some(file) => Trace::from_text(&std::fs::read_to_string(file)?),
        None => Path {
            jitter: Jitter::InOrder { p95_ms: 60.0 },
            loss: Loss::Random { share: 0.1 },
            ..Path::default()
        }
        .trace(datagrams.len(), 20.0, 80, 1),
    };

    // The listener: takes what has arrived, then plays a tick.
    let mut player = VoicePlayer::new(JitterConfig::default());
    let mut arrivals = trace.arrivals().peekable();
    let mut heard = Vec::new();
    while heard.len() < speech.len() + 24_000 {
        let now = Duration::from_millis(heard.len() as u64 / 48);
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at_ms <= now.as_secs_f64() * 1_000.0) {
            if let Some(datagram) = datagrams.get(arrival.packet) {
                player.receive(Duration::from_secs_f64(arrival.at_ms / 1_000.0), datagram);
            }
        }
        let mut tick = [0.0; TICK];
        player.tick(now, &mut tick);
        heard.extend(tick);
    }
    std::fs::write(output, wav::write_mono_48k(&heard))?;
    eprintln!("{:#?}\n{:#?}", player.stats(), player.delay());
    Ok(())
}
