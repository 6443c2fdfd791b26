//! A list of operations for the receiver of a recording and its timeline: packets with any numbers, commits, restarts.
#![no_main]

use std::collections::BTreeMap;

use voxpost_proto::live::{Arrival, FinishCheck, LiveReceiver, MAX_FILL_SAMPLES, Timeline};
use voxpost_proto::rtp::RtpHeader;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&[a, b, c, d], operations)) = data.split_first_chunk::<4>() else { return };
    let first = u32::from_be_bytes([a, b, c, d]);
    let mut receiver = LiveReceiver::new(first);
    let (mut waiting, mut durable) = (BTreeMap::new(), BTreeMap::new());
    let mut acknowledged = None;
    for operation in operations.chunks_exact(5) {
        let [kind, a, b, c, d] = [operation[0], operation[1], operation[2], operation[3], operation[4]];
        match kind % 8 {
            0..=4 => {
                let header = RtpHeader {
                    marker: false,
                    payload_type: 111,
                    sequence: (first as u16).wrapping_add(u16::from_be_bytes([a, b])),
                    timestamp: u32::from_be_bytes([c, d, b, a]),
                    ssrc: 0,
                };
                match receiver.handle_packet(&header) {
                    Arrival::New(sequence) => {
                        assert!(sequence >= first && sequence as u16 == header.sequence);
                        assert!(!durable.contains_key(&sequence));
                        assert!(waiting.insert(sequence, header.timestamp).is_none(), "new twice");
                    }
                    Arrival::Duplicate(sequence) => {
                        assert!(waiting.contains_key(&sequence) || durable.contains_key(&sequence));
                    }
                    Arrival::Refused(_) => {}
                }
            }
            5 | 6 => {
                for (sequence, timestamp) in std::mem::take(&mut waiting) {
                    receiver.handle_durable(sequence..sequence + 1);
                    durable.insert(sequence, timestamp);
                }
                if let Some(sequence) = receiver.poll_ack() {
                    assert!(acknowledged <= Some(sequence), "an acknowledgement went back");
                    assert!((first..=sequence).all(|n| durable.contains_key(&n)));
                    acknowledged = Some(sequence);
                }
            }
            // A restart: what is not durable is gone.
            _ => {
                waiting.clear();
                receiver = LiveReceiver::restore(first, receiver.durable().iter());
            }
        }
    }
    let packets = receiver.packets();
    match receiver.check_finish(packets) {
        FinishCheck::Complete => assert_eq!(durable.len(), packets as usize),
        FinishCheck::Missing { next_sequence } => assert!(!durable.contains_key(&next_sequence)),
        FinishCheck::TooFew { .. } => panic!("its own count"),
    }
    let mut timeline = Timeline::new(first, 960);
    for (sequence, timestamp) in &durable {
        assert!(timeline.place(*sequence, *timestamp, 960) < MAX_FILL_SAMPLES + 120);
    }
    assert!(timeline.samples() >= durable.len() as u64 * 960);
});
