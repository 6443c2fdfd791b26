//! The HTTP face: one endpoint, one file. The OpenAPI document is made from the handlers, so it cannot disagree.

mod access_log;
mod accounts;
mod config;
mod conversations;
mod cors;
mod drafts;
mod extract;
mod headers;
pub(crate) mod health;
pub(crate) mod idempotency;
mod me;
mod messages;
mod openapi;
pub(crate) mod origin;
mod playback;
mod sessions;
mod sync;
#[cfg(test)]
mod tests;
mod unread;
mod uploads;
mod users;
mod web;

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use voxpost_proto::ErrorCode;

pub(crate) use self::messages::caption;
use self::openapi::Bearer;
use crate::app::App;
use crate::error::ApiError;

/// JSON bodies are small; uploads set their own bound.
const MAX_JSON_BYTES: usize = 64 << 10;

/// How long a body may bring nothing before it is given up; an upload that creeps along is not.
const BODY_STALL: Duration = Duration::from_secs(60);

#[derive(OpenApi)]
#[openapi(
    info(title = "Voxpost", description = "Voice messages: wire contract v1."),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct ApiDoc;

/// Every route of the main listener.
pub(crate) fn router(app: App) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(config::get))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .merge(accounts::routes())
        .merge(sessions::routes())
        .merge(me::routes())
        .routes(routes!(users::search))
        .routes(routes!(messages::create::create, messages::list::list))
        .routes(routes!(messages::get::get, messages::delete::delete))
        .routes(routes!(messages::audio::audio))
        .routes(routes!(messages::audio_url::audio_url))
        .routes(routes!(messages::waveform::waveform))
        .routes(routes!(messages::finish::finish))
        .routes(routes!(drafts::list::list))
        .merge(playback::routes())
        .merge(uploads::routes())
        .merge(conversations::routes())
        .routes(routes!(sync::sync))
        .routes(routes!(crate::socket::socket))
        .split_for_parts();
    let document = openapi::document(&document);
    let policy = web::policy(app.blobs.origin_of_links().as_deref());
    let cors = option_layer(cors::layer(&app.config.allowed_origin));
    // A certificate of the operator stays; to insist on HTTPS with one of our own would lock people out who do not know it.
    let strict_transport = app.config.tls_cert.is_some();
    router
        .route(
            "/openapi.json",
            get(move || async move { ([("content-type", "application/json")], document.clone()) }),
        )
        .method_not_allowed_fallback(|| async {
            let detail = "This address does not take that method; `Allow` lists those that it takes.";
            ApiError::new(ErrorCode::MethodNotAllowed, detail)
        })
        .fallback(move |method, uri, headers| web::file_or_not_found(policy.clone(), method, uri, headers))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| {
            panicked(&*panic)
        }))
        .layer(cors)
        .layer(from_fn_with_state(app.clone(), uploads::discovery))
        .layer(map_response_with_state(strict_transport, headers::add))
        .layer(from_fn(access_log::log))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_STALL))
        .with_state(app)
}

/// A panic is a bug; whoever met it gets an answer all the same.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(text.unwrap_or("a panic without a text")).into_response()
}
