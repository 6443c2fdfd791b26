//! The sound of a recording while it grows, as Ogg over HTTP: page by page as it becomes durable, then the rest of the whole
//! file. The pages are those of the canonical file, so that a player notices nothing of the end.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::watch;
use uuid::Uuid;

use super::canonical::{Builder, Shape};
use super::{growth, lock};
use crate::access;
use crate::app::App;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::store::{messages, recordings};

/// Runs of the log in one step.
const PAGE: i64 = 64;

/// How much of a whole file is sent in one piece.
const CHUNK: u64 = 256 << 10;

/// What a builder wrote and nobody took yet.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<Vec<u8>>>);

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Growing {
    app: App,
    user_id: Uuid,
    id: Uuid,
    tap: Tap,
    /// None once it has ended.
    builder: Option<Builder<Tap>>,
    /// Of the open recording; a draft does not change.
    changes: Option<watch::Receiver<u64>>,
    /// Sending the whole file from here on.
    rest: Option<u64>,
}

/// The sound so far and what follows, as `user_id` may hear it.
pub(crate) async fn growing(
    app: &App,
    user_id: Uuid,
    id: Uuid,
) -> ApiResult<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
    let row = {
        let mut c = app.store.read().await?;
        recordings::by_id(&mut c, id)
            .await?
            .ok_or_else(ApiError::not_found)?
    };
    let tap = Tap::default();
    let shape = Shape::of(&row, app.config.max_duration_ms);
    let growing = Growing {
        app: app.clone(),
        user_id,
        id,
        builder: Some(Builder::new(shape, tap.clone()).map_err(ApiError::internal)?),
        tap,
        changes: app.recordings.get(id).map(|recording| recording.changes()),
        rest: None,
    };
    Ok(stream::try_unfold(growing, |mut growing| async move {
        match growing.next().await {
            Ok(Some(bytes)) => Ok(Some((bytes, growing))),
            Ok(None) => Ok(None),
            // The connection is cut, so that nobody takes it for the whole.
            Err(error) => Err(io::Error::other(error.problem().detail.clone())),
        }
    }))
}

impl Growing {
    async fn next(&mut self) -> ApiResult<Option<Bytes>> {
        loop {
            let written = std::mem::take(&mut *lock(&self.tap.0));
            if !written.is_empty() {
                return Ok(Some(written.into()));
            }
            if let Some(at) = self.rest {
                return self.whole(at).await;
            }
            let Some(builder) = &mut self.builder else {
                return Ok(None);
            };
            if let Some(changes) = &mut self.changes {
                changes.mark_unchanged();
            }
            let over = self.app.recordings.get(self.id).is_none();
            let next = builder.next_sequence();
            let (row, message, rows) = {
                let mut c = self.app.store.read().await?;
                let (message, _) = access::message(&mut c, self.user_id, self.id, Action::See).await?;
                (
                    recordings::by_id(&mut c, self.id).await?,
                    message,
                    recordings::log_from(&mut c, self.id, next, PAGE).await?,
                )
            };
            if message.state == "ready" {
                self.rest = Some(builder.bytes());
                self.builder = None;
                continue;
            }
            let draft = row.as_ref().is_some_and(|row| row.state == "draft");
            let mut grew = false;
            for (sequence, packet) in rows.iter().flat_map(growth::packets_of) {
                // A gap may still be filled while somebody sends.
                if sequence >= builder.next_sequence()
                    && (draft || sequence == builder.next_sequence())
                    && !builder.is_full()
                {
                    builder.append(sequence, packet).map_err(ApiError::internal)?;
                    grew = true;
                }
            }
            if grew {
                continue;
            }
            match &mut self.changes {
                Some(changes) if !over && !draft => {
                    let _ = changes.changed().await;
                }
                _ => {
                    let end = builder.next_sequence();
                    if let Some(builder) = self.builder.take() {
                        builder.finish(end, None).map_err(ApiError::internal)?;
                    }
                }
            }
        }
    }

    /// The rest of the whole file: what was sent so far are its first bytes.
    async fn whole(&mut self, at: u64) -> ApiResult<Option<Bytes>> {
        let row = {
            let mut c = self.app.store.read().await?;
            messages::by_id(&mut c, self.id).await?
        };
        let row = row
            .filter(|row| row.state == "ready")
            .ok_or_else(ApiError::not_found)?;
        let size = row
            .audio_bytes
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or_default();
        let end = size.min(at + CHUNK);
        if at >= end {
            return Ok(None);
        }
        self.rest = Some(end);
        let bytes = match self.app.recordings.file(self.id) {
            Some(file) => file.read(at..end).map_err(ApiError::internal)?,
            None => {
                let key = row.audio_key.unwrap_or_default();
                match self.app.blobs.read(&key, at..end).await {
                    Ok(bytes) => bytes,
                    Err(_) => {
                        super::ensure_stored(&self.app, self.id).await?;
                        self.app.blobs.read(&key, at..end).await?
                    }
                }
            }
        };
        Ok(Some(bytes))
    }
}
