//! The jitter buffer: puts packets that arrive early, late, twice, out of order or never into an even stream.
//!
//! It is a machine without clock, socket or codec. Packets go in with the time of their arrival; the caller, who plays
//! sound in ticks of 10 or 20 ms, asks for [`Step`]s and lets a decoder carry them out (`voxpost_audio::PlayoutDecoder`
//! does). The same input gives the same output, always.
//!
//! ```
//! use std::time::Duration;
//! use voxpost_proto::jitter::{JitterBuffer, JitterConfig, PayloadInfo, Step};
//! use voxpost_proto::rtp::RtpHeader;
//!
//! let config = JitterConfig { start_delay: Duration::from_millis(10), ..JitterConfig::default() };
//! let mut buffer = JitterBuffer::new(config);
//! let header = RtpHeader { marker: true, payload_type: 111, sequence: 7, timestamp: 0, ssrc: 1 };
//! buffer.insert(Duration::ZERO, &header, vec![0xF8, 1, 2], PayloadInfo::plain(960));
//!
//! // At first the packet waits for what the next ones tell of the network …
//! assert!(matches!(buffer.step(Duration::ZERO, 0), Some(Step::Silence { .. })));
//! // … then it is played. The decoder now holds 960 samples, enough for two ticks.
//! let step = buffer.step(Duration::from_millis(10), 0);
//! assert!(matches!(step, Some(Step::Play { payload: [0xF8, 1, 2], .. })));
//! assert!(buffer.step(Duration::from_millis(20), 480).is_none());
//! // Nothing follows: what was heard is continued, for a while.
//! assert!(matches!(buffer.step(Duration::from_millis(30), 0), Some(Step::Conceal { samples: 480 })));
//! ```
//!
//! # What each step means
//! - `Play`: the packet is there in time.
//! - `Fec`, `Dred`: it is not, but a later packet that is there holds a copy.
//! - `Conceal`: nothing is there. When a later packet waits, the missing one is given up; when none does, the network may
//!   just be late: time stands still, and the packet is played when it comes, with more delay.
//! - `Stretch`, `Shrink`: the packet is played slower or faster, to bring the delay to its target.
//! - `Silence`: nothing has come yet, the sender pauses, or nothing has come for 100 ms.
//!
//! # How the delay is chosen
//! Each packet's transit time, arrival minus timestamp, has an unknown but common zero. Their distribution (5 ms bins,
//! forgetting old ones, as in WebRTC's NetEq) says what share of packets would miss its turn at any delay; a second one
//! says the same of packets and their copies. The target is where a longer wait costs more than it saves
//! ([`JitterConfig::delay_per_percent`] sets the price). Reordering, drift of clocks and changes of route need no rule
//! of their own: they are transit times too.

mod buffer;
mod config;
mod counters;
mod delay;
mod histogram;
mod nack;
mod packet;
mod stats;
#[cfg(test)]
mod tests;

pub use buffer::JitterBuffer;
pub use config::JitterConfig;
pub use packet::{Inserted, PayloadInfo, Step};
pub use stats::{JitterStats, LossReport, PlayoutDelay};
