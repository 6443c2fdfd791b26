//! `GET /v1/messages/{id}/audio`: the sound.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use voxpost_audio::Rendition;
use voxpost_proto::{ErrorCode, Problem};

use super::negotiate;
use super::range::{self, Selection};
use crate::app::App;
use crate::auth::Caller;
use crate::blob::BlobError;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::{Path, Query};
use crate::live::{self, Canonical};
use crate::store::messages::MessageRow;
use crate::store::renditions::Made;
use crate::{access, clock, render, renditions};

/// What is sent in one piece, without streaming.
const AT_ONCE: u64 = 256 << 10;

/// A private cache may keep a sound; it never changes.
const CACHE: &str = "private, max-age=600";

/// How to get at it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// One of the message's `audio.formats`: `ogg` is the canonical object, `webm` and `mp4` hold the same packets, `wav` is
    /// 16 kHz mono. Without it `Accept` chooses.
    format: Option<String>,
    /// Of a signed path: whose it is.
    u: Option<String>,
    /// Of a signed path: until when, in seconds since the Unix epoch.
    e: Option<String>,
    /// Of a signed path: the signature.
    sig: Option<String>,
}

/// The sound of a message, whole or in part. With the token of a member, or by the signed path in `audio.url`, to which
/// `&format=` may be added; membership and deletion are looked at each time. Formats other than `ogg` are made when they are
/// first asked for.
#[utoipa::path(
    method(get, head), path = "/v1/messages/{id}/audio", tag = "messages",
    security((), ("bearer" = [])),
    params(("id" = Uuid, Path, description = "The message"), Wanted),
    responses(
        (status = 200, content_type = "audio/*", description = "All of it"),
        (status = 206, content_type = "audio/*", description = "The part that `Range` asks for"),
        (status = 304, description = "As in `If-None-Match`"),
        (status = 307, description = "In the object store, by a link that is good for a minute (where it is configured)"),
        (status = 401, body = Problem, description = "`unauthenticated`: no token, or the signed path has expired"),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 406, body = Problem, description = "`not_acceptable`: not one of `audio.formats`"),
        (status = 416, description = "There are no such bytes"),
        (status = 503, body = Problem, description = "`unavailable`: too much is being made in other formats"),
    ),
)]
pub(crate) async fn audio(State(app): State<App>, mut parts: Parts) -> ApiResult<Response> {
    let Path(id) = Path::<Uuid>::from_request_parts(&mut parts, &app).await?;
    let Query(wanted) = Query::<Wanted>::from_request_parts(&mut parts, &app).await?;
    let user_id = listener(&app, &mut parts, id, &wanted).await?;
    let row = {
        let mut c = app.store.read().await?;
        access::message(&mut c, user_id, id, Action::See).await?.0
    };
    let rendition = negotiate(&wanted, &parts.headers)?;
    if row.state == "recording" {
        return growing(&app, &parts.method, user_id, id, rendition).await;
    }
    let canonical = canonical(&row).ok_or_else(ApiError::not_found)?;
    if rendition == Rendition::Ogg {
        return match answer(&app, &parts, id, rendition, &canonical).await {
            // Of a recording that ended just now.
            Err(error) if error.code() == ErrorCode::NotFound => {
                live::ensure_stored(&app, id).await?;
                answer(&app, &parts, id, rendition, &canonical).await
            }
            answered => answered,
        };
    }
    // What is made of it is made of its object.
    if app.recordings.file(id).is_some() {
        live::ensure_stored(&app, id).await?;
    }
    let made = renditions::get(&app, id, &canonical.key, rendition).await?;
    match answer(&app, &parts, id, rendition, &made).await {
        // It is lost, but what it was made of is there.
        Err(error) if error.code() == ErrorCode::NotFound => {
            renditions::forget(&app, id, rendition).await?;
            let made = renditions::get(&app, id, &canonical.key, rendition).await?;
            answer(&app, &parts, id, rendition, &made).await
        }
        answered => answered,
    }
}

async fn answer(
    app: &App,
    parts: &Parts,
    id: Uuid,
    rendition: Rendition,
    made: &Made,
) -> ApiResult<Response> {
    let len = u64::try_from(made.bytes).map_err(ApiError::internal)?;
    let etag = format!("\"{}\"", made.sha256);
    let source = match app.recordings.file(id).filter(|_| rendition == Rendition::Ogg) {
        Some(file) => Source::File(file),
        None => Source::Object(&made.key),
    };
    let mut response = match selection(parts, &etag, len) {
        None => StatusCode::NOT_MODIFIED.into_response(),
        Some(Selection::Unsatisfiable) => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{len}"));
            response
        }
        Some(_)
            if parts.method == Method::GET
                && matches!(source, Source::Object(_))
                && let Some(link) = app.blobs.redirect(&made.key, &file_name(id, rendition)).await? =>
        {
            return Ok(elsewhere(&link));
        }
        Some(Selection::Whole) => send(app, &parts.method, &source, 0..len).await?,
        Some(Selection::Part(part)) => {
            let content_range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
            let mut response = send(app, &parts.method, &source, part).await?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(&mut response, header::CONTENT_RANGE, &content_range);
            response
        }
    };
    insert(&mut response, header::ETAG, &etag);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if response.status().is_success() {
        let media_type = HeaderValue::from_static(rendition.media_type());
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        let name = format!("inline; filename=\"{}\"", file_name(id, rendition));
        insert(&mut response, header::CONTENT_DISPOSITION, &name);
    }
    Ok(response)
}

/// Nothing of the sender's in it.
fn file_name(id: Uuid, rendition: Rendition) -> String {
    format!("voice-{id}.{}", rendition.name())
}

/// To the object store, which takes ranges and conditions itself. Whoever comes again is checked again.
fn elsewhere(link: &str) -> Response {
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    insert(&mut response, header::LOCATION, link);
    insert(&mut response, header::CACHE_CONTROL, "private, no-store");
    insert(&mut response, header::VARY, "Accept, Authorization");
    response
}

/// Who listens: by the signed path when there is one, else by the token.
async fn listener(app: &App, parts: &mut Parts, id: Uuid, wanted: &Wanted) -> ApiResult<Uuid> {
    let Some(signature) = &wanted.sig else {
        return Ok(Caller::from_request_parts(parts, app).await?.user_id);
    };
    let (Some(user), Some(expires)) = (exactly::<Uuid>(&wanted.u), exactly::<i64>(&wanted.e)) else {
        return Err(bad_link());
    };
    if render::audio_signature_is_good(&app.keys, user, id, expires, signature, clock::now()) {
        Ok(user)
    } else {
        Err(bad_link())
    }
}

/// Only as we write it ourselves: a link has one spelling.
fn exactly<T: FromStr + ToString>(text: &Option<String>) -> Option<T> {
    let text = text.as_deref()?;
    text.parse().ok().filter(|value: &T| value.to_string() == text)
}

fn bad_link() -> ApiError {
    ApiError::new(
        ErrorCode::Unauthenticated,
        "This link is not good, or no longer. Get a fresh one: POST /v1/messages/{id}/audio-url.",
    )
}

/// The stored object; None until there is one.
fn canonical(row: &MessageRow) -> Option<Made> {
    Some(Made {
        key: row.audio_key.clone()?,
        bytes: row.audio_bytes?,
        sha256: row.audio_sha256.clone()?,
    })
}

fn negotiate(wanted: &Wanted, headers: &HeaderMap) -> ApiResult<Rendition> {
    let chosen = match wanted.format.as_deref() {
        Some(format) => Rendition::by_name(format),
        None => {
            let accept: Vec<&str> = headers
                .get_all(header::ACCEPT)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .collect();
            negotiate::choose(&accept.join(","), Rendition::AVAILABLE)
        }
    };
    chosen.ok_or_else(|| {
        let forms: Vec<String> = Rendition::AVAILABLE
            .iter()
            .map(|rendition| format!("`{}` ({})", rendition.name(), rendition.media_type()))
            .collect();
        ApiError::new(
            ErrorCode::NotAcceptable,
            format!("This sound is available as {}.", forms.join(", ")),
        )
    })
}

/// None when the caller has it already.
fn selection(parts: &Parts, etag: &str, len: u64) -> Option<Selection> {
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if header(header::IF_NONE_MATCH).is_some_and(|tags| range::lists(tags, etag)) {
        return None;
    }
    // RFC 9110 §14.2: ranges are for GET; §13.1.5: If-Range with another tag (or a date, which we do not give) asks for all.
    let ranged = parts.method == Method::GET && header(header::IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    Some(if ranged {
        range::select(header(header::RANGE), len)
    } else {
        Selection::Whole
    })
}

/// The sound of a recording that is not finished: chunked, without length and ranges, and kept by nobody.
async fn growing(
    app: &App,
    method: &Method,
    user_id: Uuid,
    id: Uuid,
    rendition: Rendition,
) -> ApiResult<Response> {
    if rendition != Rendition::Ogg {
        return Err(ApiError::new(
            ErrorCode::NotAcceptable,
            "While it is recorded this sound is available as `ogg` alone.",
        ));
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(live::growing(app, user_id, id).await?)
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(rendition.media_type());
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let name = format!("inline; filename=\"voice-{id}.ogg\"");
    insert(&mut response, header::CONTENT_DISPOSITION, &name);
    Ok(response)
}

/// Where the bytes of a sound are.
enum Source<'a> {
    Object(&'a str),
    /// Of a recording that is finished and not stored yet.
    File(Arc<Canonical>),
}

async fn send(app: &App, method: &Method, source: &Source<'_>, range: Range<u64>) -> ApiResult<Response> {
    let len = range.end - range.start;
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        // The first piece is read before the status is sent, so that a sound that is gone is an error and not a cut.
        let first = range.start..range.end.min(range.start + AT_ONCE);
        let rest = first.end..range.end;
        match source {
            Source::Object(key) => {
                let first = app.blobs.read(key, first).await.map_err(unreadable)?;
                if rest.is_empty() {
                    Body::from(first)
                } else {
                    Body::from_stream(stream::iter([Ok(first)]).chain(app.blobs.stream(key, rest)))
                }
            }
            Source::File(file) => {
                let (file, end) = (Arc::clone(file), range.end);
                let pieces = stream::iter(range.step_by(AT_ONCE as usize))
                    .map(move |from| file.read(from..end.min(from + AT_ONCE)));
                Body::from_stream(pieces)
            }
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, len.into());
    Ok(response)
}

fn unreadable(error: BlobError) -> ApiError {
    if matches!(error, BlobError::NotFound) {
        // Deleted in this very moment, or lost: `voxpost doctor` tells which.
        tracing::warn!("the object of a message is not there");
    }
    error.into()
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
