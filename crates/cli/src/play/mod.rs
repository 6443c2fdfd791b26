//! A message as sound in time: decoded ahead, taken by a loudspeaker or a file, and always known where it is heard.
//!
//! ```text
//! VoiceReader ► speed ► gain ► ring (lock-free) ► Outlet ► loudspeaker's callback, or a file's clock
//!      Playout, on a thread of its own                └► how much was taken ► Timeline ► where it is heard
//! ```

mod file;
mod keys;
#[cfg(feature = "sound")]
mod loudspeaker;
mod playout;
mod ring;
mod silence;
mod timeline;

pub(crate) use file::{FILE_RATE, FilePlayer, Pace};
pub(crate) use keys::{Key, Keyboard};
#[cfg(feature = "sound")]
pub(crate) use loudspeaker::{Loudspeaker, Sounding};
pub(crate) use playout::{Playout, PlayoutThread, SPEEDS};
pub(crate) use timeline::Heard;
