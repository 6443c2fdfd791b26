//! Ogg streams whole and broken, written page by page as any muxer may.

use proptest::prelude::*;

use super::crc;
use crate::container::testing::{any_packets, demux, samples, total};
use crate::opus::packet;
use crate::{OggOpusWriter, OpusHead};

const HEAD: OpusHead = OpusHead {
    channels: 1,
    pre_skip: 312,
    input_sample_rate: 48_000,
    output_gain: 0,
};
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// One page; the checksum is right.
fn page(flags: u8, granule: u64, serial: u32, sequence: u32, lacing: &[u8], body: &[u8]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(serial.to_le_bytes());
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    page.push(lacing.len() as u8);
    page.extend(lacing);
    page.extend(body);
    let crc = crc::update(0, &page);
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}

/// A page with whole packets.
fn whole(flags: u8, granule: u64, serial: u32, sequence: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut lacing = Vec::new();
    for packet in packets {
        lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        lacing.push((packet.len() % 255) as u8);
    }
    page(flags, granule, serial, sequence, &lacing, &packets.concat())
}

fn headers(serial: u32) -> Vec<Vec<u8>> {
    vec![
        whole(FIRST, 0, serial, 0, &[&HEAD.to_bytes()]),
        whole(0, 0, serial, 1, &[b"OpusTags\0\0\0\0\0\0\0\0"]),
    ]
}

/// A stream whose pages end after the given numbers of segments, wherever that cuts a packet.
fn stream(serial: u32, packets: &[Vec<u8>], cuts: &[usize]) -> Vec<Vec<u8>> {
    // (lacing value, its bytes, granule position where a packet ends)
    let mut segments: Vec<(u8, &[u8], Option<u64>)> = Vec::new();
    let mut granule = 0;
    for packet in packets {
        granule += samples(packet);
        let full = packet.len() / 255;
        for i in 0..full {
            segments.push((255, &packet[255 * i..255 * (i + 1)], None));
        }
        segments.push(((packet.len() % 255) as u8, &packet[255 * full..], Some(granule)));
    }
    let mut pages = headers(serial);
    let mut cuts = cuts.iter().cycle();
    let mut continued = false;
    let mut rest = &segments[..];
    while !rest.is_empty() {
        let (now, after) = rest.split_at((*cuts.next().unwrap()).clamp(1, 255).min(rest.len()));
        rest = after;
        let lacing: Vec<u8> = now.iter().map(|s| s.0).collect();
        let body: Vec<u8> = now.iter().flat_map(|s| s.1.iter().copied()).collect();
        let granule = now.iter().rev().find_map(|s| s.2).unwrap_or(u64::MAX);
        let flags = if continued { CONTINUED } else { 0 } | if rest.is_empty() { LAST } else { 0 };
        pages.push(page(flags, granule, serial, pages.len() as u32, &lacing, &body));
        continued = now.last().unwrap().2.is_none();
    }
    pages
}

fn packet_of(samples: u64, byte: u8) -> Vec<u8> {
    let toc = (0..=255u8)
        .step_by(8)
        .find(|&toc| u64::from(packet::frame_samples_48k(toc)) == samples)
        .unwrap();
    vec![toc, byte, byte]
}

/// `n` packets of 20 ms, each different.
fn packets_20ms(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| packet_of(960, i as u8)).collect()
}

proptest! {
    #[test]
    fn packets_survive_any_cut_into_pages(packets in any_packets(), cuts in prop::collection::vec(1usize..=255, 1..10)) {
        let file = stream(7, &packets, &cuts).concat();
        let out = demux(&file).unwrap();
        prop_assert_eq!(out.head, HEAD);
        prop_assert_eq!(&out.packets, &packets);
        prop_assert_eq!(out.gaps, []);
        prop_assert_eq!(out.ending, Default::default());
    }

    #[test]
    fn what_our_writer_writes_reads_back(packets in any_packets(), serial: u32, trim in 0u64..2000) {
        let mut writer = OggOpusWriter::new(Vec::new(), &HEAD, serial).unwrap();
        for packet in &packets {
            writer.packet(packet, samples(packet) as u32).unwrap();
        }
        let all = total(&packets).saturating_sub(312);
        let end = all.saturating_sub(trim).max(writer.least_end()).min(all);
        let out = demux(&writer.finish(Some(end)).unwrap()).unwrap();
        prop_assert_eq!(&out.packets, &packets);
        prop_assert_eq!(out.gaps, []);
        prop_assert!(!out.ending.truncated);
        if all > 0 {
            prop_assert_eq!(out.ending.discard, all - end);
        }
    }

    #[test]
    fn a_lost_page_costs_its_packets_and_no_time(
        packets in any_packets(),
        cuts in prop::collection::vec(1usize..30, 1..10),
        which: prop::sample::Index,
        flip: prop::sample::Index,
        mask in 1u8..,
        drop_it: bool,
    ) {
        let mut pages = stream(7, &packets, &cuts);
        let audio = pages.len() - 2;
        let i = 2 + which.index(audio);
        if drop_it {
            pages.remove(i);
        } else {
            let at = flip.index(pages[i].len());
            pages[i][at] ^= mask;
        }
        let out = demux(&pages.concat()).unwrap();
        let mut wanted = packets.iter();
        for packet in &out.packets {
            prop_assert!(wanted.any(|p| p == packet), "a packet that was never sent");
        }
        prop_assert!(out.gaps.iter().all(|gap| gap.2));
        prop_assert!(out.ending.truncated);
        // What is known of the time after the last whole page is what the broken one says, which may be wrong.
        if i < pages.len() - 1 && audio > 2 {
            prop_assert!(out.time() <= total(&packets));
            if total(&packets) - total(&out.packets) < 60 * 48_000 && out.packets.last() == packets.last() {
                prop_assert_eq!(out.time(), total(&packets));
            }
        }
    }

    #[test]
    fn any_bytes_after_the_magic_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = demux(&[b"OggS".as_slice(), &bytes].concat());
    }
}

#[test]
fn a_file_that_ends_without_its_last_page_is_truncated_wherever_it_was_cut() {
    let packets = packets_20ms(100);
    let file = stream(7, &packets, &[10]).concat();
    for cut in (200..file.len()).step_by(37) {
        let out = demux(&file[..cut]).unwrap();
        assert!(out.ending.truncated);
        assert_eq!(out.packets, packets[..out.packets.len()]);
    }
}

#[test]
fn a_granule_position_that_jumps_is_a_pause_up_to_two_seconds() {
    for (jump, gaps) in [
        (19_200, vec![(1, 19_200, false)]),
        (96_000, vec![(1, 96_000, false)]),
        (96_001, vec![]),
    ] {
        let mut pages = headers(1);
        pages.push(whole(0, 960, 1, 2, &[&packet_of(960, 1)]));
        pages.push(whole(LAST, 1920 + jump, 1, 3, &[&packet_of(960, 2)]));
        let out = demux(&pages.concat()).unwrap();
        assert_eq!(out.gaps, gaps);
        assert!(!out.ending.truncated);
    }
}

#[test]
fn a_stream_that_was_joined_late_starts_at_its_first_page() {
    let mut pages = headers(1);
    pages.push(whole(0, 4_800_960, 1, 2, &[&packet_of(960, 1)]));
    pages.push(whole(LAST, 4_801_920, 1, 3, &[&packet_of(960, 2)]));
    let out = demux(&pages.concat()).unwrap();
    assert_eq!((out.gaps.len(), out.time()), (0, 1920));
}

#[test]
fn the_last_page_trims_with_packets_and_without() {
    let mut pages = headers(1);
    pages.push(whole(LAST, 1500, 1, 2, &[&packet_of(960, 1), &packet_of(960, 2)]));
    assert_eq!(demux(&pages.concat()).unwrap().ending.discard, 420);

    let mut pages = headers(1);
    pages.push(whole(0, 1920, 1, 2, &[&packet_of(960, 1), &packet_of(960, 2)]));
    pages.push(whole(LAST, 1500, 1, 3, &[]));
    let out = demux(&pages.concat()).unwrap();
    assert_eq!(
        (out.ending.discard, out.ending.truncated, out.packets.len()),
        (420, false, 2)
    );
}

#[test]
fn a_malformed_packet_leaves_its_time_behind() {
    let mut pages = headers(1);
    let bad = [3, 0];
    pages.push(whole(
        0,
        2880,
        1,
        2,
        &[&packet_of(960, 1), &bad, &packet_of(960, 2)],
    ));
    pages.push(whole(LAST, 3840, 1, 3, &[&packet_of(960, 3)]));
    let out = demux(&pages.concat()).unwrap();
    assert_eq!(out.gaps, [(1, 960, true)]);
    assert_eq!(out.packets.len(), 4);
}

#[test]
fn the_time_on_a_broken_last_page_is_kept() {
    let packets = packets_20ms(50);
    let mut pages = stream(7, &packets, &[10]);
    let last = pages.len() - 1;
    let end = pages[last].len() - 1;
    pages[last][end] ^= 1;
    let out = demux(&pages.concat()).unwrap();
    assert_eq!(out.packets, packets[..40]);
    assert_eq!(out.gaps, [(40, 10 * 960, true)]);
}

#[test]
fn chained_streams_are_one_with_new_serials_and_with_the_same() {
    let (first, second) = (packets_20ms(30), packets_20ms(20));
    for serial in [7, 8] {
        let file = [stream(7, &first, &[10]), stream(serial, &second, &[7])]
            .concat()
            .concat();
        let out = demux(&file).unwrap();
        assert_eq!(out.packets, [first.clone(), second.clone()].concat());
        assert_eq!(out.gaps, []);
        assert!(!out.ending.truncated);
    }
}

#[test]
fn streams_beside_ours_are_not_heard() {
    let packets = packets_20ms(30);
    let ours = stream(7, &packets, &[10]);
    let mut pages = vec![
        whole(FIRST, 0, 1, 0, &[b"fishead\0"]),
        ours[0].clone(),
        headers(9)[0].clone(),
    ];
    for (i, page) in ours[1..].iter().enumerate() {
        pages.push(page.clone());
        pages.push(whole(
            0,
            960 * i as u64,
            9,
            1 + i as u32,
            &[b"OpusTags other stream"],
        ));
    }
    let out = demux(&pages.concat()).unwrap();
    assert_eq!(out.packets, packets);
    assert!(!out.ending.truncated);
}

#[test]
fn comments_over_many_pages_are_stepped_over() {
    let packets = packets_20ms(3);
    let mut pages = vec![headers(7)[0].clone()];
    let mut picture = b"OpusTags".to_vec();
    picture.resize(255 * 255, 1);
    for i in 0..4 {
        let flags = if i == 0 { 0 } else { CONTINUED };
        pages.push(page(flags, u64::MAX, 7, 1 + i, &[255; 255], &picture));
    }
    pages.push(page(CONTINUED, 0, 7, 5, &[9], &[1; 9]));
    let refs: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    pages.push(whole(LAST, 2880, 7, 6, &refs));
    let out = demux(&pages.concat()).unwrap();
    assert_eq!((out.packets, out.ending.truncated), (packets, false));
}

#[test]
fn junk_before_between_and_after_pages_is_stepped_over() {
    let packets = packets_20ms(30);
    let mut file = Vec::new();
    for page in stream(7, &packets, &[10]) {
        file.extend(page);
        file.extend(b"OggOggO\0junk Ogg");
    }
    let out = demux(&file).unwrap();
    assert_eq!((out.packets, out.ending.truncated), (packets, false));
}

#[test]
fn a_stream_without_packets_has_none() {
    let mut pages = headers(1);
    pages.push(whole(LAST, 0, 1, 2, &[]));
    let out = demux(&pages.concat()).unwrap();
    assert_eq!((out.packets.len(), out.time()), (0, 0));
}

#[test]
fn endless_empty_pages_and_endless_broken_pages_are_refused() {
    let mut empty = headers(1).concat();
    for i in 0..200_000 {
        empty.extend(whole(0, 0, 1, 2 + i, &[]));
    }
    assert_eq!(demux(&empty).unwrap_err().code(), "audio_corrupt");

    let mut broken = headers(1).concat();
    let mut liar = page(0, 0, 1, 2, &[255; 255], &[0; 1]);
    liar.truncate(300);
    for _ in 0..20_000 {
        broken.extend(&liar);
    }
    assert_eq!(demux(&broken).unwrap_err().code(), "audio_corrupt");
}

#[test]
fn our_pages_hold_about_a_second_each() {
    let mut writer = OggOpusWriter::new(Vec::new(), &HEAD, 1).unwrap();
    let packet = vec![9 << 3; 60];
    for _ in 0..500 {
        writer.packet(&packet, 960).unwrap();
    }
    let file = writer.finish(None).unwrap();
    let pages = file.windows(4).filter(|w| w == b"OggS").count();
    assert_eq!(pages, 2 + 10);
    let overhead = file.len() - 500 * 60;
    assert!(overhead < 500 + 12 * 27 + 80, "{overhead}");
}
