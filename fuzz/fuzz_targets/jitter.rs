//! A list of operations for the jitter buffer: packets with any counters, waits, ticks.
#![no_main]

use std::time::Duration;

use voxpost_proto::jitter::{JitterBuffer, JitterConfig, PayloadInfo, Step};
use voxpost_proto::rtp::RtpHeader;

const MOST: usize = 64;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut buffer = JitterBuffer::new(JitterConfig {
        max_packets: MOST,
        ..JitterConfig::default()
    });
    let (mut now, mut queued, mut sequence, mut timestamp) = (Duration::ZERO, 0_usize, 0_u16, 0_u32);
    let mut played = Vec::new();
    for (number, operation) in data.chunks_exact(4).enumerate() {
        let [kind, a, b, c] = [operation[0], operation[1], operation[2], operation[3]];
        match kind % 4 {
            // The next packets of a well-behaved stream, some left out.
            0 => {
                sequence = sequence.wrapping_add(u16::from(a % 4) + 1);
                timestamp = timestamp.wrapping_add((u32::from(a % 4) + 1) * 960);
                insert(&mut buffer, now, sequence, timestamp, u32::from(kind & 0x80), number, b, c);
            }
            // Any packet.
            1 => {
                let sequence = sequence.wrapping_add(u16::from_be_bytes([a, b]));
                let timestamp = timestamp.wrapping_add(u32::from_be_bytes([c, b, a, c]));
                insert(&mut buffer, now, sequence, timestamp, u32::from(kind & 0x80), number, b, c);
            }
            2 => now += Duration::from_micros(u64::from(u16::from_be_bytes([a, b])) * 8),
            _ => {
                now += Duration::from_millis(10);
                for steps in 0.. {
                    assert!(steps < 2 * MOST + 64, "a tick without end");
                    let Some(step) = buffer.step(now, queued) else { break };
                    queued += match step {
                        Step::Play { payload, .. } | Step::Stretch { payload, .. } | Step::Shrink { payload, .. } => {
                            played.push(u32::from_be_bytes(*payload.first_chunk().expect("as inserted")));
                            usize::from(c)
                        }
                        Step::Fec { samples, .. }
                        | Step::Dred { samples, .. }
                        | Step::Conceal { samples }
                        | Step::Silence { samples } => {
                            assert!((1..=5_760).contains(&samples));
                            samples as usize
                        }
                    };
                }
                queued = queued.saturating_sub(480);
                assert!(buffer.nacks(now, Duration::from_millis(u64::from(a))).len() <= 64);
            }
        }
        assert!(buffer.len() <= MOST);
    }
    played.sort_unstable();
    assert!(played.windows(2).all(|pair| pair[0] != pair[1]), "a packet was played twice");
    let stats = buffer.stats();
    assert_eq!(stats.played, played.len() as u64);
    assert_eq!(
        stats.received,
        stats.played + stats.late + stats.duplicates + stats.refused + stats.skipped + buffer.len() as u64
    );
});

#[expect(clippy::too_many_arguments, reason = "a packet has as many parts")]
fn insert(
    buffer: &mut JitterBuffer,
    now: Duration,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    number: usize,
    b: u8,
    c: u8,
) {
    let header = RtpHeader {
        marker: false,
        payload_type: 111,
        sequence,
        timestamp,
        ssrc,
    };
    let info = PayloadInfo {
        samples: if b == 0 { 0 } else { 120 * u32::from(b % 49) },
        fec: c & 1 != 0,
        dred_samples: u32::from(c >> 4) * 960,
        dtx: c & 2 != 0,
    };
    buffer.insert(now, &header, (number as u32).to_be_bytes().to_vec(), info);
}
