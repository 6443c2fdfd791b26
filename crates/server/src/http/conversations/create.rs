//! `POST /v1/conversations`: talk to somebody, or make a group.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use voxpost_proto::api::{Conversation, ConversationCreate, ConversationKind, Role};
use voxpost_proto::{ErrorCode, Problem};

use super::super::extract::Json;
use super::super::idempotency::idempotency_key;
use super::view;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::domain::conversations::{self as rules, Plan};
use crate::error::{ApiError, ApiResult};
use crate::store::conversations::{self, NewConversation, direct_key};
use crate::store::events::{self, EventType, NewEvent};
use crate::store::idempotency::{self, Earlier};
use crate::store::{Conn, accounts, members};

/// Makes a conversation. A direct one is unique for its two people: who comes second gets the first.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "conversations", request_body = ConversationCreate,
    params(("Idempotency-Key" = Option<Uuid>, Header, description = "The same as `client_id`")),
    responses(
        (status = 201, body = Conversation),
        (status = 200, description = "It was there already", body = Conversation),
        (status = 400, body = Problem),
        (status = 404, description = "`not_found`: there is nobody of that name", body = Problem),
        (status = 409, description = "`conflict`: the client_id was used for something else", body = Problem),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<ConversationCreate>,
) -> ApiResult<(StatusCode, axum::Json<Conversation>)> {
    let client_id = match body.client_id {
        Some(id) => Some(id),
        None => idempotency_key(&headers)?,
    };
    let user_id = caller.user_id;
    let (status, conversation) = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let own = accounts::by_id(c, user_id)
                    .await?
                    .ok_or_else(ApiError::not_found)?;
                let plan = rules::plan(&body, &own.username).map_err(ApiError::invalid)?;
                let (id, status) = find_or_make(c, user_id, client_id, &plan).await?;
                Ok::<_, ApiError>((status, view(c, id, user_id).await?))
            })
        })
        .await?;
    Ok((status, axum::Json(conversation)))
}

async fn find_or_make(
    c: &mut Conn,
    user_id: Uuid,
    client_id: Option<Uuid>,
    plan: &Plan,
) -> ApiResult<(Uuid, StatusCode)> {
    let hash = request_hash(plan);
    if let Some(client_id) = client_id {
        match idempotency::earlier(c, user_id, client_id, &hash).await? {
            Earlier::New => {}
            Earlier::Done(id) => {
                let id: Uuid = id.parse().map_err(ApiError::internal)?;
                // Who has left it since may not see it any more.
                members::standing(c, id, user_id)
                    .await?
                    .ok_or_else(ApiError::not_found)?;
                return Ok((id, StatusCode::OK));
            }
            Earlier::Different => {
                return Err(ApiError::new(
                    ErrorCode::Conflict,
                    "This client_id was used for another request. Take a fresh one.",
                ));
            }
        }
    }
    let others = people(c, &plan.others).await?;
    let key = match (plan.kind, others.first()) {
        (ConversationKind::Direct, Some(&other)) => Some(direct_key(user_id, other)),
        _ => None,
    };
    let found = match &key {
        Some(key) => conversations::direct(c, key).await?,
        None => None,
    };
    let (id, status) = match found {
        Some(id) => (id, StatusCode::OK),
        None => (
            make(c, user_id, &others, plan, key.as_deref()).await?,
            StatusCode::CREATED,
        ),
    };
    if let Some(client_id) = client_id {
        idempotency::remember(c, user_id, client_id, &hash, &id.to_string(), clock::now()).await?;
    }
    Ok((id, status))
}

/// The people of these names; all of them must be there.
pub(super) async fn people(c: &mut Conn, usernames: &[String]) -> ApiResult<Vec<Uuid>> {
    let found = members::people(c, usernames).await?;
    match usernames
        .iter()
        .find(|name| !found.iter().any(|(_, known)| known == *name))
    {
        Some(name) => Err(ApiError::new(ErrorCode::NotFound, rules::nobody(name))),
        None => Ok(found.into_iter().map(|(id, _)| id).collect()),
    }
}

async fn make(
    c: &mut Conn,
    user_id: Uuid,
    others: &[Uuid],
    plan: &Plan,
    direct_key: Option<&str>,
) -> ApiResult<Uuid> {
    let (id, now) = (clock::new_id(), clock::now());
    let new = NewConversation {
        id,
        kind: plan.kind,
        direct_key,
        title: plan.title.as_deref(),
        live: plan.live,
    };
    conversations::insert(c, &new, now).await?;
    let event = events::append(c, NewEvent::new(EventType::ConversationCreated, id), now).await?;
    let own_role = match plan.kind {
        ConversationKind::Direct => Role::Member,
        ConversationKind::Group => Role::Owner,
    };
    members::join(c, id, user_id, own_role, event, now).await?;
    for &other in others {
        members::join(c, id, other, Role::Member, event, now).await?;
    }
    Ok(id)
}

fn request_hash(plan: &Plan) -> Vec<u8> {
    let text = format!(
        "conversation {:?}",
        (plan.kind, &plan.others, &plan.title, plan.live)
    );
    Sha256::digest(text.as_bytes()).to_vec()
}
