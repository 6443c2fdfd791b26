//! `/v1/uploads`: tus 1.0.0, and the drafts of the IETF for the same, at one address.
//!
//! What an upload is and who may write it is [`crate::uploads`]' business; here are headers and status codes.

mod checksum;
mod create;
mod delete;
mod get;
mod head;
mod metadata;
mod options;
mod overridden;
mod patch;
mod presign;
mod protocol;
mod receive;
mod show;
#[cfg(test)]
mod tests;

use axum::middleware::from_fn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(super) use options::discovery;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, options::all))
        .routes(routes!(
            get::get,
            head::head,
            patch::patch,
            delete::delete,
            overridden::overridden,
            options::one
        ))
        .layer(from_fn(protocol::mark))
        .routes(routes!(presign::presign))
}
