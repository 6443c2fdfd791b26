//! Any steps with any payloads for the playout decoder, and any packet for the inspector.
#![no_main]

use voxpost_audio::{PacketInspector, PlayoutDecoder, PlayoutStep};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut decoder, mut inspector) = (PlayoutDecoder::new(), PacketInspector::new());
    let mut rest = data;
    while let Some((&[kind, a, b, len], after)) = rest.split_first_chunk::<4>() {
        let payload = &after[..usize::from(len).min(after.len())];
        rest = &after[payload.len()..];
        let _ = inspector.inspect(payload);
        let samples = u32::from(u16::from_be_bytes([a, b]));
        decoder.apply(match kind % 7 {
            0 => PlayoutStep::Play {
                payload,
                skip: samples,
                restart: kind & 0x80 != 0,
            },
            1 => PlayoutStep::Stretch { payload, wanted: samples },
            2 => PlayoutStep::Shrink { payload, wanted: samples },
            3 => PlayoutStep::Fec { payload, samples },
            4 => PlayoutStep::Dred {
                payload,
                offset: u32::from(a) * 480,
                samples: u32::from(b) * 120,
            },
            5 => PlayoutStep::Conceal { samples },
            _ => PlayoutStep::Silence { samples },
        });
        let mut out = [0.0; 480];
        decoder.pull(&mut out);
        assert!(out.iter().all(|sample| sample.is_finite()));
        assert!(decoder.queued() <= 4 * 5_760);
    }
});
