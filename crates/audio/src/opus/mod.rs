//! Opus as bytes: the identification header and the packets (RFC 7845 §5.1, RFC 6716 §3).

pub(crate) mod head;
pub mod packet;
