//! `POST /v1/uploads/{id}` with `X-HTTP-Method-Override`: for clients that cannot send PATCH or DELETE (tus 1.0.0, headers).

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use voxpost_proto::{ErrorCode, Problem};

use super::{delete, head, patch};
use crate::app::App;
use crate::error::ApiError;

/// As the method that the header names.
#[utoipa::path(
    post, path = "/v1/uploads/{id}", tag = "uploads",
    params(
        ("id" = uuid::Uuid, Path, description = "The upload"),
        ("X-HTTP-Method-Override" = String, Header, description = "PATCH, HEAD or DELETE"),
    ),
    responses((status = 204, description = "As that method"), (status = 405, body = Problem)),
)]
pub(super) async fn overridden(State(app): State<App>, request: Request) -> Response {
    let method = request.headers().get("x-http-method-override");
    match method.and_then(|method| method.to_str().ok()) {
        Some("PATCH") => patch::patch.call(request, app).await,
        Some("HEAD") => head::head.call(request, app).await,
        Some("DELETE") => delete::delete.call(request, app).await,
        _ => ApiError::new(
            ErrorCode::MethodNotAllowed,
            "Send PATCH, HEAD or DELETE, or name one of them in `X-HTTP-Method-Override`.",
        )
        .into_response(),
    }
}
