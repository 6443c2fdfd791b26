//! `GET /v1/conversations/{id}`.

use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::Conversation;

use super::super::extract::Path;
use super::view;
use crate::access;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::error::ApiResult;

/// One conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Conversation), (status = 404, body = Problem)),
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<axum::Json<Conversation>> {
    let mut c = app.store.read().await?;
    access::conversation(&mut c, caller.user_id, id, Action::See).await?;
    Ok(axum::Json(view(&mut c, id, caller.user_id).await?))
}
