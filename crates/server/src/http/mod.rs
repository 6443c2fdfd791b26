//! The HTTP face: one endpoint, one file. The OpenAPI document is made from the handlers, so it cannot disagree.

mod access_log;
mod accounts;
mod config;
mod conversations;
mod extract;
mod headers;
mod health;
pub(crate) mod idempotency;
mod me;
mod messages;
mod openapi;
pub(crate) mod origin;
mod sessions;
mod sync;
#[cfg(test)]
mod tests;
mod users;
mod web;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use voxpost_proto::ErrorCode;

use crate::app::App;
use crate::error::ApiError;

/// JSON bodies are small; uploads set their own bound.
const MAX_JSON_BYTES: usize = 64 << 10;

#[derive(OpenApi)]
#[openapi(info(title = "Voxpost", description = "Voice messages: wire contract v1."))]
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
        .merge(conversations::routes())
        .routes(routes!(sync::sync))
        .routes(routes!(crate::socket::socket))
        .split_for_parts();
    let document = openapi::document(&document);
    router
        .route(
            "/openapi.json",
            get(move || async move { ([("content-type", "application/json")], document.clone()) }),
        )
        .method_not_allowed_fallback(|| async {
            let detail = "This address does not take that method; `Allow` lists those that it takes.";
            ApiError::new(ErrorCode::MethodNotAllowed, detail)
        })
        .fallback(web::file_or_not_found)
        .layer(axum::middleware::map_response(headers::add))
        .layer(axum::middleware::from_fn(access_log::log))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .with_state(app)
}
