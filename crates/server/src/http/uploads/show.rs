//! What answers tell about an upload.

use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;
use voxpost_proto::ErrorCode;

use super::protocol::{DEFER_LENGTH, LENGTH, OFFSET, Protocol};
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::ingest::message::Accepted;
use crate::store::uploads::UploadRow;
use crate::uploads::{self, Outcome};

const MESSAGE_ID: HeaderName = HeaderName::from_static("voxpost-message-id");

/// Where it is, for this protocol.
pub(super) fn progress(headers: &mut HeaderMap, protocol: Protocol, row: &UploadRow) {
    let machine = row.machine();
    headers.insert(OFFSET, machine.offset.into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some((name, value)) = protocol.wholeness(machine.finished) {
        headers.insert(name, value);
    }
    if !machine.finished {
        let at = UNIX_EPOCH + Duration::from_millis(row.expires_at.unsigned_abs());
        if let Ok(at) = HeaderValue::try_from(httpdate::fmt_http_date(at)) {
            headers.insert(HeaderName::from_static("upload-expires"), at);
        }
    }
}

/// How long it will be, and what its owner said about it: for who asks.
pub(super) fn length_and_metadata(headers: &mut HeaderMap, protocol: Protocol, row: &UploadRow) {
    match (row.machine().length, protocol) {
        (Some(length), _) => {
            headers.insert(LENGTH, length.into());
        }
        (None, Protocol::Tus) => {
            headers.insert(DEFER_LENGTH, HeaderValue::from_static("1"));
        }
        (None, Protocol::Draft(_)) => {}
    }
    let metadata = row.metadata.as_ref().filter(|_| protocol == Protocol::Tus);
    if let Some(value) = metadata.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(HeaderName::from_static("upload-metadata"), value);
    }
}

pub(super) fn location(headers: &mut HeaderMap, id: Uuid) {
    if let Ok(location) = HeaderValue::try_from(format!("/v1/uploads/{id}")) {
        headers.insert(header::LOCATION, location);
    }
}

/// The answer to the request that made an upload whole: what became of it.
pub(super) async fn whole(app: &App, protocol: Protocol, row: &UploadRow, status: StatusCode) -> Response {
    let outcome = match row.state.as_str() {
        "held" => Ok(Outcome::Held),
        _ => uploads::finish(app, row.id).await,
    };
    let mut response = match outcome {
        Ok(outcome) => {
            let mut response = status.into_response();
            if let Some(id) = message_id(&outcome) {
                told(response.headers_mut(), id);
            }
            response
        }
        Err(error) => error.into_response(),
    };
    progress(response.headers_mut(), protocol, row);
    response
}

/// Names the message.
pub(super) fn told(headers: &mut HeaderMap, id: Uuid) {
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(MESSAGE_ID, id);
    }
}

fn message_id(outcome: &Outcome) -> Option<Uuid> {
    match outcome {
        Outcome::Sent(Accepted::Created(message) | Accepted::Repeated(message)) => Some(message.id),
        Outcome::Sent(Accepted::Processing(id)) => Some(*id),
        Outcome::Held | Outcome::Later => None,
    }
}

/// A refusal that tells where the upload is, so that nobody need ask.
pub(super) async fn refused(
    app: &App,
    protocol: Protocol,
    user_id: Uuid,
    id: Uuid,
    error: ApiError,
) -> Response {
    refused_at(app, protocol, user_id, id, 0, error).await
}

/// The same for a request that went on at `given`.
pub(super) async fn refused_at(
    app: &App,
    protocol: Protocol,
    user_id: Uuid,
    id: Uuid,
    given: u64,
    error: ApiError,
) -> Response {
    let row: ApiResult<UploadRow> = uploads::find(app, user_id, id).await;
    let problem = match (&row, protocol) {
        (Ok(row), Protocol::Draft(6)) => of_the_draft(&error, row, given),
        _ => None,
    };
    let mut response = error.into_response();
    if let Some(body) = problem {
        *response.body_mut() = body.into();
    }
    if let Ok(row) = row {
        progress(response.headers_mut(), protocol, &row);
    }
    response
}

/// The draft has types of problems of its own for the most frequent ones (draft -05 §7); the rest of the body stays.
fn of_the_draft(error: &ApiError, row: &UploadRow, given: u64) -> Option<String> {
    if error.code() != ErrorCode::UploadOffsetMismatch {
        return None;
    }
    let machine = row.machine();
    let mut body = serde_json::to_value(error.problem()).ok()?;
    let kind = if machine.finished && given == machine.offset {
        "completed-upload"
    } else {
        body["expected-offset"] = machine.offset.into();
        body["provided-offset"] = given.into();
        "mismatching-upload-offset"
    };
    body["type"] = format!("https://iana.org/assignments/http-problem-types#{kind}").into();
    Some(body.to_string())
}
