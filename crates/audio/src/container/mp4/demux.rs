//! Packets of Opus and AMR out of MP4: the sample table first, then the fragments in file order.

use super::boxes::{self, Header};
use super::fragment::Fragment;
use super::moov::{OpusTrack, SampleTrack, SoundTrack, exactness, samples_48k, sound_track};
use super::samples::Sample;
use crate::container::source::Source;
use crate::container::{Demux, Ending, Event, Packets, Track};
use crate::opus::packet;
use crate::{Error, OpusHead};

/// The largest index that is read: five hours of the shortest packets, or days of usual ones.
const MAX_MOOV: u64 = 32 << 20;
const MAX_MOOF: u64 = 1 << 20;
/// Boxes in a row without sound.
const MAX_IDLE_BOXES: u32 = 20_000;
/// Chromium's muxer does not know how long the last sample of a recording is and writes 21 ms whatever is in it.
const CHROMIUM_UNKNOWN: u64 = 21 * 48;

/// Finds the movie box, wherever it is, and in it the first Opus track, or says what is there instead.
pub(crate) fn open(mut source: Source<'_>) -> Result<Track<'_>, Error> {
    for _ in 0..MAX_IDLE_BOXES {
        let Some(header) = boxes::header(source.peek(boxes::MAX_HEADER)?) else {
            break;
        };
        source.skip(header.length as u64)?;
        if header.kind != *b"moov" {
            source.skip(header.size.unwrap_or(u64::MAX))?;
            continue;
        }
        let moov = read_payload(&mut source, header, MAX_MOOV)?;
        return Ok(match sound_track(&moov)? {
            SoundTrack::Opus(OpusTrack { track, found, end }) => {
                let demux = Mp4Opus {
                    samples: Samples::new(source, track),
                    head: found.head,
                    multistream: found.mapping.is_some(),
                    end,
                    exact: true,
                    discard: 0,
                };
                Track::opus(found.mapping, demux)
            }
            SoundTrack::Amr(band, track) => Track::Amr(band, Box::new(Samples::new(source, track))),
            SoundTrack::Other(codec) => Track::Other(codec),
        });
    }
    Err(Error::corrupt(
        "the MP4 file has no index (moov): it was cut off or never finished",
    ))
}

/// Reads the samples of one track: those of the table first, then those of the fragments.
struct Samples<'a> {
    source: Source<'a>,
    track: SampleTrack,
    fragment: Fragment,
    /// Where the next box after the movie box begins, for fragments.
    next_box: u64,
    table_done: bool,
    idle: u32,
    truncated: bool,
}

impl<'a> Samples<'a> {
    /// `source` stands behind the movie box.
    fn new(source: Source<'a>, track: SampleTrack) -> Self {
        Self {
            next_box: source.position(),
            source,
            track,
            fragment: Fragment::default(),
            table_done: false,
            idle: 0,
            truncated: false,
        }
    }

    fn next_sample(&mut self) -> Result<Option<Sample>, Error> {
        if !self.table_done {
            if let Some(sample) = self.track.samples.next() {
                return Ok(Some(sample));
            }
            self.table_done = true;
        }
        loop {
            if let Some(sample) = self.fragment.next() {
                self.idle = 0;
                return Ok(Some(sample));
            }
            if self.track.fragment_defaults.is_none() || !self.load_fragment()? {
                return Ok(None);
            }
        }
    }

    /// Goes on to the next `moof`. False at the end of the file.
    fn load_fragment(&mut self) -> Result<bool, Error> {
        loop {
            self.idle += 1;
            if self.idle > MAX_IDLE_BOXES {
                return Err(Error::corrupt("an MP4 file with hardly any samples"));
            }
            self.source.seek(self.next_box)?;
            let start = self.source.position();
            let Some(header) = boxes::header(self.source.peek(boxes::MAX_HEADER)?) else {
                self.truncated |= self.source.left() > 0;
                return Ok(false);
            };
            self.source.skip(header.length as u64)?;
            let size = header.size.unwrap_or(u64::MAX);
            self.next_box = self.source.position().saturating_add(size);
            self.truncated |= header.size.is_some_and(|size| size > self.source.left());
            if header.kind == *b"moof" {
                let Ok(moof) = read_payload(&mut self.source, header, MAX_MOOF) else {
                    self.truncated = true;
                    continue;
                };
                let defaults = self.track.fragment_defaults.unwrap_or_default();
                self.fragment.load(&moof, start, self.track.id, defaults);
                return Ok(true);
            }
        }
    }

    /// Goes to the next sample; `None` at the end, also at one that lies beyond the end of the file.
    fn seek_next(&mut self) -> Result<Option<Sample>, Error> {
        let Some(sample) = self.next_sample()? else {
            return Ok(None);
        };
        if sample.offset.saturating_add(sample.size.into()) > self.source.len() {
            self.truncated = true;
            return Ok(None);
        }
        self.source.seek(sample.offset)?;
        Ok(Some(sample))
    }
}

impl Packets for Samples<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Some(sample) = self.seek_next()? else {
            return Ok(None);
        };
        let data = self.source.take(sample.size as usize)?.unwrap_or(&[]);
        Ok(Some(Event::Packet { data, at: None }))
    }

    fn ending(&self) -> Ending {
        Ending {
            discard: 0,
            truncated: self.truncated,
        }
    }
}

/// Reads the first Opus track of an MP4 file.
struct Mp4Opus<'a> {
    samples: Samples<'a>,
    head: OpusHead,
    multistream: bool,
    /// Where the edit list ends the sound, and how exact that is.
    end: Option<(u64, u64)>,
    /// Every sample so far was said to be as long as its packet, to the sample: then a shorter last one is believed. What was
    /// remuxed from WebM is off by up to a millisecond everywhere.
    exact: bool,
    discard: u64,
}

impl Mp4Opus<'_> {
    /// How much of the last packet the file wants dropped: when its duration is shorter than the packet, or the edit
    /// list ends within it.
    fn discard(&mut self, sample: Sample, at: u64, packet_samples: u64) -> u64 {
        let timescale = self.samples.track.timescale;
        let duration = samples_48k(sample.duration.into(), timescale);
        let is_known = duration > 0 && duration != CHROMIUM_UNKNOWN;
        let shorter = packet_samples.saturating_sub(duration);
        let jitter = if self.exact { 0 } else { 48 };
        let by_duration = if is_known && shorter > exactness(timescale).max(jitter) {
            shorter
        } else {
            0
        };
        self.exact &= duration == packet_samples;
        let by_edit = self.end.map_or(0, |(end, exactness)| {
            let beyond = (at + packet_samples).saturating_sub(end);
            if beyond > by_duration + exactness {
                beyond
            } else {
                0
            }
        });
        by_duration.max(by_edit)
    }
}

impl Demux for Mp4Opus<'_> {
    fn head(&self) -> OpusHead {
        self.head
    }
}

impl Packets for Mp4Opus<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Some(sample) = self.samples.seek_next()? else {
            return Ok(None);
        };
        let at = samples_48k(sample.time, self.samples.track.timescale);
        let at_48k = Some(at as i64);
        let size = sample.size as usize;
        if size > packet::MAX_PACKET_BYTES {
            // No packet is that long: let it be refused as one that is empty.
            return Ok(Some(Event::Packet {
                data: &[],
                at: at_48k,
            }));
        }
        let checked = packet::check_as(self.multistream, self.samples.source.peek(size)?);
        let packet_samples = checked.map_or(0, |info| info.samples_48k.into());
        self.discard = self.discard(sample, at, packet_samples);
        let data = self.samples.source.take(size)?.unwrap_or(&[]);
        Ok(Some(Event::Packet { data, at: at_48k }))
    }

    fn ending(&self) -> Ending {
        Ending {
            discard: self.discard,
            truncated: self.samples.truncated,
        }
    }
}

/// Reads a box into memory, piece by piece: what is not there is not allocated.
fn read_payload(source: &mut Source<'_>, header: Header, max: u64) -> Result<Vec<u8>, Error> {
    let size = header.size.unwrap_or(source.left());
    if size > max {
        return Err(Error::corrupt("an MP4 index of absurd size"));
    }
    let mut payload = Vec::with_capacity(size.min(source.left()).min(64 << 10) as usize);
    while (payload.len() as u64) < size {
        let piece = source.peek((size as usize - payload.len()).min(64 << 10))?;
        if piece.is_empty() {
            return Err(Error::corrupt("the MP4 index is cut off"));
        }
        payload.extend_from_slice(piece);
        let n = piece.len() as u64;
        source.skip(n)?;
    }
    Ok(payload)
}
