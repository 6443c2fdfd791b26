//! The packet check and the identification headers.
#![no_main]

use voxpost_audio::{OpusHead, packet};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(info) = packet::check(data) {
        assert!((120..=packet::MAX_SAMPLES_48K).contains(&info.samples_48k));
        assert_eq!(info.samples_48k, u32::from(info.frames) * packet::frame_samples_48k(data[0]));
        assert_eq!(info.stereo, data[0] & 4 != 0);
    }
    if let Ok(head) = OpusHead::parse(data) {
        assert_eq!(OpusHead::parse(&head.to_bytes()).expect("our own header is good"), head);
    }
    let _ = OpusHead::parse_dops(data);
});
