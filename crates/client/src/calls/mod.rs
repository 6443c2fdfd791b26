//! The calls of the wire contract, one file for each part of it.

mod accounts;
mod audio;
mod conversations;
mod messages;
mod playback;
mod server;

pub use audio::{AudioFormat, Download};
pub use messages::{Outgoing, Sent};
pub use server::Health;
