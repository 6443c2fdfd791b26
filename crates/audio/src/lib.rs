//! Sound for Voxpost: bytes and samples in, bytes and samples out.
//!
//! [`probe`] says what some bytes are, [`normalise()`] turns them into the one canonical form: Ogg Opus (RFC 7845),
//! 48 kHz, one logical stream. Opus stays as it is (a remux: every packet bit-exact and in order), everything else
//! is decoded and encoded anew.
//!
//! There is no async, no network, no clock and no randomness here: a deadline is a closure that is asked every few
//! packets, a serial number is an argument. Every byte that is read is hostile until checked: no input panics, and
//! nothing is allocated by a size that a file merely claims.

#![deny(clippy::disallowed_methods)]

mod analysis;
mod capture;
mod container;
mod decode;
mod error;
pub mod features;
mod inspect;
mod limits;
mod normalise;
mod opus;
mod packets;
mod pcm;
mod playout;
mod remux;
mod rendition;
mod resample;
#[cfg(feature = "silk")]
pub mod silk;
mod sniff;
mod sound;
mod transcode;
mod voice;

pub use analysis::{Analyser, Analysis, analyse_ogg};
pub use capture::{
    CaptureChain, CaptureSettings, MicrophoneCheck, MicrophoneLevels, MicrophoneVerdict, NoiseReduction,
};
pub use container::Input;
pub use container::ogg::OggOpusWriter;
pub use error::Error;
pub use inspect::{Report, inspect};
pub use limits::{Limits, Options};
pub use normalise::{Normalised, normalise};
pub use opus::head::OpusHead;
pub use opus::inspect::{PacketContent, PacketInspector};
pub use opus::packet;
pub use opus::settings::{Application, Bandwidth, EncoderSettings, FrameDuration, RateControl};
pub use opus::speech::SpeechEncoder;
pub use packets::{TimedPacket, opus_packets};
pub use playout::{PlayoutDecoder, PlayoutStats, PlayoutStep, Tempo};
pub use remux::fill_time;
pub use rendition::{Rendition, Scratch, render};
pub use resample::Resampler;
pub use sniff::{Codec, Container, Probe, probe};
pub use sound::{SoundBlock, decode};
pub use voice::VoiceReader;
