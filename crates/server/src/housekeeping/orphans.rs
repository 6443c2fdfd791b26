//! Objects and rows that do not find each other.
//!
//! An object without a row: a process was killed between storing a sound and publishing it. It is deleted when it is old
//! enough. A row without its object must not be: it is told to the operator, who has a backup.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use uuid::Uuid;
use voxpost_proto::Timestamp;

use crate::app::App;
use crate::blob::{self, Listed};
use crate::error::ApiResult;
use crate::store::{check, deletions, presigned};

/// Messages that are named in the log; the rest is counted.
const NAMED: u64 = 20;

/// Looks through all objects, folder by folder, and deletes those from before `before` that no message has. Who calls knows
/// that none of them is just being published.
pub(super) async fn delete(app: &App, before: Timestamp) -> ApiResult<()> {
    if !is_ours(app).await? {
        tracing::error!(
            "the bucket and prefix belong to another installation: give this one its own (--s3-prefix); nothing is cleared away"
        );
        return Ok(());
    }
    let (mut deleted, mut missing) = (0_u64, 0_u64);
    for shard in 0..=u8::MAX {
        let listed = app.blobs.list(shard).await?;
        missing += report_missing(app, shard, &listed, missing).await?;
        for object in listed {
            if object.modified_at < before.millis() && !is_needed(app, &object.key).await? {
                app.blobs.delete(&object.key).await?;
                deleted += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    for object in app.blobs.list_uploads().await? {
        if object.modified_at < before.millis() && !is_expected(app, &object.key).await? {
            app.blobs.delete(&object.key).await?;
            deleted += 1;
        }
    }
    let before = UNIX_EPOCH + Duration::from_millis(before.millis().unsigned_abs());
    deleted += app.blobs.remove_partial(before).await?;
    metrics::gauge!("voxpost_objects_missing").set(missing as f64);
    if deleted > 0 {
        tracing::info!(deleted, "objects without a message were deleted");
    }
    if missing > 0 {
        tracing::error!(
            missing,
            "messages have no sound any more: `voxpost doctor` lists them"
        );
    }
    Ok(())
}

async fn is_ours(app: &App) -> ApiResult<bool> {
    let ours = {
        let mut c = app.store.read().await?;
        check::installation(&mut c).await?
    };
    Ok(app.blobs.owner(&ours).await? == ours)
}

/// Counts the messages of a folder whose object is not there. `before` have been counted already.
async fn report_missing(app: &App, shard: u8, listed: &[Listed], before: u64) -> ApiResult<u64> {
    let there: HashSet<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    let rows = {
        let mut c = app.store.read().await?;
        check::sounds_in(&mut c, &format!("messages/{shard:02x}/")).await?
    };
    let mut missing = 0;
    for (id, key) in rows {
        if there.contains(key.as_str()) || !is_missing(app, id, &key).await? {
            continue;
        }
        missing += 1;
        if before + missing <= NAMED {
            tracing::error!(message = %id, "the sound of a message is missing");
        }
    }
    Ok(missing)
}

/// Between the listing and now it may have been published, or deleted.
async fn is_missing(app: &App, id: Uuid, key: &str) -> ApiResult<bool> {
    if app.blobs.exists(key).await? {
        return Ok(false);
    }
    let mut c = app.store.read().await?;
    Ok(deletions::is_needed(&mut c, id, key).await?)
}

async fn is_needed(app: &App, key: &str) -> ApiResult<bool> {
    let Some(id) = blob::message_of(key) else {
        // Not ours; whoever put it there may want it.
        return Ok(true);
    };
    let mut c = app.store.read().await?;
    Ok(deletions::is_needed(&mut c, id, key).await?)
}

async fn is_expected(app: &App, key: &str) -> ApiResult<bool> {
    let Some(id) = blob::upload_of(key) else {
        return Ok(true);
    };
    let mut c = app.store.read().await?;
    Ok(presigned::exists(&mut c, id).await?)
}
