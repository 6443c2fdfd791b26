use std::time::Duration;

/// Settings of a [`JitterBuffer`](super::JitterBuffer). The defaults are those that docs/jitter-buffer.md measures.
#[derive(Debug, Clone, PartialEq)]
pub struct JitterConfig {
    /// How much is played at a time: 10 or 20 ms. Decisions are made when less than this is decoded.
    pub tick: Duration,
    /// How long the first packet of a stream waits while nothing is known of the network.
    pub start_delay: Duration,
    /// Playback never starts or settles earlier than this after the fastest packet.
    pub min_delay: Duration,
    /// Longest delay that is aimed at. Beyond it packets that come later are lost.
    pub max_delay: Duration,
    /// Playback that lies further behind than this jumps forward instead of catching up.
    pub skip_behind: Duration,
    /// What a hundredth of the sound is worth: so much delay is accepted to conceal 1 % less of it.
    pub delay_per_percent: Duration,
    /// Most packets that are kept. More push out the oldest.
    pub max_packets: usize,
    /// Longest payload that is taken.
    pub max_payload: usize,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(10),
            start_delay: Duration::from_millis(80),
            min_delay: Duration::ZERO,
            max_delay: Duration::from_millis(1_000),
            skip_behind: Duration::from_millis(3_000),
            delay_per_percent: Duration::from_millis(20),
            max_packets: 512,
            max_payload: 4_096,
        }
    }
}
