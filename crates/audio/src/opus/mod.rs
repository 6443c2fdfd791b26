//! Opus: the identification header and the packets as bytes (RFC 7845 §5.1, RFC 6716 §3), and libopus.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod ffi;
mod fit;
pub(crate) mod head;
pub(crate) mod inspect;
pub mod packet;
mod pieces;
pub(crate) mod settings;
pub(crate) mod speech;
