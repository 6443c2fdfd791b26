//! `POST /v1/accounts`: sign up.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use axum::extract::State;
use axum::http::StatusCode;
use voxpost_proto::api::{AccountCreate, SessionCreated, User};
use voxpost_proto::{ErrorCode, Problem};

use super::extract::Json;
use crate::app::App;
use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::store::accounts;
use crate::{auth, clock};

/// Makes an account and a session for the device that asks.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "accounts", request_body = AccountCreate,
    responses(
        (status = 201, body = SessionCreated),
        (status = 409, description = "`conflict`: the name is taken", body = Problem),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Json(body): Json<AccountCreate>,
) -> ApiResult<(StatusCode, axum::Json<SessionCreated>)> {
    let username = names::username(&body.username).map_err(ApiError::invalid)?;
    let password = names::password("password", &body.password)
        .map_err(ApiError::invalid)?
        .to_owned();
    let display_name = match &body.display_name {
        Some(name) => names::line("display_name", name, 64).map_err(ApiError::invalid)?,
        None => username.clone(),
    };
    let hash = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
    })
    .await
    .map_err(ApiError::internal)?
    .map_err(ApiError::internal)?;

    let user = User {
        id: clock::new_id(),
        username,
        display_name,
    };
    let (token, token_hash) = auth::new_token();
    let (session_id, device_id) = (clock::new_id(), clock::new_id());
    let created = SessionCreated {
        user: user.clone(),
        token,
        device_id,
    };
    app.store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                if !accounts::insert(c, &user, &hash, now).await? {
                    return Err(ApiError::new(
                        ErrorCode::Conflict,
                        "That username is taken. Choose another.",
                    ));
                }
                let device = (device_id, body.device_name.as_deref());
                accounts::insert_session(c, session_id, user.id, device, &token_hash, now).await?;
                Ok(())
            })
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}
