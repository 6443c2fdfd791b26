//! `GET /v1/conversations/{id}/messages`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::{Message, Page};

use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::http::extract::{Path, Query};
use crate::playback::Seen;
use crate::store::messages;
use crate::{access, clock, render};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Those before this `seq`, the newest of them.
    before: Option<i64>,
    /// Those after this `seq`, the oldest of them.
    after: Option<i64>,
    /// How many, from 1; more than 200 are 200. 50 when absent.
    limit: Option<i64>,
}

/// Messages ascending by `seq`, tombstones among them; without a cursor the newest. `next` is what to pass as `before` (as
/// `after` when `after` was given) to go on, and null when there is no more.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/messages", tag = "messages",
    params(("id" = Uuid, Path, description = "The conversation"), Part),
    responses(
        (status = 200, body = Page<Message>),
        (status = 400, body = Problem, description = "`invalid_request`"),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(part): Query<Part>,
) -> ApiResult<Json<Page<Message>>> {
    let limit = match part.limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1.. => limit.min(MAX_LIMIT),
        _ => return Err(ApiError::invalid("`limit` must be 1 or more.")),
    };
    let mut c = app.store.read().await?;
    access::conversation(&mut c, caller.user_id, id, Action::See).await?;
    // One more than asked for tells whether there are more.
    let mut rows = match (part.before, part.after) {
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("Give `before` or `after`, not both."));
        }
        (None, Some(after)) => messages::after(&mut c, id, caller.user_id, after, limit + 1).await?,
        (before, None) => {
            let before = before.unwrap_or(i64::MAX);
            messages::before(&mut c, id, caller.user_id, before, limit + 1).await?
        }
    };
    let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let seen = Seen::load(&mut c, &app.keys, caller.user_id, &rows).await?;
    drop(c);
    let next = rows.last().filter(|_| more).and_then(|row| row.seq);
    if part.after.is_none() {
        rows.reverse();
    }
    let now = clock::now();
    Ok(Json(Page {
        items: rows
            .iter()
            .map(|row| {
                let mut message = render::message(&app.keys, row, caller.user_id, now);
                seen.show(&mut message);
                message
            })
            .collect(),
        next: next.map(|seq| seq.to_string()),
    }))
}
