//! An upload over the socket: the task of one handle.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::socket::{ServerMessage, UploadFinish, UploadReply, UploadStart};
use voxpost_proto::upload::{Chunk, Refusal};

use super::CHUNK_BYTES;
use super::streams::{Inbound, Outlet};
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::caption;
use crate::ingest::message::Accepted;
use crate::store::messages;
use crate::store::uploads::UploadRow;
use crate::uploads::{self, Begin, Outcome, Writer, begin, take_over};
use crate::{clock, render};

/// What came is acknowledged after so long …
const ACK_AFTER: Duration = Duration::from_millis(150);

/// … or so many bytes, whatever comes first.
const ACK_BYTES: u64 = 1 << 20;

/// Serves one handle until the upload is finished, somebody else goes on with it, or the socket ends.
pub(super) async fn run(mut outlet: Outlet, id: Uuid, start: UploadStart) {
    let reference = start.reference.clone();
    let writer = match opened(&outlet.app, outlet.caller, id, start).await {
        Ok(writer) => writer,
        Err(error) => {
            outlet.say(refusal(reference, &error)).await;
            return;
        }
    };
    let ready = UploadReply::Ready {
        upload_id: writer.id(),
        handle: outlet.handle,
        offset: writer.durable(),
        chunk_bytes: CHUNK_BYTES as u64,
        reference,
    };
    outlet.say(ServerMessage::Upload(ready)).await;
    receive(&mut outlet, writer).await;
}

/// The bytes came over another connection, or the answer was lost.
pub(super) async fn finish_only(outlet: Outlet, finish: UploadFinish) {
    let UploadFinish {
        upload_id,
        sha256,
        reference,
    } = finish;
    let (app, user_id) = (&outlet.app, outlet.caller.user_id);
    let done = async {
        let sha256 = digest(sha256.as_deref())?;
        let row = uploads::find(app, user_id, upload_id).await?;
        if row.machine().finished {
            return uploads::finish(app, upload_id).await;
        }
        let taken = take_over(app, user_id, upload_id).await?;
        let offset = taken.row.machine().offset;
        let writer = Writer::open(app, taken, offset, None).await?;
        end(app, writer, sha256).await
    };
    let outcome = done.await;
    outlet
        .say(answer(app, outlet.caller, reference, outcome).await)
        .await;
}

async fn opened(app: &App, caller: Caller, id: Uuid, start: UploadStart) -> ApiResult<Writer> {
    app.limits.request(caller.user_id)?;
    let length = match start.upload_id {
        Some(_) => start.length,
        None => {
            let asked = Begin {
                id: Some(id),
                length: start.length,
                conversation_id: start.conversation_id,
                client_id: start.client_id,
                reply_to: start.reply_to,
                caption: start.caption.as_deref().map(caption).transpose()?.flatten(),
                metadata: None,
            };
            begin(app, caller.user_id, asked).await?;
            None
        }
    };
    let taken = take_over(app, caller.user_id, id).await?;
    let offset = taken.row.machine().offset;
    Writer::open(app, taken, offset, length).await
}

async fn receive(outlet: &mut Outlet, mut writer: Writer) {
    let taken_over = writer.taken_over();
    let stopping = outlet.app.ingest.stopping.clone();
    let mut due = Instant::now();
    loop {
        let inbound = tokio::select! {
            biased;
            () = taken_over.cancelled() => {
                let _ = writer.checkpoint().await;
                return fail(outlet, writer.id(), &Refusal::Fenced.into()).await;
            }
            () = stopping.cancelled() => {
                let _ = writer.checkpoint().await;
                return;
            }
            () = sleep_until(due), if writer.ahead() > 0 => {
                if !acknowledge(outlet, &mut writer).await {
                    return;
                }
                continue;
            }
            inbound = outlet.inbound.recv() => inbound,
        };
        match inbound {
            // The socket has ended; what came is kept for the next one.
            None => {
                let _ = writer.checkpoint().await;
                return;
            }
            Some(Inbound::Body(body)) => {
                if writer.ahead() == 0 {
                    due = Instant::now() + ACK_AFTER;
                }
                if let Err(error) = take(&mut writer, &body).await {
                    let _ = writer.checkpoint().await;
                    return fail(outlet, writer.id(), &error).await;
                }
                let much = writer.ahead() >= ACK_BYTES || (writer.is_whole() && writer.ahead() > 0);
                if much && !acknowledge(outlet, &mut writer).await {
                    return;
                }
            }
            Some(Inbound::FinishUpload(finish)) => match finish_here(outlet, writer, finish).await {
                Some(back) => writer = back,
                None => return,
            },
        }
    }
}

async fn take(writer: &mut Writer, body: &[u8]) -> ApiResult<()> {
    let chunk = Chunk::parse(body).map_err(|error| ApiError::invalid(format!("{error}")))?;
    writer.write_at(chunk.offset, chunk.bytes).await
}

/// Makes what came durable and says so; false when this is the end.
async fn acknowledge(outlet: &Outlet, writer: &mut Writer) -> bool {
    let kept = match writer.checkpoint().await {
        Ok(offset) => writer.room(0).await.map(|()| offset),
        Err(error) => Err(error),
    };
    match kept {
        Ok(offset) => {
            let ack = UploadReply::Ack {
                upload_id: writer.id(),
                handle: outlet.handle,
                offset,
            };
            outlet.say(ServerMessage::Upload(ack)).await
        }
        Err(error) => {
            fail(outlet, writer.id(), &error).await;
            false
        }
    }
}

/// Gives the writer back when bytes are missing: they may still come.
async fn finish_here(outlet: &Outlet, mut writer: Writer, finish: UploadFinish) -> Option<Writer> {
    let UploadFinish {
        sha256, reference, ..
    } = finish;
    let app = &outlet.app;
    let checked = match digest(sha256.as_deref()) {
        Ok(sha256) => writer.may_finish().map(|()| sha256),
        Err(error) => Err(error),
    };
    match checked {
        Err(error) => {
            // Also tells what is durable by now.
            if !acknowledge(outlet, &mut writer).await {
                return None;
            }
            outlet.say(refusal(reference, &error)).await;
            Some(writer)
        }
        Ok(sha256) => {
            let outcome = end(app, writer, sha256).await;
            outlet
                .say(answer(app, outlet.caller, reference, outcome).await)
                .await;
            None
        }
    }
}

async fn end(app: &App, writer: Writer, sha256: Option<[u8; 32]>) -> ApiResult<Outcome> {
    writer.may_finish()?;
    let row: UploadRow = writer.finish(sha256).await?;
    match row.state.as_str() {
        "held" => Ok(Outcome::Held),
        _ => uploads::finish(app, row.id).await,
    }
}

async fn answer(
    app: &App,
    caller: Caller,
    reference: Option<Value>,
    outcome: ApiResult<Outcome>,
) -> ServerMessage {
    let shown = async {
        let row = match outcome? {
            Outcome::Sent(Accepted::Created(row) | Accepted::Repeated(row)) => Some(*row),
            Outcome::Sent(Accepted::Processing(id)) => {
                let mut c = app.store.read().await?;
                messages::by_id(&mut c, id).await?
            }
            Outcome::Held | Outcome::Later => None,
        };
        Ok::<_, ApiError>(row.map(|row| render::message(&app.keys, &row, caller.user_id, clock::now())))
    };
    match shown.await {
        Ok(message) => ServerMessage::Ok {
            reference,
            message: message.map(Box::new),
        },
        Err(error) => refusal(reference, &error),
    }
}

/// The upload does not go on here; it can at another door, from what was acknowledged.
async fn fail(outlet: &Outlet, upload_id: Uuid, error: &ApiError) {
    let failed = UploadReply::Failed {
        upload_id,
        handle: outlet.handle,
        problem: error.problem().clone(),
    };
    outlet.say(ServerMessage::Upload(failed)).await;
}

fn refusal(reference: Option<Value>, error: &ApiError) -> ServerMessage {
    ServerMessage::Error {
        reference,
        problem: error.problem().clone(),
    }
}

fn digest(hex: Option<&str>) -> ApiResult<Option<[u8; 32]>> {
    let Some(hex) = hex else { return Ok(None) };
    let malformed = || {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "`sha256` must be 64 hexadecimal digits.",
        )
    };
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(malformed());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
    }
    Ok(Some(digest))
}
