//! `GET /v1/conversations`: newest activity first.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::{ConversationSummary, Page};

use super::super::extract::Query;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::playback::Seen;
use crate::render;
use crate::store::conversations::{self, Cursor};
use crate::store::members;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Params {
    /// 1 to 200, 50 when absent.
    limit: Option<i64>,
    /// `next` of the page before.
    before: Option<String>,
    /// The same: the list has one direction.
    after: Option<String>,
}

/// The caller's conversations, each with its newest message and what is waiting. Counts stop at 1,000.
#[utoipa::path(
    get, path = "/v1/conversations", tag = "conversations", params(Params),
    responses((status = 200, body = Page<ConversationSummary>), (status = 400, body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query<Params>,
) -> ApiResult<axum::Json<Page<ConversationSummary>>> {
    let limit = match params.limit.unwrap_or(50) {
        limit @ 1..=200 => limit,
        _ => return Err(ApiError::invalid("`limit` must be 1 to 200")),
    };
    let cursor = match (params.before, params.after) {
        (Some(_), Some(_)) => return Err(ApiError::invalid("Give `before` or `after`, not both.")),
        (before, after) => before.or(after),
    };
    let cursor = match cursor.as_deref() {
        None => None,
        Some(text) => Some(Cursor::parse(text).ok_or_else(|| {
            ApiError::invalid("`before` is no cursor of this list: pass `next` of a page as it is")
        })?),
    };

    let mut c = app.store.read().await?;
    // One more than asked for tells whether there is another page.
    let mut rows = conversations::page(&mut c, caller.user_id, cursor, limit + 1).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let ids: Vec<Uuid> = rows.iter().map(|row| row.conversation.id).collect();
    let members = members::of(&mut c, &ids).await?;
    let last_messages = conversations::last_messages(&mut c, caller.user_id, &ids).await?;
    let seen = Seen::load(&mut c, &app.keys, caller.user_id, last_messages.values()).await?;
    drop(c);

    let now = clock::now();
    let items = rows
        .iter()
        .map(|row| {
            let id = row.conversation.id;
            let members = members.get(&id).map(Vec::as_slice).unwrap_or_default();
            ConversationSummary {
                conversation: render::conversation(&row.conversation, members, caller.user_id),
                last_message: last_messages.get(&id).map(|row| {
                    let mut message = render::message(&app.keys, row, caller.user_id, now);
                    seen.show(&mut message);
                    message
                }),
                unread_count: row.unread_count,
                unplayed_count: row.unplayed_count,
            }
        })
        .collect();
    let next = rows.last().filter(|_| more);
    Ok(axum::Json(Page {
        items,
        next: next.map(|row| Cursor::of(&row.conversation).to_string()),
    }))
}
