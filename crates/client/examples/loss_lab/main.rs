//! `loss_lab SPEECH.wav OUT_DIR [CONDITION…]`: plays speech (16-bit mono, 48 kHz) through every network of `conditions.rs`
//! to every listener of `players.rs`. Writes what was heard as WAV, what was sent as `*.packets` for listeners of others
//! (per packet: arrival in µs as u32, length as u16, little-endian, then the datagram), and a line of JSON for each run
//! into `runs.jsonl`. scripts/bench-loss/run.sh scores the sound.

#![expect(clippy::print_stdout, reason = "a program that tells what it does")]

mod conditions;
mod players;

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use conditions::Condition;
use players::{FRAME, Heard};
use voxpost_audio::SpeechEncoder;
use voxpost_proto::rtp::RtpHeader;
use voxpost_testkit::net::Trace;
use voxpost_testkit::wav;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, speech, out, wanted @ ..] = &arguments[..] else {
        return Err("loss_lab SPEECH.wav OUT_DIR [CONDITION…]".into());
    };
    let out = Path::new(out);
    let sound = wav::read_mono_48k(&fs::read(speech)?)?;
    fs::create_dir_all(out)?;
    let mut runs = fs::File::create(out.join("runs.jsonl"))?;
    for condition in conditions::all() {
        if wanted.is_empty() || wanted.iter().any(|w| condition.name.starts_with(w.as_str())) {
            println!("{}", condition.name);
            run(&condition, &sound, out, &mut runs)?;
        }
    }
    Ok(())
}

fn run(condition: &Condition, sound: &[f32], out: &Path, runs: &mut fs::File) -> Result<(), Box<dyn Error>> {
    let datagrams = encode(sound, condition);
    let bytes: usize = datagrams.iter().map(Vec::len).sum();
    let trace = condition.path.trace(datagrams.len(), 20.0, 100, 1);
    let name = &condition.name;
    write_packets(&out.join(format!("{name}.packets")), &datagrams, &trace)?;
    let listeners: [(&str, Heard); 4] = [
        ("voxpost", players::adaptive(&datagrams, &trace)),
        ("fixed-60", players::fixed(&datagrams, &trace, 60.0)),
        ("fixed-200", players::fixed(&datagrams, &trace, 200.0)),
        ("perfect", players::perfect(&datagrams, &trace)),
    ];
    for (listener, mut heard) in listeners {
        let file = format!("{name}.{listener}.wav");
        fs::write(out.join(&file), wav::write_mono_48k(&heard.samples))?;
        let (delay, waited) = (&mut heard.delays_ms, &mut heard.waited_ms);
        writeln!(
            runs,
            r#"{{"condition":"{name}","listener":"{listener}","file":"{file}","p50_ms":{:.1},"p95_ms":{:.1},"waited_p50_ms":{:.1},"waited_p95_ms":{:.1},"concealed":{:.4},"kbps":{:.1}}}"#,
            percentile(delay, 0.5),
            percentile(delay, 0.95),
            percentile(waited, 0.5),
            percentile(waited, 0.95),
            heard.concealed,
            bytes as f64 * 8.0 / (datagrams.len() as f64 * 20.0),
        )?;
    }
    Ok(())
}

fn encode(sound: &[f32], condition: &Condition) -> Vec<Vec<u8>> {
    let mut encoder = SpeechEncoder::new(&condition.settings);
    let frames = sound.chunks_exact(FRAME).enumerate();
    frames
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
        .collect()
}

fn write_packets(file: &Path, datagrams: &[Vec<u8>], trace: &Trace) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for arrival in trace.arrivals() {
        let datagram = &datagrams[arrival.packet];
        bytes.extend(((arrival.at_ms * 1_000.0) as u32).to_le_bytes());
        bytes.extend((datagram.len() as u16).to_le_bytes());
        bytes.extend(datagram);
    }
    fs::write(file, bytes)
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index).copied().unwrap_or(0.0)
}
