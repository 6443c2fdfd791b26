//! Uploads that can be resumed: one upload, one writer, one file, until it is a message.
//!
//! [`begin`] makes one, [`take_over`] makes its caller the one writer, a [`Writer`] keeps what comes in and promises it once
//! it is durable, [`finish`] makes the message. HTTP and sockets are two ways to the same upload.

mod begin;
mod finish;
mod holders;
mod presigned;
mod staging;
mod status;
mod sweep;
mod take_over;
mod writer;

use std::fs;
use std::io;
use std::path::PathBuf;

use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::upload::{Limits, Refusal};

use crate::config::Config;
use crate::error::ApiError;
use crate::ingest::KeyedLocks;

pub(crate) use begin::{Begin, begin};
pub(crate) use finish::{Fields, Outcome, complete, finish, send};
use holders::Holders;
pub(crate) use presigned::{fetch, presign, sweep as sweep_presigned};
pub(crate) use status::{find, status};
pub(crate) use sweep::{discard, end, resume, sweep};
pub(crate) use take_over::take_over;
pub(crate) use writer::Writer;

/// What all uploads share.
pub(crate) struct Uploads {
    /// Where the files are, each named by the id of its upload.
    pub(crate) dir: PathBuf,
    pub(crate) limits: Limits,
    holders: Holders,
    /// One at a time for each upload touches its file, or changes who may.
    gates: KeyedLocks<Uuid>,
    /// One at a time for each upload makes the message.
    finishing: KeyedLocks<Uuid>,
}

impl Uploads {
    pub(crate) fn open(config: &Config) -> io::Result<Self> {
        let dir = config.data_dir.join("uploads");
        fs::create_dir_all(&dir)?;
        fs::File::open(&config.data_dir)?.sync_all()?;
        Ok(Self {
            dir,
            limits: Limits {
                max_bytes: config.max_audio_bytes,
                rest_ms: i64::try_from(config.upload_expiry_ms).unwrap_or(i64::MAX),
            },
            holders: Holders::default(),
            gates: KeyedLocks::new(),
            finishing: KeyedLocks::new(),
        })
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }
}

/// The one table from what the machine refuses to the wire.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let detail = |advice: &str| format!("{}. {advice}", capital(&refusal.to_string()));
        match refusal {
            Refusal::Expired => Self::new(ErrorCode::UploadExpired, detail("Begin a new one.")),
            Refusal::Fenced | Refusal::Offset { .. } => Self::new(
                ErrorCode::UploadOffsetMismatch,
                detail("Ask for the offset and go on from there."),
            ),
            Refusal::Finished => Self::new(ErrorCode::UploadOffsetMismatch, detail("Nothing is to be sent.")),
            Refusal::Incomplete { .. } => {
                Self::new(ErrorCode::UploadOffsetMismatch, detail("Send them first."))
            }
            Refusal::TooLarge { .. } => Self::new(ErrorCode::AudioTooLarge, detail("See max_audio_bytes.")),
            Refusal::Beyond { .. } => Self::new(ErrorCode::AudioTooLarge, detail("They are not kept.")),
            Refusal::Length => Self::invalid(detail("Give the length once, and right.")),
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}
