//! Opus packets out of Ogg: one logical stream, also when it was chained from several or has lost pages.

use std::ops::Range;

use super::page::{PageHeader, PageReader};
use crate::container::source::Source;
use crate::container::{Demux, Ending, Event, Packets, Track};
use crate::opus::head::{Identification, Mapping};
use crate::opus::packet;
use crate::{Codec, Error, OpusHead};

/// A granule position may jump by this much without a lost page: discontinuous transmission. What jumps further is
/// a mistake and is closed up.
const MAX_PAUSE: u64 = 2 * 48_000;
/// The most sound that is believed lost in one place.
const MAX_LOSS: u64 = 60 * 48_000;
/// Pages in a row on which no packet ends.
const MAX_IDLE_PAGES: u32 = 100_000;

/// Reads the first Opus stream of an Ogg file.
pub(crate) struct OggDemux<'a> {
    pages: PageReader<'a>,
    head: OpusHead,
    mapping: Option<Mapping>,
    link: Link,
    page: QueuedPage,
    /// The packet that the current page ended but did not begin.
    joined: Vec<u8>,
    /// The packet that the current page began but did not end.
    partial: Vec<u8>,
    /// Pages since the last one on which a packet ended.
    idle: u32,
    ending: Ending,
}

/// One link of the chain: a logical stream from its first page to its last.
struct Link {
    serial: u32,
    sequence: u32,
    /// The comment packet is behind us.
    has_tags: bool,
    /// A page with audio, or the last page, was seen: a first page now begins the next link.
    has_audio: bool,
    /// Granule position so far; `None` until the first page with audio tells where the stream starts.
    position: Option<u64>,
    /// Something before this place was lost.
    hole: bool,
    last_seen: bool,
}

/// What is left to give of the current page.
#[derive(Default)]
struct QueuedPage {
    body: Vec<u8>,
    packets: Vec<Range<usize>>,
    next: usize,
    /// Whether the first packet is `joined` rather than its range.
    first_is_joined: bool,
    /// A gap, and the packet that it comes before.
    gap: Option<(usize, Event<'static>)>,
}

impl<'a> OggDemux<'a> {
    /// Finds the first Opus stream, or says what is there instead.
    pub(crate) fn open(source: Source<'a>) -> Result<Track<'a>, Error> {
        let mut pages = PageReader::new(source);
        let mut other = None;
        while let Some(page) = pages.next()? {
            if !page.header.first {
                break;
            }
            let packet = first_packet(page.lacing, page.body);
            if packet.starts_with(b"OpusHead") {
                let Identification { head, mapping } = Identification::parse(packet)?;
                let link = Link::new(page.header);
                let demux = OggDemux {
                    pages,
                    head,
                    mapping,
                    link,
                    page: QueuedPage::default(),
                    joined: Vec::new(),
                    partial: Vec::new(),
                    idle: 0,
                    ending: Ending::default(),
                };
                return Ok(Track::opus(mapping, demux));
            }
            other = other.or_else(|| codec(packet));
        }
        other
            .map(Track::Other)
            .ok_or_else(|| Error::corrupt("no sound begins in this Ogg file"))
    }

    /// Takes in the next page. False at the end of the file.
    fn load_page(&mut self) -> Result<bool, Error> {
        let page = loop {
            self.idle += 1;
            if self.idle > MAX_IDLE_PAGES {
                return Err(Error::corrupt("an Ogg file with hardly any packets"));
            }
            let Some(page) = self.pages.next()? else {
                return Ok(false);
            };
            if page.header.first {
                if !self.link.has_audio {
                    continue; // Multiplexed with ours: not heard.
                }
                match Identification::parse(first_packet(page.lacing, page.body)) {
                    // A link that takes other decoders is another recording.
                    Ok(next) if next.mapping == self.mapping => {
                        self.ending.truncated |= !self.link.last_seen || self.link.hole;
                        self.link = Link::new(page.header);
                        self.partial.clear();
                    }
                    _ => self.ending.truncated |= self.link.last_seen,
                }
                continue;
            }
            if page.header.serial == self.link.serial && page.header.sequence != self.link.sequence {
                break page;
            }
        };
        let header = page.header;
        let link = &mut self.link;
        link.hole |= header.sequence != link.sequence.wrapping_add(1);
        link.sequence = header.sequence;
        link.last_seen = header.last;

        let queue = &mut self.page;
        queue.body.clear();
        queue.body.extend_from_slice(page.body);
        queue.packets.clear();
        queue.next = 0;
        queue.gap = None;
        let tail = split(page.lacing, &mut queue.packets);
        self.assemble(header.continued, tail);
        self.place(header);
        Ok(true)
    }

    /// Joins what runs over the page's edges, and drops what has lost its beginning or its end.
    fn assemble(&mut self, continued: bool, tail: Option<Range<usize>>) {
        let (queue, link) = (&mut self.page, &mut self.link);
        let mut tail = tail;
        queue.first_is_joined = false;
        let have_start = !self.partial.is_empty() && !link.hole;
        if continued && have_start {
            match queue.packets.first() {
                Some(range) => {
                    extend(&mut self.partial, &queue.body[range.clone()]);
                    std::mem::swap(&mut self.joined, &mut self.partial);
                    queue.first_is_joined = true;
                    self.partial.clear();
                }
                // The whole page lies within one packet.
                None => {
                    if let Some(range) = tail.take() {
                        extend(&mut self.partial, &queue.body[range]);
                    }
                }
            }
        } else {
            link.hole |= !self.partial.is_empty() || continued;
            self.partial.clear();
            if continued {
                if queue.packets.is_empty() {
                    tail = None;
                } else {
                    queue.packets.remove(0);
                }
            }
        }
        if let Some(range) = tail {
            extend(&mut self.partial, &queue.body[range]);
        }
    }

    /// Puts the page's packets on the time line: the granule position says where the last one ends.
    fn place(&mut self, header: PageHeader) {
        let mut first = 0;
        if !self.link.has_tags && !self.page.packets.is_empty() {
            self.link.has_tags = true;
            if self.packet(0).starts_with(b"OpusTags") {
                first = 1;
                self.page.next = 1;
                self.link.hole = false;
            }
        }
        let ended = self.page.packets.len() - first;
        if ended > 0 {
            self.idle = 0;
        }
        let mut sum = 0;
        let mut bad = None;
        for i in first..self.page.packets.len() {
            match packet::check_as(self.mapping.is_some(), self.packet(i)) {
                Ok(info) => sum += u64::from(info.samples_48k),
                Err(_) => bad = bad.or(Some(i)),
            }
        }
        let link = &mut self.link;
        link.has_audio |= ended > 0 || header.last;
        let Some(granule) = header.granule.filter(|_| ended > 0 || header.last) else {
            link.position = link.position.map(|p| p + sum);
            return;
        };
        let start = match link.position {
            Some(position) => position,
            None if link.hole || bad.is_some() => 0,
            None => granule.saturating_sub(sum),
        };
        let end = start.saturating_add(sum);
        if granule > end {
            let lost = link.hole || bad.is_some();
            let samples = granule - end;
            if samples <= if lost { MAX_LOSS } else { MAX_PAUSE } {
                self.page.gap = Some((bad.unwrap_or(first), Event::Gap { samples, lost }));
            }
        }
        self.ending.truncated |= link.hole;
        self.ending.discard = if header.last {
            end.saturating_sub(granule)
        } else {
            0
        };
        link.hole = false;
        link.position = Some(granule);
    }

    fn packet(&self, i: usize) -> &[u8] {
        if i == 0 && self.page.first_is_joined {
            &self.joined
        } else {
            &self.page.body[self.page.packets[i].clone()]
        }
    }

    /// The file is over. A broken last page may still tell how much sound was on it.
    fn tail(&mut self) -> Option<Event<'static>> {
        let link = &mut self.link;
        self.ending.truncated |= !link.last_seen || !self.partial.is_empty();
        let damaged = self
            .pages
            .damaged
            .take()
            .filter(|page| !link.last_seen && page.serial == link.serial)?;
        let samples = damaged.granule?.checked_sub(link.position?)?;
        (1..=MAX_PAUSE)
            .contains(&samples)
            .then_some(Event::Gap { samples, lost: true })
    }
}

impl Demux for OggDemux<'_> {
    fn head(&self) -> OpusHead {
        self.head
    }
}

impl Packets for OggDemux<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        loop {
            let queue = &mut self.page;
            if queue
                .gap
                .as_ref()
                .is_some_and(|(before, _)| *before <= queue.next)
            {
                return Ok(queue.gap.take().map(|(_, gap)| gap));
            }
            if queue.next < queue.packets.len() {
                queue.next += 1;
                return Ok(Some(Event::Packet {
                    data: self.packet(self.page.next - 1),
                    at: None,
                }));
            }
            if !self.load_page()? {
                return Ok(self.tail());
            }
        }
    }

    fn ending(&self) -> Ending {
        self.ending
    }
}

impl Link {
    fn new(first_page: PageHeader) -> Self {
        Link {
            serial: first_page.serial,
            sequence: first_page.sequence,
            has_tags: false,
            has_audio: false,
            position: None,
            hole: false,
            last_seen: false,
        }
    }
}

/// The packets that end on a page, as ranges of its body, and the one that goes on.
fn split(lacing: &[u8], packets: &mut Vec<Range<usize>>) -> Option<Range<usize>> {
    let (mut start, mut end) = (0, 0);
    for &n in lacing {
        end += usize::from(n);
        if n < 255 {
            packets.push(start..end);
            start = end;
        }
    }
    (lacing.last() == Some(&255)).then_some(start..end)
}

/// Adds to a packet that runs over several pages. Beyond the longest valid packet only the fact that it is too long
/// matters.
fn extend(packet: &mut Vec<u8>, more: &[u8]) {
    let room = (packet::MAX_PACKET_BYTES + 1).saturating_sub(packet.len());
    packet.extend_from_slice(&more[..more.len().min(room)]);
}

fn first_packet<'b>(lacing: &[u8], body: &'b [u8]) -> &'b [u8] {
    let mut packets = Vec::new();
    let tail = split(lacing, &mut packets);
    packets
        .first()
        .cloned()
        .or(tail)
        .map_or(&[], |range| &body[range])
}

/// The codec of a stream's first packet, if it is one that carries sound.
fn codec(first_packet: &[u8]) -> Option<Codec> {
    let is = |magic: &[u8]| first_packet.starts_with(magic);
    if is(b"\x01vorbis") {
        Some(Codec::Vorbis)
    } else if is(b"\x7fFLAC") {
        Some(Codec::Flac)
    } else if is(b"Speex   ") {
        Some(Codec::Other("Speex".into()))
    } else if is(b"PCM     ") {
        Some(Codec::Other("PCM in Ogg".into()))
    } else {
        None
    }
}
