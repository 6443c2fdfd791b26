use std::time::Duration;

/// What happened so far. Samples are at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterStats {
    /// Packets that came, of whatever fate.
    pub received: u64,
    /// Packets handed to the decoder to be played.
    pub played: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that had not come when playback went past them; those that came late are among them.
    pub lost: u64,
    /// Packets that did not fit the stream or had no usable payload.
    pub refused: u64,
    /// Packets thrown away because playback was too far behind or too many waited.
    pub skipped: u64,
    /// Streams that began anew.
    pub restarts: u64,
    /// Samples made up because nothing was there.
    pub concealed_samples: u64,
    /// Samples rebuilt from in-band FEC.
    pub fec_samples: u64,
    /// Samples rebuilt from DRED.
    pub dred_samples: u64,
    /// Samples of comfort noise.
    pub silence_samples: u64,
    /// Packets played slower and faster.
    pub stretched: u64,
    /// See `stretched`.
    pub shrunk: u64,
}

/// How late sound is played, against the fastest packet through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlayoutDelay {
    /// At present.
    pub current: Duration,
    /// What is aimed at.
    pub target: Duration,
    /// How long the packet that was played last waited between its arrival and its turn: what the buffer itself added
    /// (WebRTC's `jitterBufferDelay` is the sum of these).
    pub waited: Duration,
}

/// What a receiver tells the sender about the way, for the choice of redundancy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossReport {
    /// Share of packets that never came, 0 to 1.
    pub fraction: f32,
    /// Mean number of packets lost in a row; 0 when none was.
    pub mean_burst: f32,
}
