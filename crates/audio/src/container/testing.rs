//! What the demuxers' tests share: arbitrary valid packets, and a demuxer's events in memory.

use proptest::prelude::*;
use std::io::Cursor;

use super::{Ending, Event, Track};
use crate::opus::packet::{self, MAX_SAMPLES_48K, frame_samples_48k};
use crate::sniff::open;
use crate::{Error, OpusHead};

/// A valid packet: any configuration, any of the four ways to pack frames.
pub(crate) fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), 1u8..=48, 0usize..300, any::<bool>(), any::<u8>()).prop_map(
        |(toc, count, size, vbr, fill)| {
            let mut packet = vec![toc];
            match toc & 3 {
                0 => packet.resize(1 + size, fill),
                1 => packet.resize(1 + 2 * size, fill),
                2 if size < 252 => {
                    packet.push(size as u8);
                    packet.resize(2 + 2 * size + 5, fill);
                }
                2 => {
                    packet.extend([252, 0]);
                    packet.resize(3 + 252 + size, fill);
                }
                _ => {
                    let count = count.min((MAX_SAMPLES_48K / frame_samples_48k(toc)) as u8);
                    let size = size % 30;
                    packet.push(count | if vbr { 0x80 } else { 0 });
                    if vbr {
                        packet.extend(std::iter::repeat_n(size as u8, usize::from(count) - 1));
                    }
                    packet.resize(packet.len() + size * usize::from(count), fill);
                }
            }
            packet::check(&packet).unwrap();
            packet
        },
    )
}

pub(crate) fn any_packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(any_packet(), 1..80)
}

/// Play time at 48 kHz.
pub(crate) fn samples(packet: &[u8]) -> u64 {
    packet::check(packet).unwrap().samples_48k.into()
}

pub(crate) fn total<'p>(packets: impl IntoIterator<Item = &'p Vec<u8>>) -> u64 {
    packets.into_iter().map(|packet| samples(packet)).sum()
}

/// All that a demuxer says about a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Demuxed {
    pub(crate) head: OpusHead,
    pub(crate) packets: Vec<Vec<u8>>,
    /// (after how many packets, samples, lost).
    pub(crate) gaps: Vec<(usize, u64, bool)>,
    /// Timestamps of the packets that have one.
    pub(crate) stamps: Vec<Option<i64>>,
    pub(crate) ending: Ending,
}

impl Demuxed {
    /// Play time of packets and gaps.
    pub(crate) fn time(&self) -> u64 {
        total(&self.packets) + self.gaps.iter().map(|gap| gap.1).sum::<u64>()
    }
}

/// Demuxes a file that must be Opus.
pub(crate) fn demux(bytes: &[u8]) -> Result<Demuxed, Error> {
    let mut input = Cursor::new(bytes);
    let (_, track) = open(&mut input)?;
    let Track::Opus(mut demux) = track else {
        return Err(Error::unsupported("not Opus"));
    };
    let (mut packets, mut gaps, mut stamps) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(event) = demux.next()? {
        match event {
            Event::Packet { data, at } => {
                packets.push(data.to_vec());
                stamps.push(at);
            }
            Event::Gap { samples, lost } => gaps.push((packets.len(), samples, lost)),
        }
    }
    Ok(Demuxed {
        head: demux.head(),
        packets,
        gaps,
        stamps,
        ending: demux.ending(),
    })
}
