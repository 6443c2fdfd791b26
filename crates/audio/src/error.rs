//! What can be wrong with a sound file, and what its sender can do about it.

use std::io;

/// Why some bytes did not become a voice message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No known format starts like this: send an audio file.
    #[error("the bytes are in no audio format known here")]
    Unrecognised,
    /// The format is known, its codec or layout cannot be read here: send another format.
    #[error("{codec} cannot be read here")]
    Unsupported {
        /// What it is, for people: `"AMR-NB"`, `"Opus with 6 channels"`.
        codec: String,
    },
    /// The file contradicts itself or its format: record or export it again.
    #[error("the file is damaged: {detail}")]
    Corrupt {
        /// What was found, for people; never content.
        detail: String,
    },
    /// There is no sound in it.
    #[error("there is no sound in the file")]
    Empty,
    /// It plays for longer than the limit: send it in parts.
    #[error("the sound is longer than {max_ms} ms")]
    TooLong {
        /// The limit that was passed.
        max_ms: u64,
    },
    /// The canonical form would be larger than the limit: send it in parts.
    #[error("the sound takes more than {max_bytes} bytes")]
    OutputTooLarge {
        /// The limit that was passed.
        max_bytes: u64,
    },
    /// The caller's `cancelled` said stop: try again later.
    #[error("the work was stopped before its end")]
    OutOfTime,
    /// Reading the source or writing the result failed; says nothing about the sound.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// The stable code of the wire contract for this error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unrecognised => "audio_unrecognised",
            Error::Unsupported { .. } => "audio_unsupported",
            Error::Corrupt { .. } => "audio_corrupt",
            Error::Empty => "audio_empty",
            Error::TooLong { .. } => "audio_too_long",
            Error::OutputTooLarge { .. } => "audio_too_large",
            Error::OutOfTime => "unavailable",
            Error::Io(e) if e.kind() == io::ErrorKind::StorageFull => "storage_full",
            Error::Io(_) => "unavailable",
        }
    }

    /// Damage, told in a few words.
    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Error::Corrupt {
            detail: detail.into(),
        }
    }

    /// A known format that cannot be read here.
    pub(crate) fn unsupported(codec: impl Into<String>) -> Self {
        Error::Unsupported { codec: codec.into() }
    }
}
