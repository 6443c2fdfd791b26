//! WebM as files, as browsers record it, and broken, written element by element.

use proptest::prelude::*;

use crate::OpusHead;
use crate::container::testing::{any_packets, demux, samples};

const HEAD: OpusHead = OpusHead {
    channels: 1,
    pre_skip: 312,
    input_sample_rate: 48_000,
    output_gain: 0,
};
const UNKNOWN: &[u8] = &[0x01, 255, 255, 255, 255, 255, 255, 255];

/// An element with a size of `width` bytes.
fn sized(id: u32, width: usize, body: &[u8]) -> Vec<u8> {
    let mut out = id_bytes(id);
    let size = body.len() as u64 | 1 << (7 * width);
    out.extend(&size.to_be_bytes()[8 - width..]);
    out.extend(body);
    out
}

fn element(id: u32, body: &[u8]) -> Vec<u8> {
    sized(id, 4, body)
}

fn unknown(id: u32, body: &[u8]) -> Vec<u8> {
    [&id_bytes(id), UNKNOWN, body].concat()
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|&b| b == 0).collect()
}

fn doc_type() -> Vec<u8> {
    element(0x1A45_DFA3, &element(0x4282, b"webm"))
}

fn tracks(number: u8, private: &[u8], more: &[u8]) -> Vec<u8> {
    let entry = [
        element(0xD7, &[number]),
        element(0x83, &[2]),
        element(0x86, b"A_OPUS"),
        element(0x63A2, private),
        more.to_vec(),
    ]
    .concat();
    element(0x1654_AE6B, &element(0xAE, &entry))
}

fn block(track: u8, ticks: i16, flags: u8, body: &[u8]) -> Vec<u8> {
    let [a, b] = ticks.to_be_bytes();
    [&[0x80 | track, a, b, flags], body].concat()
}

fn simple_block(ticks: i16, packet: &[u8]) -> Vec<u8> {
    element(0xA3, &block(1, ticks, 0x80, packet))
}

fn timestamp(ms: u64) -> Vec<u8> {
    element(0xE7, &ms.to_be_bytes())
}

/// A whole file: clusters of ten blocks, timestamps in ms.
fn file(packets: &[Vec<u8>], known_sizes: bool, width: usize) -> Vec<u8> {
    let mut at = 0;
    let mut body = tracks(1, &HEAD.to_bytes(), &[]);
    for packets in packets.chunks(10) {
        let start = at / 48;
        let mut cluster = timestamp(start);
        for packet in packets {
            cluster.extend(sized(
                0xA3,
                width,
                &block(1, (at / 48 - start) as i16, 0x80, packet),
            ));
            at += samples(packet);
        }
        body.extend(if known_sizes {
            element(0x1F43_B675, &cluster)
        } else {
            unknown(0x1F43_B675, &cluster)
        });
    }
    let segment = if known_sizes {
        element(0x1853_8067, &body)
    } else {
        unknown(0x1853_8067, &body)
    };
    [doc_type(), segment].concat()
}

fn packet(byte: u8) -> Vec<u8> {
    vec![9 << 3, byte, byte]
}

fn packets(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| packet(i as u8)).collect()
}

/// A live file with one cluster of these elements.
fn cluster(elements: &[Vec<u8>]) -> Vec<u8> {
    let cluster = unknown(0x1F43_B675, &elements.concat());
    [
        doc_type(),
        unknown(0x1853_8067, &[tracks(1, &HEAD.to_bytes(), &[]), cluster].concat()),
    ]
    .concat()
}

/// A damaged size that happens to end where another element begins cannot be told from a long element, and swallows what
/// is between: so the bound on the neighbourhood holds for all but a few of all flips of one bit.
#[test]
fn a_damaged_bit_costs_its_neighbourhood_and_rarely_more() {
    let packets = packets(100);
    let (mut cases, mut costly) = (0, 0);
    for known in [false, true] {
        let whole = file(&packets, known, 4);
        let start = file(&[], known, 4).len() + 12;
        for (at, bit) in (start..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let out = demux(&damaged).unwrap();
            let kept = packets
                .iter()
                .filter(|packet| out.packets.contains(packet))
                .count();
            cases += 1;
            costly += usize::from(kept < 78);
        }
    }
    assert!(
        cases > 20_000 && costly * 500 < cases,
        "{costly} of {cases} cost more"
    );
}

proptest! {
    #[test]
    fn packets_survive_known_and_unknown_sizes(packets in any_packets(), known: bool, width in 3usize..=8) {
        let out = demux(&file(&packets, known, width)).unwrap();
        prop_assert_eq!(out.head, HEAD);
        prop_assert_eq!(&out.packets, &packets);
        prop_assert_eq!(out.ending, Default::default());
        let mut at = 0;
        for (packet, stamp) in packets.iter().zip(&out.stamps) {
            prop_assert!((stamp.unwrap() - at).abs() < 48, "{stamp:?} {at}");
            at += samples(packet) as i64;
        }
    }

    #[test]
    fn a_recording_that_was_cut_off_gives_what_is_whole(packets in any_packets(), cut: prop::sample::Index) {
        let whole = file(&packets, false, 4);
        let start = file(&[], false, 4).len();
        let cut = start + cut.index(whole.len() - start);
        let out = demux(&whole[..cut]).unwrap();
        prop_assert_eq!(&out.packets[..], &packets[..out.packets.len()]);
        let ends_between_elements = !out.ending.truncated;
        prop_assert!(!ends_between_elements || whole[cut..].is_empty() || [0xA3, 0x1F, 0xE7].contains(&whole[cut]));
    }

    #[test]
    fn any_bytes_after_the_magic_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = demux(&[[0x1A, 0x45, 0xDF, 0xA3].as_slice(), &bytes].concat());
        let mut head = cluster(&[]);
        head.extend(bytes);
        let _ = demux(&head);
    }
}

#[test]
fn block_groups_and_their_discard_padding_are_read() {
    let group = |ticks, byte, padding: i64| {
        element(
            0xA0,
            &[
                element(0xA1, &block(1, ticks, 0, &packet(byte))),
                element(0x9B, &[20]),
                element(0x75A2, &padding.to_be_bytes()),
            ]
            .concat(),
        )
    };
    let out = demux(&cluster(&[timestamp(0), group(0, 1, 0), group(20, 2, 6_500_000)])).unwrap();
    assert_eq!(out.packets, [packet(1), packet(2)]);
    assert_eq!(out.ending.discard, 312);
    let out = demux(&cluster(&[
        timestamp(0),
        group(0, 1, 6_500_000),
        simple_block(20, &packet(2)),
    ]))
    .unwrap();
    assert_eq!(out.ending.discard, 0);
}

#[test]
fn the_frames_of_a_laced_block_follow_each_other() {
    let laced = element(
        0xA3,
        &block(
            1,
            0,
            0x80 | 4,
            &[&[2], &packet(1)[..], &packet(2), &packet(3)].concat(),
        ),
    );
    let out = demux(&cluster(&[timestamp(1000), laced, simple_block(60, &packet(4))])).unwrap();
    assert_eq!(out.packets, [packet(1), packet(2), packet(3), packet(4)]);
    assert_eq!(out.stamps, [Some(48_000), None, None, Some(50_880)]);
}

#[test]
fn blocks_of_other_tracks_and_unknown_elements_are_stepped_over() {
    let other = element(0xA3, &block(2, 0, 0x80, &[1; 500]));
    let out = demux(&cluster(&[
        element(0xEC, &[0; 300]),
        timestamp(0),
        other.clone(),
        simple_block(0, &packet(1)),
        element(0x1C53_BB6B, &element(0xBB, &[0xA3; 38])),
        other,
        simple_block(20, &packet(2)),
    ]))
    .unwrap();
    assert_eq!(
        (out.packets, out.ending.truncated),
        (vec![packet(1), packet(2)], false)
    );
}

#[test]
fn a_size_that_ends_where_a_later_element_begins_swallows_nothing() {
    let blocks: Vec<_> = (1..=6)
        .map(|n| simple_block(20 * i16::from(n), &packet(n)))
        .collect();
    let all: Vec<_> = (1..=6).map(packet).collect();
    for swallowed in 1..=3 {
        let inside = blocks[1..1 + swallowed].concat();
        // Void, tags, an index, another recording's Info: each with its own payload first.
        for (id, own) in [
            (0xEC, vec![0; 9]),
            (0x1254_C367, element(0x7373, &[1; 5])),
            (0x1C53_BB6B, element(0xBB, &[2; 5])),
            (0x1549_A966, element(0x2A_D7B1, &[15, 66, 64])),
        ] {
            let damaged = element(id, &[own, inside.clone()].concat());
            let file = cluster(&[
                timestamp(0),
                blocks[0].clone(),
                damaged,
                blocks[1 + swallowed..].concat(),
            ]);
            let out = demux(&file).unwrap();
            assert_eq!(
                (&out.packets, out.ending.truncated),
                (&all, true),
                "{id:#x} swallows {swallowed}"
            );
        }
        // A block, alone and in a group.
        let own = block(1, 20, 0x80, &packet(1));
        let damaged = element(0xA3, &[own, inside.clone()].concat());
        let file = cluster(&[timestamp(0), damaged, blocks[1 + swallowed..].concat()]);
        let out = demux(&file).unwrap();
        assert_eq!(
            (&out.packets, out.ending.truncated),
            (&all, true),
            "a block swallows {swallowed}"
        );
        let own = element(0xA1, &block(1, 20, 0, &packet(1)));
        let damaged = element(0xA0, &[own, inside].concat());
        let file = cluster(&[timestamp(0), damaged, blocks[1 + swallowed..].concat()]);
        let out = demux(&file).unwrap();
        assert_eq!(
            (&out.packets, out.ending.truncated),
            (&all, true),
            "a group swallows {swallowed}"
        );
    }
}

#[test]
fn recordings_one_after_the_other_are_one() {
    let second = [
        doc_type(),
        unknown(
            0x1853_8067,
            &[
                tracks(2, &HEAD.to_bytes(), &[]),
                unknown(0x1F43_B675, &element(0xA3, &block(2, 0, 0x80, &packet(9)))),
            ]
            .concat(),
        ),
    ];
    let out = demux(&[file(&packets(5), false, 4), second.concat()].concat()).unwrap();
    assert_eq!(out.packets, [packets(5), vec![packet(9)]].concat());
}

#[test]
fn a_pre_skip_that_the_header_leaves_out_is_the_codec_delay_or_that_of_libopus() {
    let with = |pre_skip, more: &[u8]| {
        let head = OpusHead { pre_skip, ..HEAD };
        let segment = unknown(0x1853_8067, &tracks(1, &head.to_bytes(), more));
        demux(&[doc_type(), segment].concat()).unwrap().head.pre_skip
    };
    let delay = element(0x56AA, &2_500_000u32.to_be_bytes());
    assert_eq!(with(3840, &delay), 3840);
    assert_eq!(with(0, &delay), 120);
    assert_eq!(with(0, &[]), 312);
}

#[test]
fn claims_beyond_the_file_are_told_as_truncated_and_not_allocated() {
    let huge = [
        &id_bytes(0xA3)[..],
        &[0x08, 0x7F, 255, 255, 255],
        &block(1, 20, 0x80, &packet(2)),
    ]
    .concat();
    let out = demux(&cluster(&[timestamp(0), simple_block(0, &packet(1)), huge])).unwrap();
    assert_eq!((out.packets, out.ending.truncated), (vec![packet(1)], true));
}

#[test]
fn files_without_sound_or_with_a_header_that_is_cut_off_are_refused() {
    let silent = [doc_type(), unknown(0x1853_8067, &element(0x1654_AE6B, &[]))].concat();
    assert_eq!(demux(&silent).unwrap_err().code(), "audio_empty");
    let whole = cluster(&[]);
    for cut in 5..whole.len() - 12 {
        let code = demux(&whole[..cut]).map(|_| ()).unwrap_err().code();
        assert!(
            ["audio_corrupt", "audio_unrecognised"].contains(&code),
            "{cut}: {code}"
        );
    }
}

#[test]
fn endless_empty_elements_are_refused() {
    let mut file = cluster(&[]);
    for _ in 0..300_000 {
        file.extend([0xEC, 0x80]);
    }
    assert_eq!(demux(&file).unwrap_err().code(), "audio_corrupt");
}
