//! What one person may have in the store.

use uuid::Uuid;
use voxpost_proto::ErrorCode;

use crate::config::Config;
use crate::error::{ApiError, ApiResult};
use crate::store::Conn;
use crate::store::messages::{self, MessageRow};
use crate::store::recordings;

/// The quota of each person; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    bytes: u64,
    seconds: u64,
}

impl Quota {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            bytes: config.quota_bytes,
            seconds: config.quota_seconds,
        }
    }

    /// Refuses a sound that is one too many. To be asked in the transaction that publishes it.
    pub(crate) async fn check(self, c: &mut Conn, row: &MessageRow) -> ApiResult<()> {
        if self.bytes == 0 && self.seconds == 0 {
            return Ok(());
        }
        let (bytes, ms) = messages::stored_of(c, row.sender_id).await?;
        let bytes = bytes.saturating_add(row.audio_bytes.unwrap_or(0)).unsigned_abs();
        let ms = ms.saturating_add(row.duration_ms.unwrap_or(0)).unsigned_abs();
        self.allow(bytes, ms)
    }

    /// Refuses to begin a recording when nothing more may be kept. One that has begun is never refused for this: what was said
    /// is kept, and the next has no room.
    pub(crate) async fn check_room(self, c: &mut Conn, sender_id: Uuid) -> ApiResult<()> {
        if self.bytes == 0 && self.seconds == 0 {
            return Ok(());
        }
        let (bytes, ms) = messages::stored_of(c, sender_id).await?;
        let (more, samples) = recordings::unfinished_of(c, sender_id).await?;
        let bytes = bytes.saturating_add(more).saturating_add(1).unsigned_abs();
        let ms = ms.saturating_add(samples / 48).saturating_add(1).unsigned_abs();
        self.allow(bytes, ms)
    }

    fn allow(self, bytes: u64, ms: u64) -> ApiResult<()> {
        let detail = if self.bytes > 0 && bytes > self.bytes {
            format!("Your sounds may take {} bytes together.", self.bytes)
        } else if self.seconds > 0 && ms > self.seconds.saturating_mul(1000) {
            format!("Your sounds may be {} seconds long together.", self.seconds)
        } else {
            return Ok(());
        };
        let advice = format!("{detail} Delete some and send it again.");
        Err(ApiError::new(ErrorCode::QuotaExceeded, advice))
    }
}
