//! `HEAD /v1/uploads/{id}`: where to go on.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::protocol::Protocol;
use super::show;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::http::extract::Path;
use crate::store::uploads::UploadRow;
use crate::uploads::{self, take_over};

/// Says how many bytes are durable. Who asks goes on from there, so whoever else was writing stops: the offset does not move
/// afterwards.
#[utoipa::path(
    head, path = "/v1/uploads/{id}", tag = "uploads",
    params(("id" = Uuid, Path, description = "The upload")),
    responses(
        (status = 200, description = "`Upload-Offset`, `Upload-Length` or `Upload-Defer-Length`, `Upload-Metadata`, `Upload-Expires`"),
        (status = 204, description = "In the draft: the same"),
        (status = 404, description = "`not_found`"), (status = 410, description = "`upload_expired`"),
        (status = 412, description = "`unsupported_version`"),
    ),
)]
pub(super) async fn head(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let protocol = Protocol::of(&headers)?;
    let row = settled(&app, caller.user_id, id).await?;
    let status = match protocol {
        Protocol::Tus => StatusCode::OK,
        Protocol::Draft(_) => StatusCode::NO_CONTENT,
    };
    let mut response = status.into_response();
    let headers = response.headers_mut();
    show::progress(headers, protocol, &row);
    show::length_and_metadata(headers, protocol, &row);
    if let ("sent", Some(id)) = (row.state.as_str(), row.message_id) {
        show::told(headers, id);
    }
    Ok(response)
}

/// The upload once nobody writes it any more.
async fn settled(app: &App, user_id: Uuid, id: Uuid) -> ApiResult<UploadRow> {
    let row = uploads::find(app, user_id, id).await?;
    if row.machine().finished {
        return Ok(row);
    }
    match take_over(app, user_id, id).await {
        // A client that finds all bytes there sends nothing more.
        Ok(taken) if taken.row.machine().is_whole() => uploads::complete(app, taken).await,
        Ok(taken) => Ok(taken.row),
        Err(error) => {
            // Whoever wrote it may have ended it.
            let row = uploads::find(app, user_id, id).await?;
            if row.machine().finished {
                Ok(row)
            } else {
                Err(error)
            }
        }
    }
}
