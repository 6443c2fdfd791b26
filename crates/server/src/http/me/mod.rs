//! `/v1/me`: one's own account.

mod delete;
mod get;
mod password;
mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Caller, unauthenticated};
use crate::error::ApiResult;
use crate::store::Conn;
use crate::store::accounts::{self, UserRow};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(password::change))
}

/// The caller's row; who was deleted a moment ago is nobody.
async fn own(c: &mut Conn, caller: Caller) -> ApiResult<UserRow> {
    accounts::by_id(c, caller.user_id)
        .await?
        .filter(|user| user.deleted_at.is_none())
        .ok_or_else(unauthenticated)
}
