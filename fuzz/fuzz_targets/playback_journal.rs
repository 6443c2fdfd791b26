//! A journal that may be torn or damaged, up to its first line feed, and then what happens at the player that opens it.
#![no_main]

use voxpost_proto::playback::{Action, HeardMap, Journal, Player};
use voxpost_proto::{Timestamp, Uuid};

const DURATION: i64 = 60_000;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (journal, operations) = data.split_at(end);
    let Ok(journal) = serde_json::from_slice::<Journal>(journal) else {
        return;
    };
    let mut now = Timestamp::from_millis(1_700_000_000_000);
    let device = Uuid::from_u128(2);
    let (mut player, begin) = Player::open(Some(journal), None, Uuid::from_u128(3), device, DURATION, now);
    assert!((0..=DURATION).contains(&begin.position_ms));
    let mut map = HeardMap::default();
    for (number, operation) in operations.chunks_exact(4).enumerate() {
        now = now.plus_millis(i64::from(operation[1]) * 20);
        let position_ms = i64::from(i16::from_be_bytes([operation[2], operation[3]])) * 3;
        player.handle(
            now,
            match operation[0] % 7 {
                0 => Action::Play,
                1 => Action::Progress { position_ms },
                2 => Action::Pause { position_ms },
                3 => Action::Seek { position_ms },
                4 => Action::Speed { speed: f32::from_bits(u32::from_be_bytes([operation[0], operation[1], operation[2], operation[3]])) },
                5 => Action::End,
                _ => Action::Hide,
            },
        );
        if let Some(report) = player.poll_report(now, Uuid::from_u128(number as u128 + 10)) {
            let before = map.playback(DURATION).heard_ms;
            map.apply(&report, DURATION, now).expect("a report that the server takes");
            assert!(map.playback(DURATION).heard_ms >= before);
            if operation[0] & 0x80 == 0 {
                player.handle_failure(now, report.report_id);
            } else {
                player.handle_refusal(report.report_id);
            }
        }
        let kept = serde_json::to_vec(&player.journal(now)).expect("JSON");
        serde_json::from_slice::<Journal>(&kept).expect("what was written can be read");
    }
});
