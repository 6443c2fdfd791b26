//! `PUT /v1/me/password`: a new password, and the end of every other session.

use axum::extract::State;
use axum::http::StatusCode;
use voxpost_proto::api::PasswordChange;
use voxpost_proto::{ErrorCode, Problem};

use super::super::extract::Json;
use super::own;
use crate::app::App;
use crate::auth::{Caller, Revoked};
use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::store::{accounts, sessions};

/// Changes the password. The session that asks stays; every other one ends, its open sockets within a second.
#[utoipa::path(
    put, path = "/v1/me/password", tag = "accounts", request_body = PasswordChange,
    responses(
        (status = 204),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, description = "`forbidden`: the current password is wrong", body = Problem),
        (status = 409, description = "`not_supported`: the account is another issuer's", body = Problem),
    ),
)]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<PasswordChange>,
) -> ApiResult<StatusCode> {
    let fresh = names::password("new_password", &body.new_password)
        .map_err(ApiError::invalid)?
        .to_owned();
    let current = {
        let mut c = app.store.read().await?;
        own(&mut c, caller).await?.password_hash
    };
    if current.is_none() {
        return Err(ApiError::new(
            ErrorCode::NotSupported,
            "This account has no password here: change it where you sign in.",
        ));
    }
    if !app
        .passwords
        .verify(body.current_password, current.clone())
        .await?
    {
        return Err(ApiError::forbidden("The current password is wrong."));
    }
    let hash = app.passwords.hash(fresh).await?;
    let (user_id, keep) = (caller.user_id, caller.session_id);
    app.store
        .write(move |c| {
            Box::pin(async move {
                if own(c, caller).await?.password_hash != current {
                    return Err(ApiError::new(
                        ErrorCode::Conflict,
                        "The password was changed elsewhere at the same time. Sign in again.",
                    ));
                }
                accounts::set_password(c, user_id, &hash).await?;
                sessions::delete_others(c, user_id, keep).await?;
                Ok(())
            })
        })
        .await?;
    app.sessions.revoke(Revoked::Others { user_id, keep });
    Ok(StatusCode::NO_CONTENT)
}
