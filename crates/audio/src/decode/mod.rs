//! Compressed or plain sound in a file, out as blocks of samples. Symphonia demuxes and decodes; this module bounds
//! it, trims what encoders put around the sound, and keeps what a damaged file still holds.

mod decoder;
mod gapless;
mod mp4;
mod ogg_end;
mod open;
mod wav_header;

pub(crate) use decoder::{Block, Decoder};
