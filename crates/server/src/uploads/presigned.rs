//! Uploads whose bytes go to the object store by a link, and are taken from there when they are sent.

use futures_util::TryStreamExt;
use uuid::Uuid;
use voxpost_proto::{ErrorCode, Timestamp};

use super::Begin;
use super::writer::Writer;
use crate::app::App;
use crate::blob::{self, Announced, Link, PUT_WITHIN_S};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::uploads::{self, UploadRow};
use crate::store::{deletions, presigned};

/// Forgotten in one transaction.
const BATCH: i64 = 500;

/// Makes an upload and the link for its bytes, with the time until which that is good. The upload is as any other: its bytes
/// may come by `PATCH` as well.
pub(crate) async fn presign(
    app: &App,
    user_id: Uuid,
    announced: &Announced,
) -> ApiResult<(UploadRow, Link, Timestamp)> {
    let asked = Begin {
        length: Some(announced.size_bytes),
        ..Begin::default()
    };
    let mut row = super::begin(app, user_id, asked).await?;
    let expires_at = clock::now().plus_millis(1000 * i64::from(PUT_WITHIN_S));
    let link = app.blobs.upload_link(row.id, announced).await?;
    let link = link.ok_or_else(|| ApiError::new(ErrorCode::NotSupported, "The store gives no links."))?;
    row.sha256 = Some(announced.sha256.to_vec());
    let saved = row.clone();
    app.store
        .write(move |c| {
            Box::pin(async move {
                uploads::save(c, &saved).await?;
                presigned::insert(c, saved.id, expires_at).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    Ok((row, link, expires_at))
}

/// Takes the bytes of an upload from where a link has put them, once, so that it is whole as any other. Does nothing for an
/// upload without a link, or that has its bytes.
///
/// # Errors
/// `upload_offset_mismatch` when nothing was put there yet; `checksum_mismatch` when it has another size than announced. Its
/// hash is looked at where that of every upload is.
pub(crate) async fn fetch(app: &App, user_id: Uuid, id: Uuid) -> ApiResult<()> {
    {
        let mut c = app.store.read().await?;
        if !presigned::exists(&mut c, id).await? {
            return Ok(());
        }
    }
    let _guard = app.uploads.finishing.lock(id).await;
    let row = super::find(app, user_id, id).await?;
    let length = row.length.map_or(0, i64::unsigned_abs);
    if row.state != "receiving" || row.machine().is_whole() {
        return Ok(());
    }
    let key = blob::upload_key(id);
    match app.blobs.size(&key).await? {
        None => {
            return Err(ApiError::new(
                ErrorCode::UploadOffsetMismatch,
                "Nothing was put there by the link yet. Do that first.",
            ));
        }
        Some(size) if size != length => {
            app.blobs.delete(&key).await?;
            return Err(ApiError::new(
                ErrorCode::ChecksumMismatch,
                format!("{size} bytes are there and {length} were announced. Put them there again."),
            ));
        }
        Some(_) => {}
    }
    let taken = super::take_over(app, user_id, id).await?;
    let offset = taken.row.machine().offset;
    let mut writer = Writer::open(app, taken, offset, None).await?;
    writer.room(length - offset).await?;
    let mut pieces = std::pin::pin!(app.blobs.stream(&key, offset..length));
    while let Some(piece) = pieces.try_next().await? {
        writer.write(&piece).await?;
    }
    writer.finish(None).await?;
    forget(app, vec![id]).await
}

/// Clears away what was put into the store for uploads that have come to an end.
pub(crate) async fn sweep(app: &App) -> ApiResult<()> {
    loop {
        let ended = {
            let mut c = app.store.read().await?;
            presigned::ended(&mut c, BATCH).await?
        };
        if ended.is_empty() {
            return Ok(());
        }
        forget(app, ended).await?;
    }
}

async fn forget(app: &App, ids: Vec<Uuid>) -> ApiResult<()> {
    app.store
        .write(move |c| {
            Box::pin(async move {
                for id in ids {
                    deletions::add(c, &blob::upload_key(id), clock::now()).await?;
                    presigned::delete(c, id).await?;
                }
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    app.ingest.to_delete.notify_one();
    Ok(())
}
