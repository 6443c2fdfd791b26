//! WebM and Matroska (RFC 9559) as far as Opus needs it.

mod block;
mod demux;
pub(crate) mod ebml;
mod header;
#[cfg(test)]
mod tests;

pub(crate) use demux::WebmDemux;
