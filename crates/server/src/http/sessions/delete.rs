//! `DELETE /v1/sessions/current` and `DELETE /v1/sessions/{id}`: sign out, here or elsewhere.

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;
use voxpost_proto::{ErrorCode, Problem};

use super::super::extract::Path;
use crate::app::App;
use crate::auth::{Caller, Revoked};
use crate::error::{ApiError, ApiResult};
use crate::store::sessions;

/// Signs out: ends the session of the token that asks.
#[utoipa::path(
    delete, path = "/v1/sessions/current", tag = "accounts",
    responses(
        (status = 204),
        (status = 401, body = Problem),
        (status = 409, description = "`not_supported`: a token of another issuer has no session here", body = Problem),
    ),
)]
pub(crate) async fn current(State(app): State<App>, caller: Caller) -> ApiResult<StatusCode> {
    let session = caller.session_id.ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotSupported,
            "This token was not issued here: sign out where it was issued.",
        )
    })?;
    end(&app, caller, session).await
}

/// Ends one of the caller's sessions; its open sockets are closed within a second.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "accounts",
    params(("id" = Uuid, Path, description = "From the list")),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    end(&app, caller, id).await
}

async fn end(app: &App, caller: Caller, id: Uuid) -> ApiResult<StatusCode> {
    let user_id = caller.user_id;
    let there = app
        .store
        .write(move |c| {
            Box::pin(async move { sessions::delete(c, id, user_id).await.map_err(ApiError::from) })
        })
        .await?;
    if !there {
        return Err(ApiError::not_found());
    }
    app.sessions.revoke(Revoked::Session(id));
    Ok(StatusCode::NO_CONTENT)
}
