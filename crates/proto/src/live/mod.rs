//! Live recording, without sockets and clocks: packets up, acknowledgements down, a timeline in the end.
//!
//! A [`LiveSender`] makes RTP packets, keeps what is not acknowledged and goes on where the server says. A [`LiveReceiver`]
//! tells new packets from old ones and knows up to where all are durable. A [`Timeline`] puts packets in order, with fillers
//! where nothing was sent. A [`RateControl`] chooses how much the encoder may say. Opus is opaque here: how long a packet plays
//! comes in as an argument, in samples at 48 kHz.

mod framing;
mod rate;
mod receiver;
mod runs;
mod sender;
mod timeline;

pub use framing::{Entries, FramingError, bundle, entries, packet_down, push_entry};
pub use rate::{Bandwidth, LADDER, RateControl, RateReport, RateStep};
pub use receiver::{Arrival, FinishCheck, LiveReceiver, Refusal};
pub use runs::Runs;
pub use sender::{Backlog, JournalGap, LiveSender, Whole};
pub use timeline::{MAX_FILL_SAMPLES, Timeline};

/// The RTP payload type of Opus here.
pub const PAYLOAD_TYPE: u8 = 111;
