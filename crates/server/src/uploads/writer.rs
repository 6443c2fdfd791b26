//! Bytes on their way into an upload.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::upload::{Cursor, Refusal, Upload};

use super::holders::Hold;
use super::staging;
use super::take_over::Taken;
use crate::app::App;
use crate::blob::BlobError;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::uploads::{self, UploadRow};

/// What is held in memory before it goes to the file.
const BUFFER: usize = 128 << 10;

/// How long a sender waits when there is no room for uploads, in seconds.
const ROOM_AFTER: u64 = 30;

/// Writes one upload, from taking it over until somebody else does. What was received and is not promised is lost with it.
pub(crate) struct Writer {
    app: App,
    row: UploadRow,
    lease: u64,
    hold: Hold,
    file: Arc<File>,
    cursor: Cursor,
    buffer: Vec<u8>,
    /// Where in the file the buffer belongs. (The cursor is beyond it, by what is being taken.)
    buffer_at: u64,
    /// Something was received and did not get to the file: nothing more can be promised.
    broken: bool,
}

impl Writer {
    /// Goes on at `offset`, which must be where the durable bytes end. `announced` is the length when the sender tells it.
    pub(crate) async fn open(
        app: &App,
        taken: Taken,
        offset: u64,
        announced: Option<u64>,
    ) -> ApiResult<Self> {
        let Taken { mut row, lease, hold } = taken;
        let mut machine = row.machine();
        let limits = app.uploads.limits;
        let mut cursor = machine.cursor(lease, offset, limits)?;
        if let Some(length) = announced {
            machine.announce(lease, length, limits)?;
            cursor.set_length(length);
            row.set_machine(&machine);
        }
        let gate = app.uploads.gates.lock(row.id).await;
        if !hold.has_lease(lease) {
            return Err(Refusal::Fenced.into());
        }
        let path = app.uploads.path(row.id);
        let file = blocking(move || staging::open(&path, offset)).await?;
        drop(gate);
        Ok(Self {
            app: app.clone(),
            row,
            lease,
            hold,
            file: Arc::new(file),
            cursor,
            buffer: Vec::new(),
            buffer_at: offset,
            broken: false,
        })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.row.id
    }

    /// What was promised last.
    pub(crate) fn row(&self) -> &UploadRow {
        &self.row
    }

    /// How many bytes are durable and promised.
    pub(crate) fn durable(&self) -> u64 {
        self.row.acked.unsigned_abs()
    }

    /// How many bytes were received and are not promised.
    pub(crate) fn ahead(&self) -> u64 {
        self.cursor.at() - self.durable()
    }

    /// Whether all bytes that were announced were received.
    pub(crate) fn is_whole(&self) -> bool {
        self.row.length.map(i64::unsigned_abs) == Some(self.cursor.at())
    }

    /// Refuses while bytes that were announced are missing.
    pub(crate) fn may_finish(&self) -> ApiResult<()> {
        match self.row.length.map(i64::unsigned_abs) {
            Some(length) if self.cursor.at() < length => Err(Refusal::Incomplete {
                missing: length - self.cursor.at(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Told when somebody else takes over: time to promise what is here, and to stop.
    pub(crate) fn taken_over(&self) -> CancellationToken {
        self.hold.stop().clone()
    }

    /// Whether `bytes` more would be too many; so that they need not be sent.
    pub(crate) fn expect(&self, bytes: u64) -> ApiResult<()> {
        let mut cursor = self.cursor;
        Ok(cursor.take(bytes)?)
    }

    /// Refuses when there is no room for so many bytes more.
    pub(crate) async fn room(&self, bytes: u64) -> ApiResult<()> {
        room(&self.app, bytes).await
    }

    /// Takes what comes next.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> ApiResult<()> {
        self.cursor.take(bytes.len() as u64)?;
        self.keep(bytes).await
    }

    /// Takes a chunk that says where it belongs; bytes that are here already are passed over.
    pub(crate) async fn write_at(&mut self, offset: u64, bytes: &[u8]) -> ApiResult<()> {
        let known = self.cursor.take_at(offset, bytes.len() as u64)?;
        let known = usize::try_from(known).unwrap_or(bytes.len());
        self.keep(&bytes[known..]).await
    }

    async fn keep(&mut self, bytes: &[u8]) -> ApiResult<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush(false).await?;
        }
        if bytes.len() >= BUFFER {
            self.buffer = bytes.to_vec();
            return self.flush(false).await;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes what was received durable and promises it; returns the offset.
    pub(crate) async fn checkpoint(&mut self) -> ApiResult<u64> {
        if self.ahead() > 0 {
            self.promise(false).await?;
        }
        Ok(self.durable())
    }

    /// The same when no more will come: the upload is whole now, and nobody writes it any more.
    pub(crate) async fn finish(mut self, sha256: Option<[u8; 32]>) -> ApiResult<UploadRow> {
        if sha256.is_some() {
            self.row.sha256 = sha256.map(|hash| hash.to_vec());
        }
        self.promise(true).await?;
        Ok(self.row)
    }

    /// Drops what was received and not promised.
    pub(crate) async fn discard(&mut self) -> ApiResult<()> {
        self.buffer.clear();
        let offset = self.durable();
        self.cursor.rewind(offset);
        self.buffer_at = offset;
        let _gate = self.app.uploads.gates.lock(self.row.id).await;
        if !self.hold.has_lease(self.lease) {
            return Err(Refusal::Fenced.into());
        }
        let file = self.file.clone();
        blocking(move || file.set_len(offset)).await
    }

    /// The buffer goes to the file, which is fenced: nobody who was taken over touches it.
    async fn flush(&mut self, sync: bool) -> ApiResult<()> {
        let _gate = self.app.uploads.gates.lock(self.row.id).await;
        if !self.hold.has_lease(self.lease) {
            return Err(Refusal::Fenced.into());
        }
        if std::mem::replace(&mut self.broken, true) {
            return Err(ApiError::unavailable(
                "The upload could not be written. Try again.",
            ));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let at = self.buffer_at;
        let end = at + buffer.len() as u64;
        let file = self.file.clone();
        self.buffer = blocking(move || {
            staging::write_at(&file, &buffer, at)?;
            if sync {
                staging::sync(&file)?;
            }
            buffer.clear();
            Ok(buffer)
        })
        .await?;
        self.buffer_at = end;
        self.broken = false;
        Ok(())
    }

    async fn promise(&mut self, finish: bool) -> ApiResult<()> {
        if self.ahead() > 0 {
            self.flush(true).await?;
        }
        let (id, user_id, lease, offset) = (self.row.id, self.row.user_id, self.lease, self.cursor.at());
        let (length, sha256) = (self.row.length, self.row.sha256.clone());
        let limits = self.app.uploads.limits;
        self.row = self
            .app
            .store
            .write(move |c| {
                Box::pin(async move {
                    let now = clock::now();
                    let mut row = uploads::of_user(c, user_id, id)
                        .await?
                        .ok_or_else(ApiError::not_found)?;
                    let mut machine: Upload = row.machine();
                    if let Some(length) = length {
                        machine.announce(lease, length.unsigned_abs(), limits)?;
                    }
                    machine.commit(lease, offset, limits, now)?;
                    if finish {
                        machine.finish(lease)?;
                        row.state = state_of_whole(&row).to_owned();
                        row.message_id = Some(clock::new_id());
                    }
                    row.set_machine(&machine);
                    row.sha256 = sha256.or(row.sha256);
                    row.updated_at = now.millis();
                    uploads::save(c, &row).await?;
                    Ok::<_, ApiError>(row)
                })
            })
            .await?;
        Ok(())
    }
}

fn state_of_whole(row: &UploadRow) -> &'static str {
    if row.conversation_id.is_some() {
        "ingesting"
    } else {
        "held"
    }
}

/// Refuses when all uploads together would take more room than they may.
pub(super) async fn room(app: &App, bytes: u64) -> ApiResult<()> {
    let most = app.config.max_staging_bytes;
    if most == 0 {
        return Ok(());
    }
    let staged = uploads::staged_bytes(&mut *app.store.read().await?).await?;
    if staged.unsigned_abs().saturating_add(bytes) <= most {
        return Ok(());
    }
    metrics::counter!("voxpost_staging_full_total").increment(1);
    let detail = "There is no room for more uploads at present (max_staging_bytes). Try again later.";
    Err(ApiError::new(ErrorCode::Unavailable, detail).retry_after(ROOM_AFTER))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> ApiResult<T> {
    Ok(tokio::task::spawn_blocking(work)
        .await
        .map_err(ApiError::internal)?
        .map_err(BlobError::from)?)
}
