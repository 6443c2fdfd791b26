//! Objects that no message has: a process was killed between storing a sound and publishing it.

use std::time::{Duration, UNIX_EPOCH};

use voxpost_proto::Timestamp;

use crate::app::App;
use crate::blob;
use crate::error::{ApiError, ApiResult};
use crate::store::deletions;

/// Looks through all objects, folder by folder, and deletes those from before `before` that no message has. Who calls knows
/// that none of them is just being published.
pub(super) async fn delete(app: &App, before: Timestamp) -> ApiResult<()> {
    let mut deleted = 0_u64;
    for shard in 0..=u8::MAX {
        for object in app.blobs.list(shard).await? {
            if object.modified_at < before.millis() && !is_needed(app, &object.key).await? {
                app.blobs.delete(&object.key).await?;
                deleted += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    let owner = app.clone();
    deleted += tokio::task::spawn_blocking(move || {
        let before = UNIX_EPOCH + Duration::from_millis(before.millis().unsigned_abs());
        owner.blobs.remove_partial_blocking(before)
    })
    .await
    .map_err(ApiError::internal)?
    .map_err(blob::BlobError::from)?;
    if deleted > 0 {
        tracing::info!(deleted, "objects without a message were deleted");
    }
    Ok(())
}

async fn is_needed(app: &App, key: &str) -> ApiResult<bool> {
    let Some(id) = blob::message_of(key) else {
        // Not ours; whoever put it there may want it.
        return Ok(true);
    };
    let mut c = app.store.read().await?;
    Ok(deletions::is_needed(&mut c, id, key).await?)
}
