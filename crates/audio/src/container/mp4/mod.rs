//! MP4 (ISO/IEC 14496-12) as far as Opus needs it (Encapsulation of Opus in ISOBMFF), plain and fragmented.

pub(crate) mod boxes;
mod demux;
mod fragment;
mod moov;
mod samples;
#[cfg(test)]
mod tests;

pub(crate) use demux::Mp4Demux;
