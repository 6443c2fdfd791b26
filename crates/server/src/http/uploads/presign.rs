//! `POST /v1/uploads/presign`: a link by which the sound goes to the object store itself.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use voxpost_proto::{ErrorCode, Problem, Timestamp};

use crate::app::App;
use crate::auth::Caller;
use crate::blob::Announced;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::Json;
use crate::{access, render, uploads};

const MAX_TYPE_BYTES: usize = 100;

/// What will be sent.
#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct Presign {
    /// Where it is to be sent.
    conversation_id: Uuid,
    /// The media type, which the link is bound to and nothing else believes.
    #[serde(rename = "type")]
    media_type: String,
    size_bytes: u64,
    /// Lower-case hex, of the whole file.
    sha256: String,
}

/// One request that the holder may make, once or several times, until it expires.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Presigned {
    upload_id: Uuid,
    /// `PUT`.
    method: &'static str,
    url: String,
    /// To be sent just so.
    headers: BTreeMap<&'static str, String>,
    /// Until when the request has to begin.
    #[schema(value_type = String)]
    expires_at: Timestamp,
}

/// Gives a link by which a sound can be put into the object store; afterwards it is sent by its `upload_id`. What arrives is
/// checked then, whatever was announced.
#[utoipa::path(
    post, path = "/v1/uploads/presign", tag = "uploads",
    request_body = Presign,
    responses(
        (status = 201, body = Presigned),
        (status = 400, body = Problem, description = "`invalid_request`"),
        (status = 403, body = Problem, description = "`voice_not_accepted`, `forbidden`"),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 409, body = Problem, description = "`not_supported`: sounds are kept on a disk of the server; upload to /v1/uploads"),
        (status = 413, body = Problem, description = "`audio_too_large`"),
        (status = 429, body = Problem, description = "`rate_limited`"),
        (status = 503, body = Problem, description = "`unavailable`"),
    ),
)]
pub(super) async fn presign(
    State(app): State<App>,
    caller: Caller,
    Json(asked): Json<Presign>,
) -> ApiResult<(StatusCode, axum::Json<Presigned>)> {
    {
        let mut c = app.store.read().await?;
        access::send_voice(&mut c, caller.user_id, asked.conversation_id).await?;
    }
    if app.blobs.is_local() {
        return Err(ApiError::new(
            ErrorCode::NotSupported,
            "Sounds are kept on a disk of this server, which gives no links. Upload to /v1/uploads.",
        ));
    }
    let announced = announced(&asked)?;
    let (row, link, expires_at) = uploads::presign(&app, caller.user_id, &announced).await?;
    let presigned = Presigned {
        upload_id: row.id,
        method: "PUT",
        url: link.url,
        headers: link.headers.into_iter().collect(),
        expires_at,
    };
    Ok((StatusCode::CREATED, axum::Json(presigned)))
}

fn announced(asked: &Presign) -> ApiResult<Announced> {
    let media_type = &asked.media_type;
    let plain = (1..=MAX_TYPE_BYTES).contains(&media_type.len())
        && media_type.contains('/')
        && media_type.trim() == media_type
        && media_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !plain {
        return Err(ApiError::invalid(
            "`type` must be a media type such as audio/ogg.",
        ));
    }
    if asked.size_bytes == 0 {
        return Err(ApiError::invalid(
            "`size_bytes` must be what the file has, and no file is empty.",
        ));
    }
    let sha256 = render::unhex(&asked.sha256).and_then(|hash| hash.try_into().ok());
    Ok(Announced {
        media_type: media_type.clone(),
        size_bytes: asked.size_bytes,
        sha256: sha256.ok_or_else(|| {
            ApiError::invalid("`sha256` must be the SHA-256 of the file: 64 digits of lower-case hex.")
        })?,
    })
}
