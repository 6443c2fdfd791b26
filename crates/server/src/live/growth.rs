//! The canonical file of a recording, in the making and whole.

use std::sync::Arc;

use uuid::Uuid;
use voxpost_proto::live::entries;

use super::canonical::{Builder, Canonical, HashedFile, Shape};
use super::recording::Packet;
use crate::app::App;
use crate::blob::BlobError;
use crate::error::{ApiError, ApiResult};
use crate::store::recordings::{self, LogRow};

/// Runs of the log that are in memory at a time.
const PAGE: i64 = 64;

/// A file that packets can be appended to.
pub(super) fn begin(app: &App, shape: Shape) -> Option<Builder<HashedFile>> {
    let file = tempfile::tempfile_in(&app.ingest.temporary);
    let begun = file.and_then(|file| Builder::new(shape, HashedFile::new(file)));
    begun
        .inspect_err(|error| tracing::warn!(%error, "a recording's file is made at its end"))
        .ok()
}

/// Appends durable packets in order. When they do not follow on, or the disk has no room, the file is made of the log at the
/// end instead.
pub(super) fn append(mut grown: Builder<HashedFile>, packets: &[Packet]) -> Option<Builder<HashedFile>> {
    for packet in packets {
        if grown.is_full() {
            break;
        }
        if packet.sequence != grown.next_sequence() {
            return None;
        }
        grown.append(packet.sequence, &packet.rtp).ok()?;
    }
    Some(grown)
}

/// Makes the file of what the log holds.
pub(super) async fn from_log(app: &App, id: Uuid, shape: Shape) -> ApiResult<Builder<HashedFile>> {
    let file = tempfile::tempfile_in(&app.ingest.temporary).map_err(BlobError::from)?;
    let mut builder = Builder::new(shape, HashedFile::new(file)).map_err(BlobError::from)?;
    let mut next = shape.first_sequence;
    loop {
        let rows = {
            let mut c = app.store.read().await?;
            recordings::log_from(&mut c, id, next, PAGE).await?
        };
        let Some(last) = rows.last() else {
            return Ok(builder);
        };
        next = after(last);
        builder = tokio::task::spawn_blocking(move || {
            for row in &rows {
                for (sequence, packet) in packets_of(row) {
                    builder.append(sequence, packet)?;
                }
            }
            Ok::<_, std::io::Error>(builder)
        })
        .await
        .map_err(ApiError::internal)?
        .map_err(BlobError::from)?;
    }
}

/// The whole file; `None` when there is no sound in it.
pub(super) async fn whole(
    grown: Builder<HashedFile>,
    end_sequence: u32,
    samples: Option<u64>,
) -> ApiResult<Option<Arc<Canonical>>> {
    let finished = tokio::task::spawn_blocking(move || grown.finish(end_sequence, samples)).await;
    let finished = finished.map_err(ApiError::internal)?.map_err(BlobError::from)?;
    Ok(finished.map(|(file, length)| Arc::new(file.done(length))))
}

/// The packets of a run with their numbers.
pub(super) fn packets_of(row: &LogRow) -> impl Iterator<Item = (u32, &[u8])> {
    let first = u32::try_from(row.first_sequence).unwrap_or(u32::MAX);
    (first..).zip(entries(&row.packets).map_while(Result::ok))
}

/// The number after the last packet of a run.
pub(super) fn after(row: &LogRow) -> u32 {
    u32::try_from(row.first_sequence + row.packet_count).unwrap_or(u32::MAX)
}
