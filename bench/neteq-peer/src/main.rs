//! `neteq-peer FILE.packets…`: plays what `loss_lab` wrote through the `neteq` crate with libopus as its decoder, and writes
//! what is heard beside each file as `*.neteq.wav` (16-bit mono, 48 kHz), and a line of JSON with the time that its
//! buffer held to the standard output.
//!
//! That crate reads the wall clock, so everything plays in real time, all files at once.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use neteq::codec::AudioDecoder;
use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader};

struct Opus(opus::Decoder);

impl AudioDecoder for Opus {
    fn sample_rate(&self) -> u32 {
        48_000
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let mut out = vec![0.0; 5_760];
        let len = self.0.decode_float(encoded, &mut out, false).unwrap_or(0);
        out.truncate(len);
        Ok(out)
    }
}

fn main() {
    let threads: Vec<_> = std::env::args()
        .skip(1)
        .map(|file| thread::spawn(move || play(Path::new(&file))))
        .collect();
    for thread in threads {
        println!("{}", thread.join().expect("a run that ends"));
    }
}

fn play(file: &Path) -> String {
    let packets = read(&std::fs::read(file).expect("a file"));
    let end_ms = packets.last().map_or(0, |(at_us, _)| at_us / 1_000) as u64 + 500;
    let mut neteq = NetEq::new(NetEqConfig {
        sample_rate: 48_000,
        ..NetEqConfig::default()
    })
    .expect("a configuration");
    let decoder = opus::Decoder::new(48_000, opus::Channels::Mono).expect("a decoder");
    neteq.register_decoder(111, Box::new(Opus(decoder)));
    let start = Instant::now();
    let mut packets = packets.into_iter().peekable();
    let (mut heard, mut held_ms) = (Vec::new(), Vec::new());
    for tick in 0..end_ms / 10 {
        let until = Duration::from_millis(tick * 10);
        while let Some((at_us, datagram)) = packets.next_if(|(at_us, _)| u64::from(*at_us) <= tick * 10_000) {
            let at = start + Duration::from_micros(at_us.into());
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let (head, payload) = datagram.split_at(12);
            let header = RtpHeader::new(
                u16::from_be_bytes([head[2], head[3]]),
                u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
                1,
                111,
                false,
            );
            let packet = AudioPacket::new(header, payload.to_vec(), 48_000, 1, 20);
            neteq.insert_packet(packet).ok();
        }
        thread::sleep((start + until).saturating_duration_since(Instant::now()));
        let mut samples = neteq.get_audio().map(|frame| frame.samples).unwrap_or_default();
        samples.resize(480, 0.0);
        heard.extend(samples);
        held_ms.push(neteq.current_buffer_size_ms());
    }
    std::fs::write(file.with_extension("neteq.wav"), wav(&heard)).expect("room for a file");
    held_ms.sort_unstable();
    let name = file.file_stem().expect("a name").to_string_lossy();
    format!(
        r#"{{"condition":"{name}","listener":"neteq","file":"{name}.neteq.wav","waited_p50_ms":{},"waited_p95_ms":{}}}"#,
        held_ms[held_ms.len() / 2],
        held_ms[held_ms.len() * 95 / 100],
    )
}

fn read(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut packets = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<6>() {
        let at_us = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let (datagram, rest) = rest.split_at(usize::from(u16::from_le_bytes([head[4], head[5]])));
        packets.push((at_us, datagram.to_vec()));
        bytes = rest;
    }
    packets
}

fn wav(samples: &[f32]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(48_000_u32.to_le_bytes());
    file.extend(96_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    for sample in samples {
        file.extend(((sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).to_le_bytes());
    }
    file
}
