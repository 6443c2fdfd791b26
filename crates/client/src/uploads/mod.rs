//! Sending sound over a network that breaks: piece by piece, from where it stopped, also after this process was killed.

mod journals;
mod resumable;
mod source;

pub(crate) use journals::Unsent;
pub use journals::UploadJournals;
pub use source::AudioSource;
pub(crate) use source::Sound;
