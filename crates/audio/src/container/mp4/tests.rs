//! MP4 plain, with the index at the end, fragmented and hostile, written box by box.

use proptest::prelude::*;

use crate::OpusHead;
use crate::container::testing::{any_packets, demux, samples};

const HEAD: OpusHead = OpusHead {
    channels: 1,
    pre_skip: 312,
    input_sample_rate: 48_000,
    output_gain: 0,
};

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (8 + body.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(body);
    out
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// A box of words, the first of which is version and flags.
fn full(kind: &[u8; 4], body: &[u32]) -> Vec<u8> {
    boxed(kind, &words(body))
}

/// What a test varies in a movie box.
#[derive(Clone)]
struct Movie {
    timescale: u32,
    /// (duration in ms, start in ticks)
    edit: Option<(u32, u32)>,
    stts: Vec<u32>,
    stsz: Vec<u32>,
    stsc: Vec<u32>,
    stco: Vec<u32>,
    fragmented: bool,
}

impl Default for Movie {
    fn default() -> Self {
        Movie {
            timescale: 48_000,
            edit: None,
            stts: vec![0],
            stsz: vec![0, 0],
            stsc: vec![1, 1, 1, 1],
            stco: vec![0],
            fragmented: false,
        }
    }
}

fn prefixed(body: &[u32]) -> Vec<u32> {
    [&[0], body].concat()
}

impl Movie {
    fn moov(&self) -> Vec<u8> {
        let dops = [
            &[0, 1][..],
            &312u16.to_be_bytes(),
            &48_000u32.to_be_bytes(),
            &[0, 0, 0],
        ]
        .concat();
        let mut entry = vec![0; 28];
        entry.extend(boxed(b"dOps", &dops));
        let mut stsd = words(&[0, 1]);
        stsd.extend(boxed(b"Opus", &entry));
        let stbl = [
            boxed(b"stsd", &stsd),
            full(b"stts", &prefixed(&self.stts)),
            full(b"stsc", &prefixed(&self.stsc)),
            full(b"stsz", &prefixed(&self.stsz)),
            full(b"stco", &prefixed(&self.stco)),
        ];
        let mdia = [
            full(b"mdhd", &[0, 0, 0, self.timescale, 0, 0]),
            boxed(b"hdlr", b"\0\0\0\0\0\0\0\0soun\0\0\0\0\0\0\0\0\0\0\0\0"),
            boxed(b"minf", &boxed(b"stbl", &stbl.concat())),
        ];
        let edts = self.edit.map_or(Vec::new(), |(length, start)| {
            boxed(b"edts", &full(b"elst", &[0, 1, length, start, 0x1_0000]))
        });
        let trak = [
            full(b"tkhd", &[7, 0, 0, 1, 0]),
            edts,
            boxed(b"mdia", &mdia.concat()),
        ];
        let mvex = if self.fragmented {
            boxed(b"mvex", &full(b"trex", &[0, 1, 1, 960, 0, 0]))
        } else {
            Vec::new()
        };
        boxed(
            b"moov",
            &[
                full(b"mvhd", &[0, 0, 0, 1000, 0]),
                boxed(b"trak", &trak.concat()),
                mvex,
            ]
            .concat(),
        )
    }
}

fn ftyp() -> Vec<u8> {
    boxed(b"ftyp", b"isom\0\0\0\0isom")
}

/// The tables of packets that lie in chunks of `chunk`, with other bytes between the chunks.
fn tables(packets: &[Vec<u8>], chunk: usize, data_at: usize) -> (Movie, Vec<u8>) {
    let mut data = Vec::new();
    let mut offsets = Vec::new();
    for packets in packets.chunks(chunk) {
        data.extend(b"video");
        offsets.push((data_at + data.len()) as u32);
        data.extend(packets.concat());
    }
    let whole = packets.len() / chunk;
    let mut stsc = vec![1, 1, chunk as u32, 1];
    if !packets.len().is_multiple_of(chunk) {
        let last = (packets.len() % chunk) as u32;
        stsc = if whole == 0 {
            vec![1, 1, last, 1]
        } else {
            vec![2, 1, chunk as u32, 1, whole as u32 + 1, last, 1]
        };
    }
    let n = packets.len() as u32;
    let movie = Movie {
        stts: [
            vec![n],
            packets.iter().flat_map(|p| [1, samples(p) as u32]).collect(),
        ]
        .concat(),
        stsz: [vec![0, n], packets.iter().map(|p| p.len() as u32).collect()].concat(),
        stsc,
        stco: [vec![offsets.len() as u32], offsets].concat(),
        ..Movie::default()
    };
    (movie, data)
}

fn plain(packets: &[Vec<u8>], chunk: usize, moov_first: bool, change: impl Fn(&mut Movie)) -> Vec<u8> {
    let build = |data_at| {
        let (mut movie, data) = tables(packets, chunk, data_at);
        change(&mut movie);
        (movie.moov(), boxed(b"mdat", &data))
    };
    if moov_first {
        let size = build(0).0.len();
        let (moov, mdat) = build(ftyp().len() + size + 8);
        [ftyp(), moov, mdat].concat()
    } else {
        let (moov, mdat) = build(ftyp().len() + 8);
        [ftyp(), mdat, moov].concat()
    }
}

/// A fragment with its data after it.
fn fragment(packets: &[Vec<u8>], time: u64, last_duration: Option<u32>) -> Vec<u8> {
    let mut entries: Vec<u32> = packets
        .iter()
        .flat_map(|p| [samples(p) as u32, p.len() as u32])
        .collect();
    if let Some(duration) = last_duration {
        let at = entries.len() - 2;
        entries[at] = duration;
    }
    let build = |data_at: u32| {
        let trun = [&[0x301, packets.len() as u32, data_at][..], &entries].concat();
        let traf = [
            full(b"tfhd", &[0x2_0000, 1]),
            full(b"tfdt", &[0x0100_0000, (time >> 32) as u32, time as u32]),
            full(b"trun", &trun),
        ];
        boxed(
            b"moof",
            &[full(b"mfhd", &[0, 1]), boxed(b"traf", &traf.concat())].concat(),
        )
    };
    let size = build(0).len() as u32;
    [build(size + 8), boxed(b"mdat", &packets.concat())].concat()
}

fn fragmented(packets: &[Vec<u8>], per_fragment: usize) -> Vec<u8> {
    let mut file = [
        ftyp(),
        Movie {
            fragmented: true,
            ..Movie::default()
        }
        .moov(),
    ]
    .concat();
    let mut time = 0;
    for packets in packets.chunks(per_fragment) {
        file.extend(fragment(packets, time, None));
        time += packets.iter().map(|p| samples(p)).sum::<u64>();
    }
    file
}

fn packets(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| vec![9 << 3, i as u8, i as u8]).collect()
}

proptest! {
    #[test]
    fn packets_survive_any_layout(
        packets in any_packets(), chunk in 1usize..20, moov_first: bool, in_fragments: bool,
    ) {
        let file = if in_fragments { fragmented(&packets, chunk) } else { plain(&packets, chunk, moov_first, |_| ()) };
        let out = demux(&file).unwrap();
        prop_assert_eq!(out.head, HEAD);
        prop_assert_eq!(&out.packets, &packets);
        prop_assert_eq!(out.ending, Default::default());
        let mut at = 0;
        for (packet, stamp) in packets.iter().zip(&out.stamps) {
            prop_assert_eq!(stamp.unwrap(), at);
            at += samples(packet) as i64;
        }
    }

    #[test]
    fn a_recording_in_fragments_that_was_cut_off_gives_what_is_whole(packets in any_packets(), cut: prop::sample::Index) {
        let whole = fragmented(&packets, 5);
        let start = fragmented(&[], 5).len();
        let cut = start + cut.index(whole.len() - start);
        let out = demux(&whole[..cut]).unwrap();
        prop_assert_eq!(&out.packets[..], &packets[..out.packets.len()]);
    }

    #[test]
    fn any_bytes_after_the_magic_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = demux(&[ftyp(), bytes.clone()].concat());
        let _ = demux(&[fragmented(&[], 1), bytes].concat());
    }

    #[test]
    fn any_change_of_a_byte_is_survived(at: prop::sample::Index, value: u8, in_fragments: bool) {
        let packets = packets(30);
        let mut file = if in_fragments { fragmented(&packets, 7) } else { plain(&packets, 7, false, |_| ()) };
        let at = at.index(file.len());
        file[at] = value;
        if at >= 8 && let Ok(out) = demux(&file) {
            prop_assert!(out.packets.len() <= 3000);
        }
    }
}

#[test]
fn the_edit_list_sets_pre_skip_and_end() {
    let with = |edit| {
        let out = demux(&plain(&packets(50), 10, true, |movie| movie.edit = Some(edit))).unwrap();
        (out.head.pre_skip, out.ending.discard)
    };
    assert_eq!(with((990, 312)), (312, 48_000 - 312 - 990 * 48));
    assert_eq!(with((990, 1000)), (1000, 0));
    assert_eq!(with((0, 0)), (312, 0));
    assert_eq!(
        with((500, 100_000)),
        (312, 0),
        "a start that no pre-skip can hold is not followed"
    );
}

#[test]
fn a_last_sample_that_is_shorter_than_its_packet_trims_it() {
    let with = |duration| {
        let mut file = fragmented(&[], 1);
        file.extend(fragment(&packets(3), 0, Some(duration)));
        demux(&file).unwrap().ending.discard
    };
    assert_eq!((with(312), with(960), with(0)), (648, 0, 0));
    assert_eq!(with(1008), 0);
    // Chromium's 21 ms on a packet of 60 ms.
    let long = vec![vec![11 << 3, 1, 1]];
    let file = [fragmented(&[], 1), fragment(&long, 0, Some(1008))].concat();
    assert_eq!(demux(&file).unwrap().ending.discard, 0);
}

#[test]
fn timestamps_are_given_in_any_timescale() {
    for timescale in [1, 1000, 16_000, 44_100, 90_000, u32::MAX] {
        let file = plain(&packets(2), 1, true, |movie| {
            movie.timescale = timescale;
            movie.stts = vec![1, 2, timescale];
        });
        assert_eq!(demux(&file).unwrap().stamps, [Some(0), Some(48_000)]);
    }
}

#[test]
fn samples_beyond_the_file_end_it_as_truncated() {
    let whole = plain(&packets(50), 10, true, |_| ());
    for cut in [1, 3, 40, 100] {
        let out = demux(&whole[..whole.len() - cut]).unwrap();
        assert!(out.ending.truncated && out.packets.len() < 50);
        assert_eq!(out.packets, packets(50)[..out.packets.len()]);
    }
}

#[test]
fn a_recording_without_its_index_is_corrupt() {
    let whole = plain(&packets(50), 10, false, |_| ());
    assert_eq!(
        demux(&whole[..whole.len() - 20]).unwrap_err().code(),
        "audio_corrupt"
    );
}

#[test]
fn a_constant_sample_size_with_billions_of_samples_ends_with_the_file() {
    let file = plain(&packets(50), 10, true, |movie| {
        movie.stsz = vec![3, u32::MAX];
        movie.stsc = vec![1, 1, u32::MAX, 1];
        movie.stts = vec![1, u32::MAX, 960];
    });
    let out = demux(&file).unwrap();
    assert!(out.ending.truncated && out.packets.len() < 70);
}

#[test]
fn chunks_that_point_at_the_same_bytes_again_and_again_are_refused() {
    // Two places, far apart in a file of 1 MB, in turns.
    let mut file = vec![0; 1 << 20];
    let n = 20_000u32;
    let movie = Movie {
        stsz: vec![20, n],
        stts: vec![1, n, 960],
        stco: [
            vec![n],
            (0..n).map(|i| if i % 2 == 0 { 1000 } else { 900_000 }).collect(),
        ]
        .concat(),
        ..Movie::default()
    };
    file = [ftyp(), boxed(b"mdat", &file), movie.moov()].concat();
    assert_eq!(demux(&file).unwrap_err().code(), "audio_corrupt");
}

#[test]
fn deep_nesting_and_endless_boxes_are_refused() {
    let mut nested = Vec::new();
    for _ in 0..20_000 {
        nested = [&(8 + nested.len() as u32).to_be_bytes()[..], b"moov", &nested].concat();
        if nested.len() > 100_000 {
            break;
        }
    }
    assert_eq!(
        demux(&[ftyp(), nested].concat()).unwrap_err().code(),
        "audio_empty"
    );

    let mut endless = fragmented(&[], 1);
    for _ in 0..50_000 {
        endless.extend(boxed(b"free", &[]));
    }
    assert_eq!(demux(&endless).unwrap_err().code(), "audio_corrupt");
}

#[test]
fn zero_sized_boxes_and_sizes_below_the_header_end_the_walk() {
    for tail in [
        &b"\0\0\0\0mdat123"[..],
        b"\0\0\0\x04free",
        b"\0\0\0\x01free\0\0\0\0\0\0\0\x02",
    ] {
        let out = demux(&[fragmented(&packets(3), 3), tail.to_vec()].concat()).unwrap();
        assert_eq!(out.packets, packets(3));
    }
}
