//! `/v1/sessions`: signing in and out.

mod create;
mod delete;
mod list;
pub(super) mod opening;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(delete::current))
        .routes(routes!(delete::delete))
}
