//! The ends of uploads other than a message: ended by their owner, expired, forgotten; and what a process left behind.

use std::collections::HashSet;
use std::fs;

use uuid::Uuid;
use voxpost_proto::ErrorCode;

use super::finish::until_settled;
use super::staging;
use super::writer::blocking;
use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::uploads;

/// Rows in one transaction.
const BATCH: i64 = 200;

/// How long it is remembered how an upload ended, after it would have expired.
const REMEMBERED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How long a sender may take to say that it has sent everything.
const GRACE_MS: i64 = 60 * 1000;

/// After so many starts it is taken that the sound itself is what stops the server.
const MAX_ATTEMPTS: i64 = 3;

/// A lease that nobody gets.
const NOBODY: u64 = u64::MAX;

/// Ends an upload for its owner, whoever writes it. What has become a message stays one.
pub(crate) async fn end(app: &App, user_id: Uuid, id: Uuid) -> ApiResult<()> {
    super::find(app, user_id, id).await?;
    // Not while the message is being made of it.
    let _finishing = app.uploads.finishing.lock(id).await;
    let (hold, _) = app.uploads.holders.hold(id);
    let _gate = app.uploads.gates.lock(id).await;
    let deleted: ApiResult<bool> = app
        .store
        .write(move |c| Box::pin(async move { Ok(uploads::delete(c, id).await?) }))
        .await;
    if !deleted? {
        return Err(ApiError::not_found());
    }
    hold.set_lease(NOBODY);
    remove_file(app, id).await;
    Ok(())
}

/// Sends what is whole, ends what rested for too long, and forgets what ended long ago.
pub(crate) async fn sweep(app: &App) -> ApiResult<()> {
    let whole = {
        let mut c = app.store.read().await?;
        uploads::whole(&mut c, clock::now().plus_millis(-GRACE_MS), BATCH).await?
    };
    for (user_id, id) in whole {
        let completed = match super::take_over(app, user_id, id).await {
            Ok(taken) => super::complete(app, taken).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = completed {
            tracing::warn!(upload = %id, code = error.code().as_str(), "a whole upload could not be sent yet");
        }
    }
    loop {
        let expired: ApiResult<Vec<Uuid>> = app
            .store
            .write(|c| Box::pin(async move { Ok(uploads::expire(c, clock::now(), BATCH).await?) }))
            .await;
        let expired = expired?;
        if expired.is_empty() {
            break;
        }
        tracing::info!(count = expired.len(), "uploads have expired");
        discard(app, &expired).await;
    }
    loop {
        let then = clock::now().plus_millis(-REMEMBERED_MS);
        let gone: ApiResult<u64> = app
            .store
            .write(move |c| Box::pin(async move { Ok(uploads::forget(c, then, BATCH).await?) }))
            .await;
        if gone? == 0 {
            return Ok(());
        }
    }
}

/// Removes the files of uploads that have come to an end; nobody writes to them afterwards.
pub(crate) async fn discard(app: &App, ended: &[Uuid]) {
    for &id in ended {
        let (hold, _) = app.uploads.holders.hold(id);
        let _gate = app.uploads.gates.lock(id).await;
        hold.set_lease(NOBODY);
        remove_file(app, id).await;
    }
}

pub(super) async fn remove_file(app: &App, id: Uuid) {
    let path = app.uploads.path(id);
    if let Err(error) = blocking(move || staging::remove(&path)).await {
        tracing::warn!(upload = %id, code = error.code().as_str(), "the file of an upload was not removed yet");
    }
}

/// Clears up after the last process, and goes on with the messages that it had not made. To be called before the first
/// request.
pub(crate) async fn resume(app: &App) -> ApiResult<()> {
    let (needed, whole) = {
        let mut c = app.store.read().await?;
        let needed: HashSet<Uuid> = uploads::with_file(&mut c).await?.into_iter().collect();
        (needed, uploads::ingesting(&mut c).await?)
    };
    let dir = app.uploads.dir.clone();
    let removed = blocking(move || {
        let mut removed = 0_u64;
        for file in fs::read_dir(dir)? {
            let path = file?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let id = name.and_then(|name| Uuid::try_parse(name).ok());
            if id.is_some_and(|id| !needed.contains(&id)) {
                staging::remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    })
    .await?;
    if removed > 0 {
        tracing::info!(removed, "files of uploads that have ended were removed");
    }
    for row in whole {
        let owner = app.clone();
        app.ingest
            .tasks
            .spawn(async move { resume_one(&owner, row.id).await });
    }
    Ok(())
}

async fn resume_one(app: &App, id: Uuid) {
    let attempts: ApiResult<i64> = app
        .store
        .write(move |c| Box::pin(async move { Ok(uploads::count_attempt(c, id).await?) }))
        .await;
    match attempts {
        Ok(attempts) if attempts > MAX_ATTEMPTS => {
            let detail = "The sound could not be converted. Send it again.";
            let error = ApiError::new(ErrorCode::AudioCorrupt, detail);
            if let Err(error) = super::finish::give_up(app, id, &error).await {
                tracing::warn!(upload = %id, code = error.code().as_str(), "the failure could not be kept");
            }
        }
        Ok(_) => until_settled(app, id, None).await,
        Err(error) => tracing::warn!(upload = %id, code = error.code().as_str(), "cannot go on yet"),
    }
}
