//! Ogg (RFC 3533) as far as Opus needs it (RFC 7845).

mod crc;
mod mux;

pub use mux::OggOpusWriter;
