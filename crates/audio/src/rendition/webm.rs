//! WebM (RFC 9559) that can be sought in: sizes, duration and cues are known before the first byte is written.

use std::io::Write;

use super::plan::{Plan, Planned, each_packet};
use crate::{Error, Input};

/// Clusters are begun after so much sound, in samples at 48 kHz (5 s); each has a cue.
const CLUSTER_SAMPLES: u64 = 5 * 48_000;
/// What a decoder is given before the place that is to be heard (Opus in Matroska: 80 ms).
const SEEK_PRE_ROLL_NS: u32 = 80_000_000;
const TRACK: u8 = 1;
/// A block's track number, time and flags.
const BLOCK_HEADER: u64 = 4;
const KEY_FRAME: u8 = 0x80;

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CUES: u32 = 0x1C53_BB6B;
const CLUSTER: u32 = 0x1F43_B675;

/// Writes the whole file.
pub(super) fn write(
    plan: &Plan,
    input: &mut dyn Input,
    output: &mut dyn Write,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let clusters = clusters(plan);
    if ticks(plan.total) > u32::MAX.into() {
        return Err(Error::OutputTooLarge {
            max_bytes: u32::MAX.into(),
        });
    }
    output.write_all(&header(plan, &clusters))?;
    let (mut index, mut at, mut start) = (0, 0_u64, 0);
    let mut to_open = clusters.iter().peekable();
    each_packet(input, cancelled, |data| {
        let mut begin = Vec::new();
        if let Some(cluster) = to_open.next_if(|cluster| cluster.first == index) {
            open_element(&mut begin, CLUSTER, cluster.payload);
            element(&mut begin, 0xE7, &(ticks(cluster.start) as u32).to_be_bytes());
            start = cluster.start;
        }
        // A cluster begins at most 5 s before its packets: the time fits.
        let relative = (ticks(at) - ticks(start)) as i16;
        let last = index + 1 == plan.packets.len();
        block_header(
            &mut begin,
            data.len() as u64,
            relative,
            last.then_some(plan.discard),
        );
        output.write_all(&begin)?;
        output.write_all(data)?;
        if last && plan.discard > 0 {
            output.write_all(&discard_padding(plan.discard))?;
        }
        at += u64::from(plan.packets[index].samples);
        index += 1;
        Ok(())
    })?;
    Ok(())
}

/// A cluster to come.
struct Cluster {
    /// Index of its first packet.
    first: usize,
    /// In samples at 48 kHz.
    start: u64,
    payload: u64,
}

impl Cluster {
    fn size(&self) -> u64 {
        4 + 8 + self.payload
    }
}

fn clusters(plan: &Plan) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut at = 0;
    for (index, packet) in plan.packets.iter().enumerate() {
        if clusters
            .last()
            .is_none_or(|cluster| at - cluster.start >= CLUSTER_SAMPLES)
        {
            clusters.push(Cluster {
                first: index,
                start: at,
                // Its timestamp.
                payload: 1 + 1 + 4,
            });
        }
        let last = index + 1 == plan.packets.len();
        if let Some(cluster) = clusters.last_mut() {
            cluster.payload += block_size(*packet, last.then_some(plan.discard));
        }
        at += u64::from(packet.samples);
    }
    clusters
}

/// Everything before the first cluster.
fn header(plan: &Plan, clusters: &[Cluster]) -> Vec<u8> {
    let (info, tracks) = (info(plan), tracks(plan));
    // Seek head and cues have the same length whatever numbers are in them.
    let seek_head_length = seek_head(0, 0, 0).len() as u64;
    let cues_length = cues(clusters, 0).len() as u64;
    let info_at = seek_head_length;
    let tracks_at = info_at + info.len() as u64;
    let cues_at = tracks_at + tracks.len() as u64;
    let first_at = cues_at + cues_length;

    let mut out = Vec::new();
    let mut ebml = Vec::new();
    for (id, value) in [(0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8)] {
        element(&mut ebml, id, &[value]);
    }
    element(&mut ebml, 0x4282, b"webm");
    element(&mut ebml, 0x4287, &[4]);
    element(&mut ebml, 0x4285, &[2]);
    element(&mut out, EBML, &ebml);
    open_element(
        &mut out,
        SEGMENT,
        first_at + clusters.iter().map(Cluster::size).sum::<u64>(),
    );
    out.extend(seek_head(info_at, tracks_at, cues_at));
    out.extend(info);
    out.extend(tracks);
    out.extend(cues(clusters, first_at));
    out
}

fn seek_head(info_at: u64, tracks_at: u64, cues_at: u64) -> Vec<u8> {
    let mut seeks = Vec::new();
    for (id, at) in [(INFO, info_at), (TRACKS, tracks_at), (CUES, cues_at)] {
        let mut seek = Vec::new();
        element(&mut seek, 0x53AB, &id.to_be_bytes());
        element(&mut seek, 0x53AC, &at.to_be_bytes());
        element(&mut seeks, 0x4DBB, &seek);
    }
    whole(SEEK_HEAD, &seeks)
}

fn info(plan: &Plan) -> Vec<u8> {
    let mut info = Vec::new();
    element(&mut info, 0x2A_D7B1, &1_000_000_u32.to_be_bytes());
    let duration_ms = plan.play() as f64 / 48.0;
    element(&mut info, 0x4489, &duration_ms.to_be_bytes());
    element(&mut info, 0x4D80, b"Voxpost");
    element(&mut info, 0x5741, b"Voxpost");
    whole(INFO, &info)
}

fn tracks(plan: &Plan) -> Vec<u8> {
    let mut audio = Vec::new();
    element(&mut audio, 0xB5, &48_000_f64.to_be_bytes());
    element(&mut audio, 0x9F, &[plan.head.channels]);

    let mut track = Vec::new();
    element(&mut track, 0xD7, &[TRACK]);
    element(&mut track, 0x73C5, &[1]);
    element(&mut track, 0x83, &[2]);
    element(&mut track, 0x9C, &[0]);
    element(&mut track, 0x22_B59C, b"und");
    element(&mut track, 0x86, b"A_OPUS");
    let delay = nanoseconds(plan.head.pre_skip.into()) as u32;
    element(&mut track, 0x56AA, &delay.to_be_bytes());
    element(&mut track, 0x56BB, &SEEK_PRE_ROLL_NS.to_be_bytes());
    element(&mut track, 0x63A2, &plan.head.to_bytes());
    element(&mut track, 0xE1, &audio);
    whole(TRACKS, &whole(0xAE, &track))
}

fn cues(clusters: &[Cluster], first_at: u64) -> Vec<u8> {
    let mut points = Vec::new();
    let mut at = first_at;
    for cluster in clusters {
        let mut place = Vec::new();
        element(&mut place, 0xF7, &[TRACK]);
        element(&mut place, 0xF1, &at.to_be_bytes());
        let mut point = Vec::new();
        element(&mut point, 0xB3, &(ticks(cluster.start) as u32).to_be_bytes());
        element(&mut point, 0xB7, &place);
        element(&mut points, 0xBB, &point);
        at += cluster.size();
    }
    whole(CUES, &points)
}

/// What stands before a block's data: a simple block, or a group where something is trimmed from the end.
fn block_header(out: &mut Vec<u8>, data: u64, relative: i16, discard: Option<u64>) {
    let block = BLOCK_HEADER + data;
    match discard.filter(|samples| *samples > 0) {
        None => {
            out.push(0xA3);
            size(out, block);
        }
        Some(samples) => {
            out.push(0xA0);
            size(
                out,
                1 + size_length(block) + block + discard_padding(samples).len() as u64,
            );
            out.push(0xA1);
            size(out, block);
        }
    }
    out.push(0x80 | TRACK);
    out.extend(relative.to_be_bytes());
    out.push(if discard.is_some_and(|samples| samples > 0) {
        0
    } else {
        KEY_FRAME
    });
}

fn block_size(packet: Planned, discard: Option<u64>) -> u64 {
    let mut header = Vec::new();
    block_header(&mut header, packet.bytes.into(), 0, discard);
    let padding = discard
        .filter(|samples| *samples > 0)
        .map_or(0, |samples| discard_padding(samples).len());
    (header.len() + padding) as u64 + u64::from(packet.bytes)
}

fn discard_padding(samples: u64) -> Vec<u8> {
    whole(0x75A2, &nanoseconds(samples).to_be_bytes())
}

/// An element with a size of 8 bytes.
fn open_element(out: &mut Vec<u8>, id: u32, payload: u64) {
    out.extend(id.to_be_bytes());
    out.extend((payload | 1 << 56).to_be_bytes());
}

fn whole(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, id, payload);
    out
}

fn element(out: &mut Vec<u8>, id: u32, payload: &[u8]) {
    let bytes = id.to_be_bytes();
    out.extend(&bytes[id.leading_zeros() as usize / 8..]);
    size(out, payload.len() as u64);
    out.extend(payload);
}

fn size(out: &mut Vec<u8>, payload: u64) {
    let length = size_length(payload);
    let marked = payload | 1 << (7 * length);
    out.extend(&marked.to_be_bytes()[8 - length as usize..]);
}

/// Bytes of the shortest size; all ones means unknown.
fn size_length(payload: u64) -> u64 {
    (1..8).find(|n| payload < (1 << (7 * n)) - 1).unwrap_or(8)
}

/// Samples at 48 kHz in the ticks of the file: milliseconds, rounded.
fn ticks(samples: u64) -> u64 {
    (samples + 24) / 48
}

/// Samples at 48 kHz in nanoseconds, rounded.
fn nanoseconds(samples: u64) -> u64 {
    (samples * 62_500 + 1) / 3
}
