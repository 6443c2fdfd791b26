//! Opus packets out of WebM, as files and as browsers record it: sizes may be unknown, there need be no duration and
//! no index.
//!
//! Segment and Cluster are entered without a thought for their ends: the ids of what is inside are distinct from the
//! ids of what follows, so that unknown sizes, several segments in a row and files that were cut off need no special
//! care, and nothing nests.

use std::ops::Range;

use super::block::{self, Block};
use super::ebml::{self, Header};
use super::header::{SoundTrack, sound_track};
use crate::container::source::Source;
use crate::container::{Demux, Ending, Event, Packets, Track};
use crate::opus::head::{Identification, Mapping};
use crate::opus::packet;
use crate::{Error, OpusHead};

const EBML: u32 = 0x1A45_DFA3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const DISCARD_PADDING: u32 = 0x75A2;
const VOID: u32 = 0xEC;
const POSITION: u32 = 0xA7;
const PREV_SIZE: u32 = 0xAB;
const CRC_32: u32 = 0xBF;
const SEEK_HEAD: u32 = 0x114D_9B74;
const CUES: u32 = 0x1C53_BB6B;
const CHAPTERS: u32 = 0x1043_A770;
const ATTACHMENTS: u32 = 0x1941_A469;
const TAGS: u32 = 0x1254_C367;
/// What may stand in a segment or a cluster: used to tell an element from bytes that look like one.
const KNOWN: [u32; 17] = [
    SIMPLE_BLOCK,
    BLOCK_GROUP,
    CLUSTER,
    TIMESTAMP,
    VOID,
    POSITION,
    PREV_SIZE,
    CRC_32,
    SEEK_HEAD,
    CUES,
    CHAPTERS,
    ATTACHMENTS,
    TAGS,
    EBML,
    SEGMENT,
    INFO,
    TRACKS,
];

/// Largest header element (Info, Tracks) that is read.
const MAX_HEADER_ELEMENT: u64 = 128 * 1024;
/// Elements in a row without sound.
const MAX_IDLE_ELEMENTS: u32 = 200_000;
/// Children of an index or of tags that are looked at.
const MAX_CHILDREN: u32 = 200_000;
/// Longest packet in nanoseconds, and some jitter: how much later than a block the next one begins.
const NEXT_BLOCK_NS: u64 = 140_000_000;
/// Nanoseconds per tick when the file does not say.
const MILLISECOND: u64 = 1_000_000;

/// Reads the first Opus track of a WebM file.
pub(crate) struct WebmDemux<'a> {
    source: Source<'a>,
    head: OpusHead,
    mapping: Option<Mapping>,
    track: u64,
    /// Nanoseconds per tick.
    scale: u64,
    /// The cluster's timestamp in ticks.
    cluster: u64,
    /// The current block, its frames that are still to be given, and its time.
    block: Vec<u8>,
    frames: Vec<Range<usize>>,
    next_frame: usize,
    at: i64,
    idle: u32,
    ending: Ending,
}

impl<'a> WebmDemux<'a> {
    /// Reads up to the Tracks element and finds the first Opus track, or says what is there instead.
    pub(crate) fn open(source: Source<'a>) -> Result<Track<'a>, Error> {
        let mut demux = WebmDemux {
            source,
            head: OpusHead::new(1, 0),
            mapping: None,
            track: 0,
            scale: MILLISECOND,
            cluster: 0,
            block: Vec::new(),
            frames: Vec::new(),
            next_frame: 0,
            at: 0,
            idle: 0,
            ending: Ending::default(),
        };
        loop {
            let Some(header) = demux.element()? else {
                return Err(Error::corrupt("the WebM header is damaged or cut off"));
            };
            match header.id {
                EBML => demux.check_doc_type(header)?,
                SEGMENT => demux.enter(header)?,
                INFO => demux.read_info(header)?,
                TRACKS => match sound_track(demux.payload(header)?)? {
                    SoundTrack::Opus {
                        number,
                        found: Identification { head, mapping },
                    } => {
                        (demux.track, demux.head, demux.mapping) = (number, head, mapping);
                        return Ok(Track::opus(mapping, demux));
                    }
                    SoundTrack::Other(codec) => return Ok(Track::Other(codec)),
                },
                CLUSTER => return Err(Error::corrupt("a WebM file without a track header")),
                _ => demux.step_over(header)?,
            }
        }
    }

    /// The header of the next element; `None` at the end, or where no element begins.
    fn element(&mut self) -> Result<Option<Header>, Error> {
        self.idle += 1;
        if self.idle > MAX_IDLE_ELEMENTS {
            return Err(Error::corrupt("a WebM file with hardly any blocks"));
        }
        Ok(ebml::header(self.source.peek(ebml::MAX_HEADER)?))
    }

    /// Goes into an element. If it claims more than there is, the file was cut off.
    fn enter(&mut self, header: Header) -> Result<(), Error> {
        self.source.skip(header.length as u64)?;
        self.ending.truncated |= header.size.is_some_and(|size| size > self.source.left());
        Ok(())
    }

    /// Goes past an element. When it cannot be one, for its size or for what is in it or follows, it is damage.
    fn step_over(&mut self, header: Header) -> Result<(), Error> {
        self.source.skip(header.length as u64)?;
        let begin = self.source.position();
        let fits = header.size.filter(|&size| size <= self.source.left());
        let is_element = match (header.id, fits) {
            (_, None) => None,
            // Of another track: what is in it is not known.
            (SIMPLE_BLOCK | BLOCK_GROUP, Some(size)) => Some(size),
            (TIMESTAMP | POSITION | PREV_SIZE | CRC_32, Some(size)) => (size <= 8).then_some(size),
            // A damaged size may end where another element begins, and swallow what is between.
            (VOID, Some(size)) => (!self.holds_sound(size)?).then_some(size),
            (id, Some(size)) if KNOWN.contains(&id) => self.is_tiled(size)?.then_some(size),
            (_, Some(size @ 0..=MAX_HEADER_ELEMENT)) => {
                let after = self
                    .source
                    .peek(size as usize + 4)?
                    .get(size as usize..)
                    .unwrap_or(&[]);
                (after.is_empty() || begins_known(after)).then_some(size)
            }
            _ => None,
        };
        self.source.seek(begin)?;
        match is_element {
            Some(size) => self.source.skip(size),
            None => {
                self.ending.truncated = true;
                self.resync()
            }
        }
    }

    /// Whether a payload is children and nothing else, and none of them a thing of segments and clusters. Moves on.
    fn is_tiled(&mut self, size: u64) -> Result<bool, Error> {
        let end = self.source.position() + size;
        for _ in 0..MAX_CHILDREN {
            let left = end - self.source.position();
            if left == 0 {
                return Ok(true);
            }
            let Some(child) = ebml::header(self.source.peek(ebml::MAX_HEADER)?) else {
                return Ok(false);
            };
            let whole = child
                .size
                .map(|size| size.saturating_add(child.length as u64))
                .filter(|&whole| whole <= left);
            let is_child = matches!(child.id, VOID | CRC_32) || !KNOWN.contains(&child.id);
            match whole {
                Some(whole) if is_child => self.source.skip(whole)?,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Whether a cluster or a block of our track begins within the next `size` bytes. Moves on.
    fn holds_sound(&mut self, size: u64) -> Result<bool, Error> {
        const STEP: usize = 64 * 1024;
        const WINDOW: usize = 4 * 1024;
        let (track, multistream) = (self.track, self.mapping.is_some());
        let end = self.source.position() + size;
        while self.source.position() < end {
            let left = (end - self.source.position()) as usize;
            // What follows a block is a part of what makes it one, also where that is outside.
            let view = self.source.peek(left.min(STEP) + WINDOW)?;
            let found = (0..view.len().min(left).min(STEP))
                .any(|i| is_cluster(&view[i..]) || is_block(&view[i..], track, multistream));
            if found || view.is_empty() {
                return Ok(found);
            }
            self.source.skip(left.min(STEP) as u64)?;
        }
        Ok(false)
    }

    /// The whole payload of a small element.
    fn payload(&mut self, header: Header) -> Result<&[u8], Error> {
        self.source.skip(header.length as u64)?;
        match header.size {
            Some(size @ 0..=MAX_HEADER_ELEMENT) => self
                .source
                .take(size as usize)?
                .ok_or_else(|| Error::corrupt("the WebM header is cut off")),
            _ => Err(Error::corrupt("a WebM header of unknown or absurd size")),
        }
    }

    fn check_doc_type(&mut self, header: Header) -> Result<(), Error> {
        let mut known = false;
        ebml::children(self.payload(header)?, |id, body| {
            known |= id == DOC_TYPE && (body.starts_with(b"webm") || body.starts_with(b"matroska"));
        });
        if known { Ok(()) } else { Err(Error::Unrecognised) }
    }

    fn read_info(&mut self, header: Header) -> Result<(), Error> {
        let mut scale = MILLISECOND;
        ebml::children(self.payload(header)?, |id, body| {
            if id == TIMESTAMP_SCALE {
                scale = ebml::uint(body)
                    .unwrap_or(MILLISECOND)
                    .clamp(1, 1_000 * MILLISECOND);
            }
        });
        self.scale = scale;
        Ok(())
    }

    /// Reads elements up to the next block of our track. False at the end of the file.
    fn load_block(&mut self) -> Result<bool, Error> {
        loop {
            let Some(header) = self.element()? else {
                if self.source.left() == 0 {
                    return Ok(false);
                }
                self.ending.truncated = true;
                self.source.skip(1)?;
                self.resync()?;
                continue;
            };
            match header.id {
                SEGMENT => self.enter(header)?,
                CLUSTER => {
                    self.enter(header)?;
                    self.cluster = 0;
                }
                TIMESTAMP if header.size.is_some_and(|size| size <= 8) => match self.payload(header) {
                    Ok(payload) => self.cluster = ebml::uint(payload).unwrap_or(0),
                    Err(Error::Corrupt { .. }) => self.ending.truncated = true,
                    Err(e) => return Err(e),
                },
                SIMPLE_BLOCK | BLOCK_GROUP if header.size.is_some_and(|size| size <= MAX_HEADER_ELEMENT) => {
                    if self.read_block(header)? {
                        return Ok(true);
                    }
                }
                TRACKS => self.read_tracks_again(header)?,
                _ => self.step_over(header)?,
            }
        }
    }

    /// Another recording was appended: its sound may have another track number.
    fn read_tracks_again(&mut self, header: Header) -> Result<(), Error> {
        match self.payload(header).and_then(sound_track) {
            Ok(SoundTrack::Opus { number, found }) if found.mapping == self.mapping => self.track = number,
            Ok(_) | Err(Error::Corrupt { .. } | Error::Unsupported { .. } | Error::Empty) => {
                self.ending.truncated = true;
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Takes in a block. False when it is of another track, or cannot be read.
    fn read_block(&mut self, header: Header) -> Result<bool, Error> {
        let size = header.size.unwrap_or(0) as usize;
        let head = self
            .source
            .peek(header.length + block::MAX_HEAD)?
            .get(header.length..)
            .unwrap_or(&[]);
        let other =
            header.id == SIMPLE_BLOCK && Block::parse(head).is_some_and(|block| block.track != self.track);
        if other {
            self.step_over(header)?;
            return Ok(false);
        }
        self.source.skip(header.length as u64)?;
        let view = self.source.peek(size + 4)?;
        let (payload, after) = view.split_at(size.min(view.len()));
        if payload.len() < size || !(after.is_empty() || begins_known(after)) {
            // Either what follows is damaged, or this block's own size: then the next block lies within.
            let (track, multistream) = (self.track, self.mapping.is_some());
            let within = (0..payload.len())
                .find(|&i| is_cluster(&payload[i..]) || is_block(&payload[i..], track, multistream));
            if let Some(n) = within.or((payload.len() < size).then_some(payload.len())) {
                self.ending.truncated = true;
                self.source.skip(n as u64)?;
                return Ok(false);
            }
        }
        let mut size = size;
        if let Some(payload) = self.source.peek(size)?.get(..size)
            && let Some(own) = swallowed(header.id, payload, self.track, self.mapping.is_some(), self.scale)
        {
            // Its size ends where a later element begins: what is its own comes first.
            self.ending.truncated = true;
            size = own;
        }
        let Some(payload) = self.source.take(size)? else {
            return Ok(false);
        };
        let mut discard_ns = 0;
        let mut body = payload;
        if header.id == BLOCK_GROUP {
            body = &[];
            ebml::children(payload, |id, child| match id {
                BLOCK => body = child,
                DISCARD_PADDING => discard_ns = ebml::int(child).unwrap_or(0),
                _ => {}
            });
        }
        self.frames.clear();
        self.next_frame = 0;
        let Some(block) = Block::parse(body) else {
            self.ending.truncated = true;
            return Ok(false);
        };
        if block.track != self.track {
            return Ok(false);
        }
        if block.frames(body, &mut self.frames).is_none() {
            self.frames.clear();
            self.ending.truncated = true;
            return Ok(false);
        }
        self.block.clear();
        self.block.extend_from_slice(body);
        self.at = samples_48k(self.cluster, block.ticks, self.scale);
        self.ending.discard = u64::try_from(discard_ns)
            .unwrap_or(0)
            .saturating_mul(48)
            .saturating_add(500_000)
            / 1_000_000;
        self.idle = 0;
        Ok(true)
    }

    /// Finds the next cluster, or the next thing that is surely a block of our track.
    fn resync(&mut self) -> Result<(), Error> {
        let (track, multistream) = (self.track, self.mapping.is_some());
        let first = [CLUSTER.to_be_bytes()[0], SIMPLE_BLOCK as u8];
        self.source.find(&first, 4096, |bytes| {
            bytes.starts_with(&CLUSTER.to_be_bytes()) || is_block(bytes, track, multistream)
        })?;
        Ok(())
    }
}

impl Demux for WebmDemux<'_> {
    fn head(&self) -> OpusHead {
        self.head
    }
}

impl Packets for WebmDemux<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        if self.next_frame == self.frames.len() && !self.load_block()? {
            return Ok(None);
        }
        let at = (self.next_frame == 0).then_some(self.at);
        let range = self.frames[self.next_frame].clone();
        self.next_frame += 1;
        Ok(Some(Event::Packet {
            data: &self.block[range],
            at,
        }))
    }

    fn ending(&self) -> Ending {
        self.ending
    }
}

fn is_cluster(bytes: &[u8]) -> bool {
    bytes.starts_with(&CLUSTER.to_be_bytes())
}

/// Whether the id of an element that may stand here begins here, as far as it can be seen.
fn begins_known(bytes: &[u8]) -> bool {
    KNOWN.iter().any(|id| {
        let id = &id.to_be_bytes()[id.leading_zeros() as usize / 8..];
        bytes.starts_with(id) || id.starts_with(bytes)
    })
}

/// Whether a SimpleBlock of this track with one valid Opus packet begins here, and another known element after it.
fn is_block(bytes: &[u8], track: u64, multistream: bool) -> bool {
    let Some(header) = ebml::header(bytes) else {
        return false;
    };
    let rest = &bytes[header.length..];
    let Some((payload, after)) = header
        .size
        .and_then(|n| rest.split_at_checked(usize::try_from(n).ok()?))
    else {
        return false;
    };
    header.id == SIMPLE_BLOCK
        && Block::parse(payload)
            .is_some_and(|b| b.track == track && packet::check_as(multistream, &payload[b.start..]).is_ok())
        && !after.is_empty()
        && begins_known(after)
}

/// Where a block's own payload ends, when blocks of the same track that follow it are inside: damage to its size.
///
/// A packet that looks like this by chance would have to end in a block of the right track, of exactly the right size, with
/// a valid packet, at a time within the next 140 ms: about one in 10⁸ packets.
fn swallowed(id: u32, payload: &[u8], track: u64, multistream: bool, scale: u64) -> Option<usize> {
    if id == BLOCK_GROUP {
        let mut at = 0;
        while let Some(child) = ebml::header(&payload[at..]) {
            if matches!(child.id, SIMPLE_BLOCK | BLOCK_GROUP | CLUSTER) {
                return Some(at);
            }
            at = usize::try_from(child.size?)
                .ok()
                .and_then(|size| size.checked_add(at + child.length))
                .filter(|&end| end <= payload.len())?;
        }
        return None;
    }
    let own = Block::parse(payload)?;
    (own.start + 1..payload.len()).find(|&begin| {
        let mut rest = &payload[begin..];
        let mut before = own.ticks;
        loop {
            let block = ebml::header(rest).filter(|header| header.id == SIMPLE_BLOCK);
            let found = block.and_then(|header| {
                let (body, after) =
                    rest[header.length..].split_at_checked(usize::try_from(header.size?).ok()?)?;
                let block = Block::parse(body).filter(|block| block.track == track)?;
                let later = u64::try_from(i64::from(block.ticks) - i64::from(before)).ok()?;
                let is_next = later > 0 && later.saturating_mul(scale) <= NEXT_BLOCK_NS;
                let is_packet = packet::check_as(multistream, &body[block.start..]).is_ok();
                (is_next && is_packet).then_some((block.ticks, after))
            });
            match found {
                Some((_, after)) if after.is_empty() || is_cluster(after) => return true,
                Some((ticks, after)) => (before, rest) = (ticks, after),
                None => return false,
            }
        }
    })
}

/// A block's time in samples at 48 kHz.
fn samples_48k(cluster: u64, ticks: i16, scale: u64) -> i64 {
    let ticks = cluster.min(1 << 40) as i64 + i64::from(ticks);
    if scale == MILLISECOND {
        return ticks * 48;
    }
    (i128::from(ticks) * i128::from(scale) * 48 / 1_000_000) as i64
}
