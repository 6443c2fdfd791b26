//! The sound half of the crate on real files, with other programs as judges: ffmpeg, sox and opus-tools must be
//! installed.

mod common;
mod formats;
mod hostile;
mod loudness;
mod telephones;
