//! `DELETE /v1/me`: the end of an account.

use axum::extract::State;
use axum::http::StatusCode;
use voxpost_proto::Problem;

use super::own;
use crate::app::App;
use crate::auth::{Caller, Revoked};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::{accounts, sessions};

/// Deletes the caller's account: every session ends, the profile becomes blank, the name is never given to anybody else.
#[utoipa::path(
    delete, path = "/v1/me", tag = "accounts",
    responses((status = 204), (status = 401, body = Problem)),
)]
pub(crate) async fn delete(State(app): State<App>, caller: Caller) -> ApiResult<StatusCode> {
    let user_id = caller.user_id;
    app.store
        .write(move |c| {
            Box::pin(async move {
                let row = own(c, caller).await?;
                accounts::blank(c, &row, clock::now()).await?;
                sessions::delete_others(c, user_id, None).await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    app.sessions.revoke(Revoked::User(user_id));
    Ok(StatusCode::NO_CONTENT)
}
