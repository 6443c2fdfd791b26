//! MP4 (ISO/IEC 14496-12) as far as Opus (Encapsulation of Opus in ISOBMFF) and AMR (TS 26.244) need it, plain and fragmented.

pub(crate) mod boxes;
mod demux;
mod fragment;
mod moov;
mod samples;
#[cfg(test)]
mod tests;

pub(crate) use demux::open;
