//! `GET /v1/sessions`: where one is signed in.

use axum::extract::State;
use voxpost_proto::Problem;
use voxpost_proto::api::{Page, SessionInfo};

use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::store::sessions;

/// The caller's sessions, used last first. There are at most 100, so it is one page.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "accounts",
    responses((status = 200, body = Page<SessionInfo>), (status = 401, body = Problem)),
)]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Page<SessionInfo>>> {
    let mut c = app.store.read().await?;
    let items = sessions::list(&mut c, caller.user_id, caller.session_id).await?;
    Ok(axum::Json(Page { items, next: None }))
}
