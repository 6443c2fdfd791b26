//! `POST /v1/conversations/{id}/members`: an owner lets people in.

use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::{Conversation, MembersAdd, Role};

use super::super::extract::{Json, Path};
use super::{create, view};
use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::domain::conversations as rules;
use crate::error::{ApiError, ApiResult};
use crate::store::events::{self, EventType, NewEvent};
use crate::store::{Conn, conversations, members};
use crate::{access, clock};

/// Adds people to a group. They see what is said from now on. Who is in already stays as they are.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/members", tag = "conversations", params(("id" = Uuid, Path)),
    request_body = MembersAdd,
    responses(
        (status = 200, body = Conversation), (status = 400, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
pub(crate) async fn add_members(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<MembersAdd>,
) -> ApiResult<axum::Json<Conversation>> {
    let user_id = caller.user_id;
    let conversation = app
        .store
        .write(move |c| {
            Box::pin(async move {
                access::conversation(c, user_id, id, Action::AddMembers).await?;
                let names = rules::usernames(&body.members).map_err(ApiError::invalid)?;
                let people = create::people(c, &names).await?;
                add(c, id, &people, body.role.unwrap_or(Role::Member)).await?;
                view(c, id, user_id).await
            })
        })
        .await?;
    Ok(axum::Json(conversation))
}

async fn add(c: &mut Conn, id: Uuid, people: &[Uuid], role: Role) -> ApiResult<()> {
    let now = clock::now();
    let mut count = members::count(c, id).await?;
    let mut added = false;
    for &person in people {
        if members::standing(c, id, person).await?.is_some() {
            continue;
        }
        count += 1;
        if count > rules::MAX_MEMBERS as i64 {
            return Err(ApiError::invalid(rules::too_many()));
        }
        if !added {
            conversations::bump_version(c, id).await?;
            added = true;
        }
        let joined = NewEvent {
            subject_id: Some(person),
            ..NewEvent::new(EventType::MemberJoined, id)
        };
        events::append(c, joined, now).await?;
        // For the one who comes it begins with the whole conversation.
        let created = NewEvent {
            only: Some(person),
            ..NewEvent::new(EventType::ConversationCreated, id)
        };
        let event = events::append(c, created, now).await?;
        members::join(c, id, person, role, event, now).await?;
    }
    Ok(())
}
