//! `POST /v1/accounts`: sign up.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use voxpost_proto::api::{AccountCreate, SessionCreated, User};
use voxpost_proto::{ErrorCode, Problem};

use super::super::extract::{Address, Json};
use super::super::idempotency::idempotency_key;
use super::super::sessions::opening::{Opening, device_name, earlier};
use crate::app::App;
use crate::config::SignUp;
use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::store::{accounts, invites};
use crate::{auth, clock};

/// Makes an account and a session for the device that asks.
///
/// Open on a loopback listener, by invite otherwise, unless configured. An invite is good for one account. A repetition
/// with the same `Idempotency-Key` and body gives the same answer, the token included, with 200.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "accounts", security(()), request_body = AccountCreate,
    params(("Idempotency-Key" = Option<uuid::Uuid>, Header, description = "Makes a repetition harmless")),
    responses(
        (status = 201, body = SessionCreated),
        (status = 200, description = "The same request again", body = SessionCreated),
        (status = 400, body = Problem),
        (status = 403, description = "`forbidden`: an invite is needed, or it is not good", body = Problem),
        (status = 409, description = "`conflict`: the name is taken", body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Address(address): Address,
    headers: HeaderMap,
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
    let device_name = device_name(body.device_name.as_deref())?;
    let client_id = idempotency_key(&headers)?;
    let request = auth::request_hash(&app.keys, "POST /v1/accounts", &body);

    if let Some(answer) = refuse_taken_name(&app, &username, client_id, &request).await? {
        return Ok((StatusCode::OK, axum::Json(answer)));
    }
    app.limits.sign_up(address)?;
    let invite = check_invite(&app, body.invite.as_deref()).await?;
    let hash = app.passwords.hash(password).await?;

    let user = User {
        id: clock::new_id(),
        username,
        display_name,
    };
    let opening = Opening::new(&app.keys, client_id, request, device_name);
    let created = opening.answer(user.clone());
    app.store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                if !accounts::insert(c, &user, &hash, now).await? {
                    return Err(taken());
                }
                if let Some(code_hash) = invite
                    && !invites::redeem(c, &code_hash, user.id, now).await?
                {
                    return Err(no_such_invite());
                }
                opening.insert(c, user.id, now).await?;
                Ok(())
            })
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// A taken name is refused before anything costly; unless it was this very request that took it.
async fn refuse_taken_name(
    app: &App,
    username: &str,
    client_id: Option<uuid::Uuid>,
    request: &[u8],
) -> ApiResult<Option<SessionCreated>> {
    let mut c = app.store.read().await?;
    let Some(user) = accounts::by_username(&mut c, username).await? else {
        return Ok(None);
    };
    match client_id {
        Some(client_id) => match earlier(&mut c, &app.keys, &user, client_id, request).await {
            Ok(Some(answer)) => Ok(Some(answer)),
            // Whoever asks is not known to be that person: another use of the id is none of their business.
            _ => Err(taken()),
        },
        None => Err(taken()),
    }
}

/// The hash of the invite to redeem, where one is needed.
async fn check_invite(app: &App, invite: Option<&str>) -> ApiResult<Option<Vec<u8>>> {
    match (app.config.sign_up_policy(), invite) {
        (SignUp::Open | SignUp::Auto, _) => Ok(None),
        (SignUp::Closed, _) => Err(ApiError::forbidden(
            "This server makes no new accounts. Ask its operator.",
        )),
        (SignUp::Invite, None) => Err(ApiError::forbidden(
            "This server takes new people by invite. Ask its operator for a code and send it as `invite`.",
        )),
        (SignUp::Invite, Some(code)) => {
            let hash = auth::code_hash(code);
            let mut c = app.store.read().await?;
            if invites::is_good(&mut c, &hash, clock::now()).await? {
                Ok(Some(hash))
            } else {
                Err(no_such_invite())
            }
        }
    }
}

fn taken() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "That username is taken. Choose another.")
}

fn no_such_invite() -> ApiError {
    ApiError::forbidden("This invite is unknown, used or expired. Ask for another one.")
}
