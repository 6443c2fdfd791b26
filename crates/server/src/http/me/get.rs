//! `GET /v1/me`: who one is.

use axum::extract::State;
use voxpost_proto::Problem;
use voxpost_proto::api::Me;

use super::own;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;

/// The caller and their settings.
#[utoipa::path(
    get, path = "/v1/me", tag = "accounts",
    responses((status = 200, body = Me), (status = 401, body = Problem)),
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Me>> {
    let mut c = app.store.read().await?;
    Ok(axum::Json(own(&mut c, caller).await?.me()))
}
