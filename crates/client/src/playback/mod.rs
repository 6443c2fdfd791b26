//! Playback that knows where it stopped: on this device after a crash, and on the others.

mod clock;
mod flush;
mod journals;
mod listening;

pub use journals::PlaybackJournals;
pub use listening::{Listening, Told};
