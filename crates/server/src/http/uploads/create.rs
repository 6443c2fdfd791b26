//! `POST /v1/uploads`: begin an upload, with its first bytes or without.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use voxpost_proto::Problem;

use super::checksum::Checksum;
use super::protocol::{DEFER_LENGTH, LENGTH, OFFSET, Protocol, bytes_of};
use super::receive::{Incoming, Received, content_length, receive};
use super::{metadata, show};
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::idempotency::idempotency_key;
use crate::http::unread;
use crate::store::uploads::UploadRow;
use crate::uploads::{self, Begin, Writer, begin, take_over};

/// Of a body that holds bytes of an upload, in tus.
pub(super) const OFFSET_STREAM: &str = "application/offset+octet-stream";

/// Begins an upload: tus creation, with or without the first bytes, or an upload of the IETF draft. `Upload-Metadata` carries
/// `conversation_id`, `client_id`, `reply_to`, `caption`, `filename`, `filetype`, each in Base64.
#[utoipa::path(
    post, path = "/v1/uploads", tag = "uploads",
    params(
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Draft-Interop-Version" = Option<String>, Header, description = "3, 5 or 6, instead of tus"),
        ("Upload-Length" = Option<u64>, Header, description = "In bytes"),
        ("Upload-Defer-Length" = Option<u8>, Header, description = "1 when the length is not known yet"),
        ("Upload-Metadata" = Option<String>, Header, description = "Keys with values in Base64"),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the body: `sha256` or `sha1`, and Base64"),
    ),
    responses(
        (status = 201, description = "`Location`, `Upload-Offset`, `Upload-Expires`; `Voxpost-Message-Id` when it is whole and sent"),
        (status = 400, body = Problem, description = "`invalid_request`"),
        (status = 403, body = Problem, description = "`voice_not_accepted`, `forbidden`"),
        (status = 404, body = Problem, description = "`not_found`: no such conversation"),
        (status = 412, body = Problem, description = "`unsupported_version`"),
        (status = 413, body = Problem, description = "`audio_too_large`"),
        (status = 415, body = Problem, description = "`audio_unrecognised`, `audio_unsupported`"),
        (status = 422, body = Problem, description = "`audio_corrupt`, `audio_empty`, `audio_too_long`"),
        (status = 429, body = Problem, description = "`rate_limited`, `quota_exceeded`"),
        (status = 460, body = Problem, description = "`checksum_mismatch`"),
        (status = 503, body = Problem, description = "`unavailable`"),
        (status = 507, body = Problem, description = "`storage_full`"),
    ),
)]
pub(super) async fn create(State(app): State<App>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = match Asked::read(&app, &mut parts).await {
        Ok(asked) => asked,
        Err(error) => return unread::refuse(error, &parts.headers, body),
    };
    let protocol = asked.protocol;
    let row = match begin(&app, asked.caller.user_id, asked.begin.clone()).await {
        Ok(row) => row,
        Err(error) => return unread::refuse(error, &parts.headers, body),
    };
    let id = row.id;
    let mut response = if asked.has_bytes {
        first_bytes(&app, asked, row, body, content_length(&parts.headers)).await
    } else {
        let mut response = StatusCode::CREATED.into_response();
        show::progress(response.headers_mut(), protocol, &row);
        response
    };
    show::location(response.headers_mut(), id);
    response
}

/// What the headers say.
struct Asked {
    caller: Caller,
    protocol: Protocol,
    begin: Begin,
    checksum: Option<Checksum>,
    /// The body is the beginning of the upload.
    has_bytes: bool,
    ends: bool,
}

impl Asked {
    async fn read(app: &App, parts: &mut Parts) -> ApiResult<Self> {
        let protocol = Protocol::of(&parts.headers)?;
        let caller = Caller::from_request_parts(parts, app).await?;
        let headers = &parts.headers;
        let mut begin = metadata::read(headers)?;
        begin.client_id = begin.client_id.or(idempotency_key(headers)?);
        let ends = protocol.ends(headers)?;
        begin.length = match ends {
            None => tus_length(headers)?,
            Some(ends) => draft_length(headers, ends)?,
        };
        let has_bytes = match protocol {
            Protocol::Tus => is(headers, OFFSET_STREAM) || begin.length == Some(0),
            Protocol::Draft(_) => true,
        };
        Ok(Self {
            caller,
            protocol,
            begin,
            checksum: Checksum::read(headers)?.filter(|_| has_bytes),
            has_bytes,
            ends: ends.unwrap_or(false),
        })
    }
}

async fn first_bytes(app: &App, asked: Asked, row: UploadRow, body: Body, length: Option<u64>) -> Response {
    let (user_id, protocol) = (asked.caller.user_id, asked.protocol);
    let id = row.id;
    let checked = asked.checksum.is_some();
    let received = async {
        let taken = take_over(app, user_id, id).await?;
        let writer = Writer::open(app, taken, 0, None).await?;
        let incoming = Incoming {
            body,
            length,
            checksum: asked.checksum,
            ends: asked.ends,
        };
        receive(app, writer, incoming).await
    };
    match received.await {
        Ok(Received::Whole(row)) => show::whole(app, protocol, &row, StatusCode::CREATED).await,
        Ok(Received::Part(row)) => {
            let mut response = StatusCode::CREATED.into_response();
            show::progress(response.headers_mut(), protocol, &row);
            response
        }
        Err(error) => {
            // Who gave a checksum that does not fit need not know of an upload that has nothing in it.
            if checked {
                let _ = uploads::end(app, user_id, id).await;
            }
            show::refused(app, protocol, user_id, id, error).await
        }
    }
}

fn tus_length(headers: &HeaderMap) -> ApiResult<Option<u64>> {
    let length = bytes_of(headers, &LENGTH)?;
    match (length, headers.get(DEFER_LENGTH).map(|value| value.as_bytes())) {
        (Some(_), None) => Ok(length),
        (None, Some(b"1")) => Ok(None),
        _ => Err(ApiError::invalid(
            "Give either `Upload-Length` or `Upload-Defer-Length: 1`.",
        )),
    }
}

fn draft_length(headers: &HeaderMap, ends: bool) -> ApiResult<Option<u64>> {
    if bytes_of(headers, &OFFSET)?.is_some_and(|offset| offset > 0) {
        return Err(ApiError::invalid("An upload begins at `Upload-Offset: 0`."));
    }
    let given = bytes_of(headers, &LENGTH)?;
    let follows = content_length(headers).filter(|_| ends);
    match (given, follows) {
        (Some(given), Some(follows)) if given != follows => Err(ApiError::invalid(
            "`Upload-Length` and `Content-Length` contradict each other.",
        )),
        _ => Ok(given.or(follows)),
    }
}

/// Whether the body is of this type.
pub(super) fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';')
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media_type))
}
