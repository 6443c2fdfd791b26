//! Opening a recording: for the first time, or again.

use std::sync::Arc;

use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::live::Runs;
use voxpost_proto::socket::RecordingStart;

use super::canonical::Shape;
use super::recording::Known;
use super::{Outlet, Recording, growth, lock};
use crate::app::App;
use crate::auth;
use crate::error::{ApiError, ApiResult};
use crate::ingest::{Quota, message};
use crate::store::recordings::{self, RecordingRow};
use crate::store::{idempotency, members, messages};
use crate::{access, clock};

/// A recording that a socket may send now.
pub(crate) struct Opened {
    pub(crate) recording: Arc<Recording>,
    pub(crate) resume_token: String,
    pub(crate) next_sequence: u32,
}

/// `recording.start`: a new recording, or the one that the same `client_id` began, with a new token.
pub(crate) async fn start(
    app: &App,
    user_id: Uuid,
    start: RecordingStart,
    outlet: &Arc<Outlet>,
    handle: u32,
) -> ApiResult<Opened> {
    let frame_samples = check(&start)?;
    app.limits.message(user_id)?;
    let _turn = app.ingest.one_at_a_time(user_id, start.client_id).await;
    let earlier = {
        let mut c = app.store.read().await?;
        earlier(&mut c, user_id, &start).await?
    };
    let (resume_token, token_hash) = auth::new_token();
    let Some(row) = earlier else {
        let recording = insert(app, user_id, &start, frame_samples, token_hash).await?;
        return attach(recording, resume_token, outlet, handle);
    };
    let _turn = app.recordings.turns.lock(row.message_id).await;
    let recording = take_over(app, row.message_id, Some(token_hash)).await?;
    attach(recording, resume_token, outlet, handle)
}

/// `recording.resume`: the same recording on this socket; whoever sent it before is fenced off.
pub(crate) async fn resume(
    app: &App,
    user_id: Uuid,
    message_id: Uuid,
    resume_token: String,
    outlet: &Arc<Outlet>,
    handle: u32,
) -> ApiResult<Opened> {
    let _turn = app.recordings.turns.lock(message_id).await;
    let row = {
        let mut c = app.store.read().await?;
        recordings::by_id(&mut c, message_id).await?
    };
    let hash = auth::token_hash(&resume_token);
    let row = row.filter(|row| row.sender_id == user_id && bool::from(same(&row.token_hash, &hash)));
    let row = row.ok_or_else(ApiError::not_found)?;
    let recording = take_over(app, row.message_id, None).await?;
    attach(recording, resume_token, outlet, handle)
}

fn same(a: &[u8], b: &[u8]) -> subtle::Choice {
    subtle::ConstantTimeEq::ct_eq(a, b)
}

/// What a recorder may ask for; returns what a packet plays as a rule, in samples at 48 kHz.
fn check(start: &RecordingStart) -> ApiResult<u32> {
    const FRAMES_MS: [f32; 9] = [2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0];
    if start.codec != "opus" {
        let error = ApiError::new(ErrorCode::AudioUnsupported, "Only `opus` can be recorded live.");
        return Err(error.codec(start.codec.chars().take(40).collect::<String>()));
    }
    if !(1..=2).contains(&start.channels) {
        return Err(ApiError::invalid("`channels` must be 1 or 2."));
    }
    if !FRAMES_MS.contains(&start.frame_ms) {
        return Err(ApiError::invalid(
            "`frame_ms` must be 2.5, 5, 10, 20, 40, 60, 80, 100 or 120.",
        ));
    }
    Ok((start.frame_ms * 48.0) as u32)
}

/// The recording that this id of the sender stands for already.
async fn earlier(
    c: &mut crate::store::Conn,
    user_id: Uuid,
    start: &RecordingStart,
) -> ApiResult<Option<RecordingRow>> {
    let Some(message) = messages::by_client_id(c, user_id, start.client_id).await? else {
        let other = idempotency::earlier(c, user_id, start.client_id, &[]).await?;
        return if other == idempotency::Earlier::New {
            Ok(None)
        } else {
            Err(message::taken())
        };
    };
    if message.state == "deleted" {
        return Err(ApiError::not_found());
    }
    let row = recordings::by_id(c, message.id).await?;
    let same = message.conversation_id == start.conversation_id && message.reply_to == start.reply_to;
    row.filter(|row| same && row.live == start.live)
        .map(Some)
        .ok_or_else(message::taken)
}

async fn insert(
    app: &App,
    user_id: Uuid,
    start: &RecordingStart,
    frame_samples: u32,
    token_hash: Vec<u8>,
) -> ApiResult<Arc<Recording>> {
    let now = clock::now();
    let mut row = message::draft(start.conversation_id, user_id, now);
    row.state = "recording".to_owned();
    row.client_id = Some(start.client_id);
    row.reply_to = start.reply_to;
    let recording = RecordingRow {
        message_id: row.id,
        sender_id: user_id,
        state: "recording".to_owned(),
        token_hash,
        node: app.recordings.node,
        live: start.live,
        channels: start.channels.into(),
        pre_skip: start.pre_skip.into(),
        frame_samples: frame_samples.into(),
        first_sequence: start.first_sequence.into(),
        packets: None,
        end_samples: None,
        changed_at: now.millis(),
    };
    let max = i64::from(app.config.max_recordings_per_user);
    let quota = Quota::of(&app.config);
    let inserted = recording.clone();
    let conversation_id = start.conversation_id;
    app.store
        .write(move |c| {
            Box::pin(async move {
                access::send_voice(c, user_id, conversation_id).await?;
                let standing = members::standing(c, conversation_id, user_id).await?;
                if inserted.live && !standing.is_some_and(|standing| standing.live) {
                    return Err(ApiError::forbidden(
                        "This conversation does not take live recordings; its `live` can be changed.",
                    ));
                }
                if let Some(id) = row.reply_to
                    && !messages::can_be_answered(c, conversation_id, user_id, id).await?
                {
                    return Err(ApiError::invalid(
                        "`reply_to` must be a message of this conversation that you can see.",
                    ));
                }
                if max > 0 && recordings::count_open(c, user_id).await? >= max {
                    let detail = format!("At most {max} recordings of one person can go on. Finish some.");
                    return Err(ApiError::new(ErrorCode::RateLimited, detail).retry_after(5));
                }
                quota.check_room(c, user_id).await?;
                if !messages::insert(c, &row).await? {
                    return Err(message::taken());
                }
                recordings::insert(c, &inserted).await?;
                Ok(())
            })
        })
        .await?;
    let shape = Shape::of(&recording, app.config.max_duration_ms);
    let known = Known {
        runs: Runs::default(),
        samples: 0,
        bytes: 0,
        published: false,
        grown: growth::begin(app, shape),
    };
    Ok(open(app, &recording, conversation_id, shape, known))
}

/// Makes this node the one that writes an open recording. The caller has its turn.
pub(super) async fn take_over(app: &App, id: Uuid, token_hash: Option<Vec<u8>>) -> ApiResult<Arc<Recording>> {
    let node = app.recordings.node;
    let taken: ApiResult<bool> = app
        .store
        .write(move |c| {
            Box::pin(async move {
                Ok(recordings::take_over(c, id, node, token_hash.as_deref(), clock::now()).await?)
            })
        })
        .await;
    let mut c = app.store.read().await?;
    let row = recordings::by_id(&mut c, id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if !taken? {
        return Err(finished(row.packets.unwrap_or_default()));
    }
    if let Some(recording) = app.recordings.get(id) {
        return Ok(recording);
    }
    let message = messages::by_id(&mut c, id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let runs = recordings::runs(&mut c, id).await?;
    drop(c);
    let shape = Shape::of(&row, app.config.max_duration_ms);
    let number = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let mut known = Known {
        runs: Runs::default(),
        samples: 0,
        bytes: 0,
        published: message.seq.is_some(),
        grown: None,
    };
    for run in &runs {
        known
            .runs
            .add(number(run.first_sequence)..number(run.first_sequence + run.packet_count));
        known.samples += u64::try_from(run.samples).unwrap_or_default();
        known.bytes += u64::try_from(run.bytes).unwrap_or_default();
    }
    // What is there grows on from where it is, so that its end is as quick as any other's.
    if known.runs.count() <= 1 {
        known.grown = Some(growth::from_log(app, id, shape).await?);
    }
    Ok(open(app, &row, message.conversation_id, shape, known))
}

fn open(app: &App, row: &RecordingRow, conversation_id: Uuid, shape: Shape, known: Known) -> Arc<Recording> {
    let recording = Arc::new(Recording::new(
        row.message_id,
        conversation_id,
        row.sender_id,
        row.live,
        shape,
        app.config.max_audio_bytes,
        known,
    ));
    let mut open = lock(&app.recordings.open);
    open.insert(recording.id, Arc::clone(&recording));
    metrics::gauge!("voxpost_recordings_open").set(open.len() as f64);
    recording
}

fn attach(
    recording: Arc<Recording>,
    resume_token: String,
    outlet: &Arc<Outlet>,
    handle: u32,
) -> ApiResult<Opened> {
    let next_sequence = recording
        .attach(outlet, handle)
        .map_err(|packets| finished(packets.into()))?;
    Ok(Opened {
        recording,
        resume_token,
        next_sequence,
    })
}

/// The answer to who comes back too late.
pub(super) fn finished(packets: i64) -> ApiError {
    ApiError::new(
        ErrorCode::RecordingFinished,
        "The recording is finished: what was sent is kept.",
    )
    .packets(u32::try_from(packets).unwrap_or(u32::MAX))
}
