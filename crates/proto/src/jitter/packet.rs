/// What the caller found out about a payload before handing it over. Payloads are opaque here; for Opus
/// `voxpost_audio::PacketInspector` tells all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadInfo {
    /// Play time in samples at 48 kHz: 120 to 5760 for Opus.
    pub samples: u32,
    /// It holds a second, coarser copy of the packet before it (Opus LBRR).
    pub fec: bool,
    /// It holds deep redundancy (Opus DRED) for this many samples before it.
    pub dred_samples: u32,
    /// It announces a pause: nothing may follow for a while (an Opus packet of one or two bytes).
    pub dtx: bool,
}

impl PayloadInfo {
    /// A payload without redundancy that plays for `samples` at 48 kHz.
    pub fn plain(samples: u32) -> Self {
        Self {
            samples,
            ..Self::default()
        }
    }
}

/// What became of a packet that was inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It waits for its turn.
    Queued,
    /// It was there before.
    Duplicate,
    /// Its turn is over.
    Late,
    /// It does not fit the stream. Two in a row that fit each other are taken as a new stream.
    Suspect,
    /// It begins a new stream (another SSRC, or counters that jumped) and waits for its turn.
    Restarted,
    /// Its payload is empty, too long, or plays for no time.
    Refused,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) timestamp: i64,
    pub(super) arrival: i64,
    pub(super) payload: Vec<u8>,
    pub(super) info: PayloadInfo,
    /// First of a new stream: the decoder begins anew.
    pub(super) restart: bool,
}

/// What to do next. Each step makes the decoder's queue longer; sample counts are at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Decode this packet and play it as it is.
    Play {
        /// The packet.
        payload: &'a [u8],
        /// Leave out so many samples at its start, perhaps all: it came late, and they have been concealed.
        skip: u32,
        /// Forget the decoder's state first: another stream begins.
        restart: bool,
    },
    /// Decode this packet and play it slower: the delay is shorter than it should be.
    Stretch {
        /// The packet.
        payload: &'a [u8],
        /// By how much, in samples; a hint for how hard to try.
        wanted: u32,
    },
    /// Decode this packet and play it faster: the delay is longer than it should be.
    Shrink {
        /// The packet.
        payload: &'a [u8],
        /// By how much, in samples; a hint for how hard to try.
        wanted: u32,
    },
    /// A packet is lost; the packet after it holds a copy (in-band FEC).
    Fec {
        /// The packet after the lost one. It stays in the buffer and is played later.
        payload: &'a [u8],
        /// Length of what is missing.
        samples: u32,
    },
    /// A packet is lost; a later packet holds its features (DRED).
    Dred {
        /// The later packet. It stays in the buffer and is played later.
        payload: &'a [u8],
        /// Where the missing sound begins, in samples before the first sample of `payload`.
        offset: u32,
        /// Length of what is missing.
        samples: u32,
    },
    /// Nothing is there: continue what was heard so far.
    Conceal {
        /// Length of what is missing.
        samples: u32,
    },
    /// Nobody speaks, nothing came yet or nothing comes any more: comfort noise.
    Silence {
        /// Its length.
        samples: u32,
    },
}
