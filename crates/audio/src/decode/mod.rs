//! Compressed or plain sound in a file, out as blocks of samples. Symphonia demuxes and decodes most of it, libopus Opus
//! of many channels, codec-core AMR, and a process of its own SILK; this module bounds them, trims what encoders put around the sound, and keeps what
//! a damaged file still holds.

mod aac_config;
mod amr;
mod decoder;
mod gapless;
mod library;
mod mp4;
mod multistream;
#[cfg(test)]
mod mutations;
mod ogg_end;
mod open;
#[cfg(feature = "silk")]
mod silk;
mod wav_header;
mod webm_end;

pub(crate) use decoder::{Block, Decoder};
