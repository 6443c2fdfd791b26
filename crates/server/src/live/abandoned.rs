//! Recordings whose sender is gone: drafts, live ones that the server ends, and what nobody came back for.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::socket::RecordingState;

use super::finish::{self, Finish};
use super::{Recording, begin, tell};
use crate::access;
use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::{messages, recordings};

/// How often progress is told.
const RHYTHM: Duration = Duration::from_secs(1);
/// Drafts that are deleted at a time.
const BATCH: i64 = 64;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Goes on with the recordings of the last process: their senders have as long to come back as after any interruption.
pub(super) async fn take_up(app: &App) -> ApiResult<()> {
    let rows = {
        let mut c = app.store.read().await?;
        recordings::in_state(&mut c, "recording").await?
    };
    for row in rows {
        let _turn = app.recordings.turns.lock(row.message_id).await;
        if let Err(error) = begin::take_over(app, row.message_id, None).await {
            tracing::warn!(message = %row.message_id, code = error.code().as_str(), "a recording was not taken up");
        }
    }
    Ok(())
}

pub(super) async fn run(app: App) {
    let shortest = app
        .config
        .interrupted_after_ms
        .min(app.config.live_abandoned_after_ms);
    let rhythm = RHYTHM.min(Duration::from_millis(shortest / 4 + 10));
    let mut old_drafts_at = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(rhythm).await;
        for recording in app.recordings.all() {
            if let Err(error) = look_after(&app, &recording).await {
                tracing::warn!(message = %recording.id, code = error.code().as_str(), "a recording could not be looked after");
            }
        }
        if tokio::time::Instant::now() >= old_drafts_at {
            old_drafts_at = tokio::time::Instant::now() + Duration::from_secs(60);
            if let Err(error) = delete_old_drafts(&app).await {
                tracing::warn!(code = error.code().as_str(), "old drafts were not deleted yet");
            }
        }
    }
}

async fn look_after(app: &App, recording: &Arc<Recording>) -> ApiResult<()> {
    if recording.has_news() {
        tell(app, recording, RecordingState::Recording).await?;
    }
    let published = recording.lock().published;
    let Some(since) = recording.without_sender_since() else {
        if published && !may_send(app, recording).await? {
            let _turn = app.recordings.turns.lock(recording.id).await;
            finish::end(app, recording, Finish::AS_IT_IS).await?;
        }
        return Ok(());
    };
    let patience = if published {
        app.config.live_abandoned_after_ms
    } else {
        app.config.interrupted_after_ms
    };
    if since.elapsed() < Duration::from_millis(patience) {
        return Ok(());
    }
    let _turn = app.recordings.turns.lock(recording.id).await;
    if recording.without_sender_since() != Some(since) {
        return Ok(());
    }
    if published {
        return match finish::end(app, recording, Finish::AS_IT_IS).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // Not at once again.
                recording.lock().without_since = tokio::time::Instant::now();
                Err(error)
            }
        };
    }
    interrupt(app, recording).await
}

/// Whether its sender may still speak in the conversation. Who may not is heard no further than to here; a private recording
/// is refused when it is finished.
async fn may_send(app: &App, recording: &Recording) -> ApiResult<bool> {
    let mut c = app.store.read().await?;
    match access::send_voice(&mut c, recording.sender_id, recording.conversation_id).await {
        Ok(_) => Ok(true),
        Err(error) => match error.code() {
            ErrorCode::NotFound | ErrorCode::Forbidden | ErrorCode::VoiceNotAccepted => Ok(false),
            _ => Err(error),
        },
    }
}

/// A private recording becomes a draft; one without any sound is nothing.
async fn interrupt(app: &App, recording: &Arc<Recording>) -> ApiResult<()> {
    let (id, node) = (recording.id, app.recordings.node);
    let packets = {
        let state = recording.lock();
        if state.receiver.is_behind() {
            return Ok(());
        }
        state.receiver.packets()
    };
    app.store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                if packets > 0 {
                    recordings::make_draft(c, id, node, now).await?;
                } else if let Some(row) = messages::by_id(c, id).await? {
                    messages::delete(c, &row, now).await?;
                }
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    tell(app, recording, RecordingState::Interrupted).await?;
    app.recordings.close(recording, packets);
    Ok(())
}

async fn delete_old_drafts(app: &App) -> ApiResult<()> {
    let then = clock::now().plus_millis(-i64::from(app.config.draft_days) * DAY_MS);
    loop {
        let gone: ApiResult<Vec<Uuid>> = app
            .store
            .write(move |c| {
                Box::pin(async move {
                    let old = recordings::old_drafts(c, then, BATCH).await?;
                    for id in &old {
                        if let Some(row) = messages::by_id(c, *id).await? {
                            messages::delete(c, &row, clock::now()).await?;
                        }
                    }
                    Ok(old)
                })
            })
            .await;
        if gone?.is_empty() {
            return Ok(());
        }
    }
}
