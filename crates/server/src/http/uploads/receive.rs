//! The body of a request on its way into an upload.

use axum::body::Body;
use axum::http::HeaderMap;
use futures_util::StreamExt;
use voxpost_proto::upload::Refusal;

use super::checksum::Checksum;
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::http::unread;
use crate::store::uploads::UploadRow;
use crate::uploads::Writer;

/// After so many bytes what came is made durable, so that little is sent again when the server is killed.
const CHECKPOINT: u64 = 2 << 20;

/// A body, and what is said about it.
pub(super) struct Incoming {
    pub(super) body: Body,
    /// From `Content-Length`.
    pub(super) length: Option<u64>,
    pub(super) checksum: Option<Checksum>,
    /// Its end is the end of the upload.
    pub(super) ends: bool,
}

/// What came of it.
pub(super) enum Received {
    /// Durable; there is more to come.
    Part(UploadRow),
    /// All is there: time to make the message.
    Whole(UploadRow),
}

/// Reads the body to its end. It goes on for itself, so that what came is kept when the client goes away in the middle.
pub(super) async fn receive(app: &App, writer: Writer, incoming: Incoming) -> ApiResult<Received> {
    let owner = app.clone();
    app.ingest
        .tasks
        .spawn(async move { read(&owner, writer, incoming).await })
        .await
        .map_err(ApiError::internal)?
}

/// Why reading came to an end.
enum End {
    Whole,
    Broken,
    TakenOver,
    Stopping,
}

async fn read(app: &App, mut writer: Writer, incoming: Incoming) -> ApiResult<Received> {
    let Incoming {
        body,
        length,
        mut checksum,
        ends,
    } = incoming;
    let expected = async {
        if let Some(length) = length {
            writer.expect(length)?;
        }
        writer.room(length.unwrap_or(0)).await
    };
    if let Err(error) = expected.await {
        unread::drain(body);
        return Err(error);
    }
    let taken_over = writer.taken_over();
    let mut body = body.into_data_stream();
    let end = loop {
        let piece = tokio::select! {
            biased;
            () = taken_over.cancelled() => break End::TakenOver,
            () = app.ingest.stopping.cancelled() => break End::Stopping,
            piece = body.next() => piece,
        };
        let piece = match piece {
            None => break End::Whole,
            Some(Err(_)) => break End::Broken,
            Some(Ok(piece)) => piece,
        };
        if let Some(checksum) = &mut checksum {
            checksum.update(&piece);
        }
        let mut kept = writer.write(&piece).await;
        // Not at the end: a body that is too long would have made the upload whole. Nor what is not checked yet.
        if kept.is_ok() && writer.ahead() >= CHECKPOINT && checksum.is_none() && !writer.is_whole() {
            kept = match writer.checkpoint().await {
                Ok(_) => writer.room(0).await,
                Err(error) => Err(error),
            };
        }
        if let Err(error) = kept {
            drop_rest(&mut writer).await;
            unread::drain(Body::from_stream(body));
            return Err(error);
        }
    };
    if let Some(checksum) = checksum {
        let checked = match end {
            End::Whole => checksum.check(),
            _ => Err(stopped(&end)),
        };
        if let Err(error) = checked {
            drop_rest(&mut writer).await;
            return Err(error);
        }
    }
    // Who did not say how much would come is told here that it was too much.
    if length.is_none()
        && let Err(error) = writer.room(writer.ahead()).await
    {
        drop_rest(&mut writer).await;
        return Err(error);
    }
    // With a length that is known all is there, however the connection ended.
    if writer.is_whole() || (ends && matches!(end, End::Whole)) {
        return writer.finish(None).await.map(Received::Whole);
    }
    writer.checkpoint().await?;
    match end {
        End::Whole => Ok(Received::Part(writer.row().clone())),
        end => Err(stopped(&end)),
    }
}

async fn drop_rest(writer: &mut Writer) {
    if let Err(error) = writer.discard().await {
        tracing::debug!(
            code = error.code().as_str(),
            "what was not promised is cut by the next writer"
        );
    }
}

fn stopped(end: &End) -> ApiError {
    match end {
        End::TakenOver => Refusal::Fenced.into(),
        End::Stopping => ApiError::unavailable("The server is stopping. Ask for the offset and go on."),
        End::Whole | End::Broken => {
            ApiError::unavailable("The body ended in the middle. Ask for the offset and go on.")
        }
    }
}

/// `Content-Length`, where it is one.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}
