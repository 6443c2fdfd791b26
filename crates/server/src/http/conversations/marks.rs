//! `PUT /v1/conversations/{id}/read` and `…/delivered`: how far the caller is.

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;
use voxpost_proto::Problem;
use voxpost_proto::api::Mark;

use super::super::extract::{Json, Path};
use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::store::marks;
use crate::{access, clock};

/// Everything up to `seq` has been read, and so delivered too. Never goes back; the newest message is the most.
#[utoipa::path(
    put, path = "/v1/conversations/{id}/read", tag = "conversations", params(("id" = Uuid, Path)), request_body = Mark,
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(mark): Json<Mark>,
) -> ApiResult<StatusCode> {
    set(app, caller, id, mark, true).await
}

/// Everything up to `seq` has reached a device of the caller. Messages that went out by socket or sync are marked without.
#[utoipa::path(
    put, path = "/v1/conversations/{id}/delivered", tag = "conversations", params(("id" = Uuid, Path)),
    request_body = Mark,
    responses((status = 204), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn delivered(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(mark): Json<Mark>,
) -> ApiResult<StatusCode> {
    set(app, caller, id, mark, false).await
}

async fn set(app: App, caller: Caller, id: Uuid, mark: Mark, read: bool) -> ApiResult<StatusCode> {
    let user_id = caller.user_id;
    let mut c = app.store.read().await?;
    let standing = access::conversation(&mut c, user_id, id, Action::See).await?;
    drop(c);
    if mark.seq < 0 {
        return Err(ApiError::invalid("`seq` must be 0 or more"));
    }
    let present = if read {
        standing.read_seq
    } else {
        standing.delivered_seq
    };
    // Repeated marks are frequent and need no write.
    if mark.seq <= present {
        return Ok(StatusCode::NO_CONTENT);
    }
    app.store
        .write(move |c| {
            Box::pin(async move {
                let now = clock::now();
                if read {
                    marks::read(c, id, user_id, mark.seq, now).await?;
                } else {
                    marks::delivered(c, id, user_id, mark.seq, now).await?;
                }
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
