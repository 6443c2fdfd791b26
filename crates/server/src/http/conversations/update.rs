//! `PATCH /v1/conversations/{id}`: title and settings.

use axum::extract::State;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::{Conversation, ConversationKind, ConversationUpdate};

use super::super::extract::{Json, Path};
use super::view;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::domain::conversations as rules;
use crate::error::{ApiError, ApiResult};
use crate::store::conversations;
use crate::store::events::{self, EventType, NewEvent};
use crate::{access, clock};

/// Changes what is given: owners of a group, either person of a direct conversation (which has no title).
#[utoipa::path(
    patch, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    request_body = ConversationUpdate,
    responses(
        (status = 200, body = Conversation), (status = 400, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
    ),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<ConversationUpdate>,
) -> ApiResult<axum::Json<Conversation>> {
    let user_id = caller.user_id;
    let conversation = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let standing = access::conversation(c, user_id, id, Action::Edit).await?;
                let title = match &body.title {
                    Some(_) if standing.kind == ConversationKind::Direct => {
                        return Err(ApiError::invalid("`title` is for groups"));
                    }
                    title => title.as_deref().map(rules::title).transpose(),
                };
                let title = title.map_err(ApiError::invalid)?;
                if conversations::update(c, id, title.as_deref(), body.live).await? {
                    let event = NewEvent {
                        subject_id: Some(user_id),
                        ..NewEvent::new(EventType::ConversationUpdated, id)
                    };
                    events::append(c, event, clock::now()).await?;
                }
                view(c, id, user_id).await
            })
        })
        .await?;
    Ok(axum::Json(conversation))
}
