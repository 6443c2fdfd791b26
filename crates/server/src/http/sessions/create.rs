//! `POST /v1/sessions`: sign in.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use voxpost_proto::api::{SessionCreate, SessionCreated};
use voxpost_proto::{ErrorCode, Problem};

use super::super::extract::{Address, Json};
use super::super::idempotency::idempotency_key;
use super::opening::{Opening, device_name, earlier};
use crate::app::App;
use crate::auth::Revoked;
use crate::error::{ApiError, ApiResult};
use crate::store::accounts;
use crate::{auth, clock};

/// Signs in with name and password: a session for one device.
///
/// The answer does not tell a wrong name from a wrong password. A repetition with the same `Idempotency-Key` and body
/// gives the same answer, the token included, with 200.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "accounts", security(()), request_body = SessionCreate,
    params(("Idempotency-Key" = Option<uuid::Uuid>, Header, description = "Makes a repetition harmless")),
    responses(
        (status = 201, body = SessionCreated),
        (status = 200, description = "The same request again", body = SessionCreated),
        (status = 400, body = Problem),
        (status = 401, description = "`unauthenticated`: name or password is wrong", body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<SessionCreate>,
) -> ApiResult<(StatusCode, axum::Json<SessionCreated>)> {
    let device_name = device_name(body.device_name.as_deref())?;
    let client_id = idempotency_key(&headers)?;
    app.limits.login(address)?;
    let username = body.username.trim().to_ascii_lowercase();
    let user = {
        let mut c = app.store.read().await?;
        accounts::by_username(&mut c, &username).await?
    };
    let kept = user.as_ref().and_then(|user| user.password_hash.clone());
    let fits = app.passwords.verify(body.password.clone(), kept).await?;
    let Some(user) = user.filter(|_| fits) else {
        return Err(ApiError::new(
            ErrorCode::Unauthenticated,
            "The username or the password is wrong.",
        ));
    };
    app.limits.logged_in(address);

    let request = auth::request_hash(&app.keys, "POST /v1/sessions", &body);
    if let Some(client_id) = client_id {
        let mut c = app.store.read().await?;
        if let Some(answer) = earlier(&mut c, &app.keys, &user, client_id, &request).await? {
            return Ok((StatusCode::OK, axum::Json(answer)));
        }
    }
    let opening = Opening::new(&app.keys, client_id, request, device_name);
    let created = opening.answer(user.user());
    let checked = user.password_hash;
    let ended = app
        .store
        .write(move |c| {
            Box::pin(async move {
                // The password may have been changed, or the account deleted, while this one was being checked.
                let present = accounts::by_id(c, user.id).await?;
                if present.is_none_or(|present| present.password_hash != checked) {
                    return Err(auth::unauthenticated());
                }
                opening.insert(c, user.id, clock::now()).await
            })
        })
        .await?;
    for session in ended {
        app.sessions.revoke(Revoked::Session(session));
    }
    Ok((StatusCode::CREATED, axum::Json(created)))
}
