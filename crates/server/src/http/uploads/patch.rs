//! `PATCH /v1/uploads/{id}`: go on.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;
use voxpost_proto::{ErrorCode, Problem};

use super::checksum::Checksum;
use super::create::{OFFSET_STREAM, is};
use super::protocol::{LENGTH, OFFSET, Protocol, bytes_of};
use super::receive::{Incoming, Received, content_length, receive};
use super::show;
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::Path;
use crate::http::unread;
use crate::store::uploads::UploadRow;
use crate::uploads::{self, Writer, take_over};

/// Of a body that goes on with an upload, in the draft from interop version 6.
const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// Goes on with an upload where its durable bytes end, and takes it over from a connection that is silent. The request that
/// makes it whole answers once the message is published, or says why there is none.
#[utoipa::path(
    patch, path = "/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = Uuid, Path, description = "The upload"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Draft-Interop-Version" = Option<String>, Header, description = "3, 5 or 6, instead of tus"),
        ("Upload-Offset" = u64, Header, description = "Where the body goes on"),
        ("Upload-Length" = Option<u64>, Header, description = "When it was not known before"),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the body: `sha256` or `sha1`, and Base64"),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "`Upload-Offset`; `Voxpost-Message-Id` when it is whole and sent"),
        (status = 201, description = "In the draft: there is more to come"),
        (status = 400, body = Problem, description = "`invalid_request`"),
        (status = 403, body = Problem, description = "`voice_not_accepted`, `forbidden`"),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 409, body = Problem, description = "`upload_offset_mismatch`, `conflict`"),
        (status = 410, body = Problem, description = "`upload_expired`"),
        (status = 412, body = Problem, description = "`unsupported_version`"),
        (status = 413, body = Problem, description = "`audio_too_large`"),
        (status = 415, body = Problem, description = "`unsupported_media_type`, `audio_unrecognised`, `audio_unsupported`"),
        (status = 422, body = Problem, description = "`audio_corrupt`, `audio_empty`, `audio_too_long`"),
        (status = 429, body = Problem, description = "`rate_limited`, `quota_exceeded`"),
        (status = 460, body = Problem, description = "`checksum_mismatch`"),
        (status = 503, body = Problem, description = "`unavailable`"),
        (status = 507, body = Problem, description = "`storage_full`"),
    ),
)]
pub(super) async fn patch(State(app): State<App>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = match Asked::read(&app, &mut parts).await {
        Ok(asked) => asked,
        Err(error) => return unread::refuse(error, &parts.headers, body),
    };
    go_on(&app, asked, &parts.headers, body).await
}

struct Asked {
    user_id: Uuid,
    protocol: Protocol,
    row: UploadRow,
    offset: u64,
    length: Option<u64>,
    checksum: Option<Checksum>,
    ends: bool,
}

impl Asked {
    async fn read(app: &App, parts: &mut Parts) -> ApiResult<Self> {
        let protocol = Protocol::of(&parts.headers)?;
        let caller = Caller::from_request_parts(parts, app).await?;
        let Path(id) = Path::<Uuid>::from_request_parts(parts, app).await?;
        let headers = &parts.headers;
        let row = uploads::find(app, caller.user_id, id).await?;
        let wanted = match protocol {
            Protocol::Tus => Some(OFFSET_STREAM),
            Protocol::Draft(6) => Some(PARTIAL_UPLOAD),
            Protocol::Draft(_) => None,
        };
        if let Some(wanted) = wanted.filter(|wanted| !is(headers, wanted)) {
            return Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                format!("Send `Content-Type: {wanted}`."),
            ));
        }
        let offset =
            bytes_of(headers, &OFFSET)?.ok_or_else(|| ApiError::invalid("`Upload-Offset` is missing."))?;
        let ends = protocol.ends(headers)?.unwrap_or(false);
        let known = content_length(headers).filter(|_| ends);
        Ok(Self {
            user_id: caller.user_id,
            protocol,
            row,
            offset,
            length: bytes_of(headers, &LENGTH)?.or(known.map(|rest| offset.saturating_add(rest))),
            checksum: Checksum::read(headers)?,
            ends,
        })
    }
}

async fn go_on(app: &App, asked: Asked, headers: &HeaderMap, body: Body) -> Response {
    let (protocol, id) = (asked.protocol, asked.row.id);
    let length = content_length(headers);
    // The answer to the last request was lost, and a client asks again.
    if asked.row.machine().finished {
        unread::drain(body);
        return finished(app, &asked, length).await;
    }
    let opened = async {
        let taken = take_over(app, asked.user_id, id).await?;
        Writer::open(app, taken, asked.offset, asked.length).await
    };
    let writer = match opened.await {
        Ok(writer) => writer,
        Err(error) => {
            unread::drain(body);
            return refused(app, &asked, error).await;
        }
    };
    let (user_id, offset) = (asked.user_id, asked.offset);
    let incoming = Incoming {
        body,
        length,
        checksum: asked.checksum,
        ends: asked.ends,
    };
    match receive(app, writer, incoming).await {
        Ok(Received::Whole(row)) => show::whole(app, protocol, &row, StatusCode::NO_CONTENT).await,
        Ok(Received::Part(row)) => {
            let status = match protocol {
                Protocol::Tus => StatusCode::NO_CONTENT,
                Protocol::Draft(_) => StatusCode::CREATED,
            };
            let mut response = status.into_response();
            show::progress(response.headers_mut(), protocol, &row);
            response
        }
        Err(error) => show::refused_at(app, protocol, user_id, id, offset, error).await,
    }
}

async fn finished(app: &App, asked: &Asked, length: Option<u64>) -> Response {
    if asked.offset == asked.row.machine().offset && length.unwrap_or(0) == 0 {
        return show::whole(app, asked.protocol, &asked.row, StatusCode::NO_CONTENT).await;
    }
    let error = ApiError::new(
        ErrorCode::UploadOffsetMismatch,
        "The upload is finished. Nothing is to be sent.",
    );
    refused(app, asked, error).await
}

async fn refused(app: &App, asked: &Asked, error: ApiError) -> Response {
    show::refused_at(
        app,
        asked.protocol,
        asked.user_id,
        asked.row.id,
        asked.offset,
        error,
    )
    .await
}
