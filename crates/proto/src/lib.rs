//! What both ends of Voxpost must agree on.
//!
//! API types and error codes of the wire contract v1, the socket's messages, and the sans-IO state machines that client and
//! server share: the [jitter buffer](jitter), the sender's [choice of redundancy](redundancy) and [resumable uploads](upload). This crate opens no socket, reads no clock and makes no random number: time,
//! ids and randomness come in as arguments. Opus packets are opaque here.

#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]
#![warn(missing_docs)]

pub mod api;
mod binary;
pub mod fmtp;
pub mod jitter;
pub mod live;
pub mod playback;
mod problem;
pub mod redundancy;
pub mod rtp;
pub mod socket;
mod time;
pub mod upload;

pub use crate::binary::{BINARY_HEAD_BYTES, BinaryError, BinaryKind, BinaryMessage};
pub use crate::problem::{ErrorCode, PROBLEM_JSON, Problem};
pub use crate::time::Timestamp;
pub use uuid::Uuid;
