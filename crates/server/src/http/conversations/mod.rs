//! Conversations, who is in them, and how far they have read.

pub(super) mod add_members;
pub(super) mod create;
pub(super) mod get;
pub(super) mod list;
pub(super) mod marks;
pub(super) mod remove_member;
pub(super) mod update;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use voxpost_proto::api::Conversation;

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::render;
use crate::store::{Conn, conversations, members};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, update::update))
        .routes(routes!(add_members::add_members))
        .routes(routes!(remove_member::remove_member))
        .routes(routes!(marks::read))
        .routes(routes!(marks::delivered))
}

/// A conversation as `viewer`, who is a member, sees it on this connection.
async fn view(c: &mut Conn, id: Uuid, viewer: Uuid) -> ApiResult<Conversation> {
    let row = conversations::by_ids(c, &[id]).await?.pop();
    let row = row.ok_or_else(ApiError::not_found)?;
    let members = members::of(c, &[id]).await?.remove(&id).unwrap_or_default();
    Ok(render::conversation(&row, &members, viewer))
}

#[cfg(test)]
mod tests;
