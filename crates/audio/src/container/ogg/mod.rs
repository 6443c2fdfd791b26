//! Ogg (RFC 3533) as far as Opus needs it (RFC 7845).

mod crc;
mod demux;
mod mux;
mod page;
#[cfg(test)]
mod tests;

pub(crate) use demux::OggDemux;
pub use mux::OggOpusWriter;
