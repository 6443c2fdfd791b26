//! `DELETE /v1/conversations/{id}/members/{user_id}`: leave a group, or take somebody out of it.

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;
use voxpost_proto::Problem;

use super::super::extract::Path;
use crate::access;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::store::{members, stays};

/// Anybody may leave; owners take others out. When the last owner leaves, whoever is in it longest becomes one.
#[utoipa::path(
    delete, path = "/v1/conversations/{id}/members/{user_id}", tag = "conversations",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn remove_member(
    State(app): State<App>,
    caller: Caller,
    Path((id, person)): Path<(Uuid, Uuid)>,
) -> ApiResult<StatusCode> {
    let action = if person == caller.user_id {
        Action::Leave
    } else {
        Action::RemoveMember
    };
    app.store
        .write(move |c| {
            Box::pin(async move {
                access::conversation(c, caller.user_id, id, action).await?;
                members::standing(c, id, person)
                    .await?
                    .ok_or_else(ApiError::not_found)?;
                stays::end(c, id, person, clock::now()).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
