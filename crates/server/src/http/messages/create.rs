//! `POST /v1/conversations/{id}/messages`: send.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::{Message, MessageState};

use super::form::{self, Fields, Form};
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::Path;
use crate::http::idempotency::idempotency_key;
use crate::http::unread::{DRAIN, closing, refuse};
use crate::ingest::Upload;
use crate::ingest::message::{self, Accepted};
use crate::playback::Seen;
use crate::store::messages::MessageRow;
use crate::{access, clock, render, uploads};

/// A JSON body is no larger than this.
const MAX_JSON_BYTES: usize = 16 << 10;

/// The form, for the documentation: text fields first, the sound last.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what is read part by part")]
struct MessageForm {
    /// The sender's own id: the same id with the same content is one message.
    client_id: Option<Uuid>,
    /// A message of the same conversation.
    reply_to: Option<Uuid>,
    /// Words beside the sound, 2,000 characters at most.
    caption: Option<String>,
    /// What the sender says that it looks like until the server has measured: a JSON array of 1 to 256 integers 0 to 1024.
    waveform: Option<String>,
    /// The file, in any of `accepted_types`; its name and declared type do not matter.
    #[schema(content_media_type = "application/octet-stream", value_type = String)]
    audio: Vec<u8>,
}

/// From a finished upload.
#[derive(Deserialize, utoipa::ToSchema)]
struct FromUpload {
    /// Which upload.
    upload_id: Uuid,
    /// The sender's own id.
    #[serde(default)]
    client_id: Option<Uuid>,
    /// A message of the same conversation.
    #[serde(default)]
    reply_to: Option<Uuid>,
    /// Words beside the sound.
    #[serde(default)]
    caption: Option<String>,
}

/// The answer when the sound takes longer.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Accepting {
    id: Uuid,
    state: MessageState,
}

/// Sends a voice message: durable and visible to the others once this answers 201.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/messages", tag = "messages",
    params(("id" = Uuid, Path, description = "The conversation")),
    request_body(content(
        (MessageForm = "multipart/form-data"),
        (FromUpload = "application/json"),
    )),
    responses(
        (status = 201, body = Message, description = "Published"),
        (status = 200, body = Message, description = "The same was sent before under this client_id"),
        (status = 202, body = Accepting, description = "Kept; it will be `ready` or `failed`"),
        (status = 400, body = Problem, description = "`invalid_request`"),
        (status = 403, body = Problem, description = "`voice_not_accepted`, `forbidden`"),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 409, body = Problem, description = "`conflict`: the client_id was used for something else; \
            `upload_offset_mismatch`: the upload is not whole"),
        (status = 410, body = Problem, description = "`upload_expired`"),
        (status = 413, body = Problem, description = "`audio_too_large`"),
        (status = 415, body = Problem, description = "`audio_unrecognised`, `audio_unsupported`"),
        (status = 422, body = Problem, description = "`audio_corrupt`, `audio_empty`, `audio_too_long`"),
        (status = 429, body = Problem, description = "`rate_limited`"),
        (status = 503, body = Problem, description = "`unavailable`"),
        (status = 507, body = Problem, description = "`storage_full`"),
    ),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let started = async {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        let Path(conversation_id) = Path::<Uuid>::from_request_parts(&mut parts, &app).await?;
        let mut c = app.store.read().await?;
        let sender = access::send_voice(&mut c, caller.user_id, conversation_id).await?;
        app.limits.message(caller.user_id)?;
        let mut row = message::draft(conversation_id, caller.user_id, clock::now());
        row.sender_username = sender.username;
        row.sender_display_name = sender.display_name;
        row.client_id = idempotency_key(&parts.headers)?;
        Ok(row)
    };
    let row = match started.await {
        Ok(row) => row,
        Err(error) => return refuse(error, &parts.headers, body),
    };
    let content_type = text(&parts.headers, header::CONTENT_TYPE).to_owned();
    if is_json(&content_type) {
        return match from_upload(&app, &row, body).await {
            Ok(accepted) => answer(&app, &accepted, row.sender_id).await,
            Err(error) => error.into_response(),
        };
    }
    let viewer = row.sender_id;
    let limit = app.config.max_multipart_bytes;
    let length: Option<u64> = text(&parts.headers, header::CONTENT_LENGTH).parse().ok();
    if length.is_some_and(|length| length > limit + form::OVERHEAD) {
        return refuse(form::too_large(limit), &parts.headers, body);
    }
    let mut form = match Form::new(&content_type, body, limit) {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let expected = length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    match form.read(&app.ingest.spooler, expected).await {
        Ok((fields, upload)) => match send(&app, row, fields, upload).await {
            Ok(accepted) => answer(&app, &accepted, viewer).await,
            Err(error) => error.into_response(),
        },
        Err(error) => {
            tokio::spawn(tokio::time::timeout(DRAIN, form.drain()));
            closing(error)
        }
    }
}

async fn send(app: &App, mut row: MessageRow, fields: Fields, upload: Upload) -> ApiResult<Accepted> {
    row.client_id = fields.client_id.or(row.client_id);
    row.reply_to = fields.reply_to;
    row.caption = fields.caption;
    row.waveform_source = fields.waveform.is_some().then(|| "sender".to_owned());
    row.waveform = fields.waveform;
    message::accept(app, row, upload).await
}

async fn answer(app: &App, accepted: &Accepted, viewer: Uuid) -> Response {
    let (status, row) = match accepted {
        Accepted::Created(row) => (StatusCode::CREATED, row),
        Accepted::Repeated(row) => (StatusCode::OK, row),
        Accepted::Processing(id) => {
            let accepting = Accepting {
                id: *id,
                state: MessageState::Processing,
            };
            return (StatusCode::ACCEPTED, axum::Json(accepting)).into_response();
        }
    };
    let mut message = render::message(&app.keys, row, viewer, clock::now());
    if let Accepted::Repeated(row) = accepted {
        match seen(app, row, viewer).await {
            Ok(seen) => seen.show(&mut message),
            Err(error) => return error.into_response(),
        }
    }
    (status, axum::Json(message)).into_response()
}

/// Since the first answer others may have played it.
async fn seen(app: &App, row: &MessageRow, viewer: Uuid) -> ApiResult<Seen> {
    let mut c = app.store.read().await?;
    Ok(Seen::load(&mut c, &app.keys, viewer, [row]).await?)
}

/// Makes a message of an upload that is whole.
async fn from_upload(app: &App, row: &MessageRow, body: Body) -> ApiResult<Accepted> {
    let body = axum::body::to_bytes(body, MAX_JSON_BYTES)
        .await
        .map_err(|_| ApiError::invalid("The body could not be read, or is too large."))?;
    let request: FromUpload =
        serde_json::from_slice(&body).map_err(|error| ApiError::invalid(format!("{error}.")))?;
    let caption = request.caption.as_deref().map(form::caption).transpose()?;
    let fields = uploads::Fields {
        conversation_id: row.conversation_id,
        client_id: request.client_id.or(row.client_id),
        reply_to: request.reply_to,
        caption: caption.flatten(),
    };
    uploads::fetch(app, row.sender_id, request.upload_id).await?;
    uploads::send(app, row.sender_id, request.upload_id, fields).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
