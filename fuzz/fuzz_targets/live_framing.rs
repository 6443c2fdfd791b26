//! Binary messages of the socket, and the packets in them.
#![no_main]

use voxpost_proto::live::{bundle, entries};
use voxpost_proto::rtp::RtpHeader;
use voxpost_proto::{BinaryKind, BinaryMessage};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(message) = BinaryMessage::parse(data) else { return };
    let packets: Vec<&[u8]> = match message.kind {
        BinaryKind::BundleUp => entries(message.body).map_while(Result::ok).collect(),
        _ => vec![message.body],
    };
    for packet in &packets {
        if let Ok((header, payload)) = RtpHeader::parse(packet) {
            assert!(payload.len() + header.to_bytes().len() <= packet.len());
        }
    }
    let mut left = packets.as_slice();
    while !left.is_empty() {
        let (again, count) = bundle(message.handle, left.iter().copied(), 1_200);
        if count == 0 {
            break; // Longer than an entry can be.
        }
        let head = BinaryMessage::parse(&again).expect("what we write");
        assert_eq!(head.handle, message.handle);
        left = &left[count..];
    }
});
