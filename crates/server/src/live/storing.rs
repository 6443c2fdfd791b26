//! From a finished recording to its stored object; then its log may go.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::canonical::{Canonical, Shape};
use super::{Recording, growth, lock};
use crate::app::App;
use crate::blob;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::{deletions, recordings};

/// After the disk was full or not there.
const RETRY: Duration = Duration::from_secs(5);

/// How long the log stays for listeners who are not at its end yet.
const LISTENERS: Duration = Duration::from_secs(60);

/// Stores the finished recordings of the last process.
pub(super) async fn take_up(app: &App) -> ApiResult<()> {
    let rows = {
        let mut c = app.store.read().await?;
        recordings::in_state(&mut c, "finished").await?
    };
    for row in rows {
        start(app, row.message_id, None);
    }
    Ok(())
}

/// Stores one in the background, and tries again until it is done.
pub(super) fn start(app: &App, id: Uuid, recording: Option<Arc<Recording>>) {
    let owner = app.clone();
    app.ingest.tasks.spawn(async move {
        if let Some(recording) = recording {
            let unread = tokio::time::timeout(LISTENERS, recording.unread());
            let _ = owner.ingest.stopping.run_until_cancelled(unread).await;
        }
        while let Err(error) = ensure_stored(&owner, id).await {
            tracing::warn!(message = %id, code = error.code().as_str(), "a recording is served from its log for now");
            let stopping = &owner.ingest.stopping;
            if stopping
                .run_until_cancelled(tokio::time::sleep(RETRY))
                .await
                .is_none()
            {
                return;
            }
        }
    });
}

/// Returns when the object of a finished recording is stored. For any other message it has nothing to do.
pub(crate) async fn ensure_stored(app: &App, id: Uuid) -> ApiResult<()> {
    let _turn = app.recordings.turns.lock(id).await;
    let row = {
        let mut c = app.store.read().await?;
        recordings::by_id(&mut c, id).await?
    };
    let Some(row) = row.filter(|row| row.state == "finished") else {
        return Ok(());
    };
    let file = match app.recordings.file(id) {
        Some(file) => file,
        None => again(app, id, &row).await?,
    };
    let key = blob::message_key(id);
    app.blobs.put_file(&key, file.file(), file.size_bytes).await?;
    app.store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                if !recordings::stored(c, id, now).await? {
                    // Deleted while it was written.
                    deletions::add(c, &key, now).await?;
                }
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    lock(&app.recordings.files).remove(&id);
    app.ingest.to_analyse.notify_one();
    app.ingest.to_delete.notify_one();
    Ok(())
}

/// Makes the file of the log once more: the same packets give the same bytes.
async fn again(app: &App, id: Uuid, row: &recordings::RecordingRow) -> ApiResult<Arc<Canonical>> {
    let shape = Shape::of(row, u64::MAX / 48);
    let grown = growth::from_log(app, id, shape).await?;
    let number = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let end = shape.first_sequence.saturating_add(number(row.packets));
    let samples = row.end_samples.and_then(|n| u64::try_from(n).ok());
    let file = growth::whole(grown, end, samples).await?;
    file.ok_or_else(|| ApiError::internal("a finished recording has no sound"))
}
