//! Containers: the bytes around the packets.

use std::io::{Read, Seek};

use crate::opus::head::Mapping;
use crate::{Codec, Error, OpusHead};

pub(crate) use amr::AmrBand;

pub(crate) mod amr;
pub(crate) mod caf;
pub(crate) mod mp4;
pub(crate) mod ogg;
pub(crate) mod silk;
pub(crate) mod source;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod webm;

/// Where a sound file is read from. It is streamed: a few hundred kilobytes are held at a time.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send + ?Sized> Input for T {}

/// What a code of a container can be called when nobody knows it: the letters in it.
pub(crate) fn printable(code: &[u8]) -> String {
    let letters = code.iter().map(|&byte| char::from(byte));
    letters.filter(char::is_ascii_graphic).collect()
}

/// The sound track of a container that was opened.
pub(crate) enum Track<'a> {
    /// Opus that one decoder plays: its packets.
    Opus(Box<dyn Demux + 'a>),
    /// Opus in several streams, which takes as many decoders: its packets.
    Multistream(Mapping, Box<dyn Demux + 'a>),
    /// AMR: frames as RFC 4867 §5.3 stores them, one or several to a packet.
    Amr(AmrBand, Box<dyn Packets + 'a>),
    /// SILK v3: its packets, empty where nobody spoke.
    #[cfg_attr(
        not(any(feature = "silk", test)),
        expect(dead_code, reason = "read only where there is a decoder")
    )]
    Silk(Box<dyn Packets + 'a>),
    /// Another codec.
    Other(Codec),
}

impl<'a> Track<'a> {
    /// Opus of one or of several streams.
    fn opus(mapping: Option<Mapping>, demux: impl Demux + 'a) -> Self {
        let demux = Box::new(demux);
        match mapping {
            None => Track::Opus(demux),
            Some(mapping) => Track::Multistream(mapping, demux),
        }
    }

    /// What it is, and whether its packets can be kept.
    pub(crate) fn codec(&self) -> (Codec, bool) {
        match self {
            Track::Opus(_) => (Codec::Opus, true),
            Track::Multistream(..) => (Codec::Opus, false),
            Track::Amr(AmrBand::Narrow, _) => (Codec::AmrNb, false),
            Track::Amr(AmrBand::Wide, _) => (Codec::AmrWb, false),
            Track::Silk(_) => (Codec::Silk, false),
            Track::Other(codec) => (codec.clone(), false),
        }
    }
}

/// Packets out of a container, in order, each as it was put in.
pub(crate) trait Packets {
    /// The next thing on the time line; `None` at the end.
    fn next(&mut self) -> Result<Option<Event<'_>>, Error>;

    /// How it ended: asked after [`next`](Self::next) gave `None`.
    fn ending(&self) -> Ending;
}

/// Opus packets out of a container.
pub(crate) trait Demux: Packets {
    /// The identification header, with the pre-skip that the container asks for.
    fn head(&self) -> OpusHead;
}

/// A thing on the time line of a container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A packet, not checked yet.
    Packet {
        data: &'a [u8],
        /// When it starts by the container's clock, in samples at 48 kHz from any origin; coarse and jittery.
        /// `None` when it follows its predecessor.
        at: Option<i64>,
    },
    /// Time without packets, in samples at 48 kHz.
    Gap {
        samples: u64,
        /// Whether there was sound that was damaged, rather than nothing sent.
        lost: bool,
    },
}

/// What is known at the end only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Samples at 48 kHz that the container wants dropped from the end of the last packets.
    pub(crate) discard: u64,
    /// The source ended early, or parts of it were dropped.
    pub(crate) truncated: bool,
}
