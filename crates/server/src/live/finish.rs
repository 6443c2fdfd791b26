//! Ends of a recording: it becomes a message, or nothing.

use std::sync::Arc;

use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::live::FinishCheck;
use voxpost_proto::socket::{RecordingState, ServerMessage};

use super::canonical::Canonical;
use super::recording::Phase;
use super::{Recording, begin, growth, lock, storing, tell};
use crate::app::App;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::store::messages::{self, MessageRow, Published};
use crate::store::recordings;
use crate::{access, blob, clock};

/// How a recording shall end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finish {
    /// Packets of the whole recording; None for what is there.
    pub(crate) packets: Option<u32>,
    /// Its play time without pre-skip, at 48 kHz.
    pub(crate) samples: Option<u64>,
    /// What is missing will not come.
    pub(crate) allow_gaps: bool,
}

impl Finish {
    /// With what is there.
    pub(crate) const AS_IT_IS: Self = Self {
        packets: None,
        samples: None,
        allow_gaps: true,
    };
}

/// Makes a recording of this person the message that others hear. Done before, it gives the message again.
pub(crate) async fn finish(app: &App, user_id: Uuid, id: Uuid, how: Finish) -> ApiResult<MessageRow> {
    let _turn = app.recordings.turns.lock(id).await;
    {
        let mut c = app.store.read().await?;
        let row = recordings::by_id(&mut c, id)
            .await?
            .filter(|row| row.sender_id == user_id)
            .ok_or_else(ApiError::not_found)?;
        if !row.is_open() {
            // Whoever has left the conversation since does not see it any more.
            return Ok(access::message(&mut c, user_id, id, Action::See).await?.0);
        }
    }
    let recording = match app.recordings.get(id) {
        Some(recording) => recording,
        None => begin::take_over(app, id, None).await?,
    };
    end(app, &recording, how).await
}

/// Ends a recording that is open on this node; the caller has its turn.
pub(super) async fn end(app: &App, recording: &Arc<Recording>, how: Finish) -> ApiResult<MessageRow> {
    all_durable(app, recording).await?;
    let (packets, grown) = {
        let mut state = recording.lock();
        let have = state.receiver.packets();
        let packets = how.packets.unwrap_or(have);
        match state.receiver.check_finish(packets) {
            _ if let Phase::Over { packets } = state.phase => return Err(begin::finished(packets.into())),
            _ if have == 0 => return Err(empty()),
            FinishCheck::TooFew { packets: have } => {
                return Err(ApiError::invalid(format!(
                    "`packets` counts the whole recording, and {have} are here."
                )));
            }
            FinishCheck::Missing { next_sequence } if !how.allow_gaps => {
                let detail = "Packets are missing. Send them again from `next_sequence`, or allow gaps.";
                let error = ApiError::new(ErrorCode::RecordingIncomplete, detail);
                return Err(error.next_sequence(next_sequence));
            }
            FinishCheck::Complete | FinishCheck::Missing { .. } => {}
        }
        state.phase = Phase::Finishing;
        let end = recording.shape.first_sequence + have;
        let grown = state
            .grown
            .take()
            .filter(|grown| grown.next_sequence() == end || grown.is_full());
        (packets, grown)
    };
    let ended = publish(app, recording, packets, how.samples, grown).await;
    match &ended {
        Ok(_) => app.recordings.close(recording, packets),
        // It goes on, or stays as it is; the file is made of the log the next time.
        Err(_) => recording.go_on(),
    }
    ended
}

/// Waits until everything that was taken in is durable.
async fn all_durable(app: &App, recording: &Arc<Recording>) -> ApiResult<()> {
    let mut changes = recording.changes();
    recording.lock().trouble = None;
    loop {
        changes.mark_unchanged();
        {
            let state = recording.lock();
            if let Some(trouble) = &state.trouble {
                return Err(trouble.clone());
            }
            if !state.receiver.is_behind() || matches!(state.phase, Phase::Over { .. }) {
                return Ok(());
            }
        }
        app.recordings.urgent.notify_one();
        app.recordings.work.notify_one();
        changes.changed().await.map_err(ApiError::internal)?;
    }
}

async fn publish(
    app: &App,
    recording: &Arc<Recording>,
    packets: u32,
    samples: Option<u64>,
    grown: Option<super::canonical::Builder<super::canonical::HashedFile>>,
) -> ApiResult<MessageRow> {
    let id = recording.id;
    let end = recording.shape.first_sequence.saturating_add(packets);
    let grown = match grown {
        Some(grown) => grown,
        None => growth::from_log(app, id, recording.shape).await?,
    };
    let file = growth::whole(grown, end, samples).await?.ok_or_else(empty)?;
    let row = {
        let mut c = app.store.read().await?;
        messages::by_id(&mut c, id)
            .await?
            .ok_or_else(ApiError::not_found)?
    };
    let row = ready(app, row, &file);
    let end_samples = i64::try_from(file.length.samples).unwrap_or(i64::MAX);
    // Before the row: whoever hears of it may ask for it at once.
    lock(&app.recordings.files).insert(id, file);
    let published: ApiResult<MessageRow> = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                let mut row = row;
                if !recordings::finish(c, id, packets.into(), end_samples, now).await? {
                    return Err(ApiError::not_found());
                }
                match messages::publish_recorded(c, &mut row, now).await? {
                    Published::At(_) => Ok(row),
                    Published::Lost => Err(ApiError::not_found()),
                    Published::Refused => {
                        access::send_voice(c, row.sender_id, row.conversation_id).await?;
                        Err(ApiError::unavailable(
                            "The conversation changed meanwhile. Try again.",
                        ))
                    }
                }
            })
        })
        .await;
    match &published {
        Ok(_) => storing::start(app, id, Some(Arc::clone(recording))),
        Err(_) => {
            lock(&app.recordings.files).remove(&id);
        }
    }
    published
}

fn ready(app: &App, mut row: MessageRow, file: &Canonical) -> MessageRow {
    let ms = |samples: u64| i64::try_from(samples / 48).unwrap_or(i64::MAX);
    let longest = i64::try_from(app.config.max_duration_ms).unwrap_or(i64::MAX);
    row.state = "ready".to_owned();
    row.duration_ms = Some(ms(file.length.samples + 24));
    row.missing_ms = ms(file.length.missing).min(longest);
    row.audio_key = Some(blob::message_key(row.id));
    row.audio_bytes = i64::try_from(file.size_bytes).ok();
    row.audio_sha256 = Some(file.sha256.clone());
    row.source_type = Some("audio/ogg; codecs=opus".to_owned());
    row.transcoded = false;
    row
}

fn empty() -> ApiError {
    ApiError::new(
        ErrorCode::AudioEmpty,
        "No sound has arrived in this recording. Send packets, or cancel it.",
    )
}

/// It is as long as it may be: sent as it is, never thrown away.
pub(super) fn at_limit(app: &App, recording: Arc<Recording>) {
    let owner = app.clone();
    app.ingest.tasks.spawn(async move {
        let app = owner;
        let _turn = app.recordings.turns.lock(recording.id).await;
        if !recording.is_at_limit() {
            return;
        }
        let packets = recording.lock().receiver.packets();
        match end(&app, &recording, Finish::AS_IT_IS).await {
            Ok(_) => recording.tell_sender(ServerMessage::Error {
                reference: None,
                problem: begin::finished(packets.into()).problem().clone(),
            }),
            Err(error) => {
                tracing::warn!(message = %recording.id, code = error.code().as_str(), "a recording at its limit is not finished");
            }
        }
    });
}

/// Deletes a recording that nobody shall hear.
pub(crate) async fn cancel(app: &App, recording: &Arc<Recording>) -> ApiResult<()> {
    let _turn = app.recordings.turns.lock(recording.id).await;
    let id = recording.id;
    app.store
        .write(move |c| {
            Box::pin(async move {
                let row = messages::by_id(c, id)
                    .await?
                    .filter(|row| row.state == "recording")
                    .ok_or_else(|| begin::finished(0))?;
                messages::delete(c, &row, clock::now()).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    tell(app, recording, RecordingState::Cancelled).await?;
    app.recordings.close(recording, 0);
    Ok(())
}
