//! `GET /v1/users?query=`: find people.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use voxpost_proto::Problem;
use voxpost_proto::api::{Page, User};

use super::extract::Query;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::store::accounts;

/// Shorter queries would list everybody.
const MIN_LETTERS: usize = 3;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Three letters or more of a username or a display name, in any case.
    query: Option<String>,
    /// 1 to 200; 50 when absent.
    limit: Option<i64>,
    /// `next` of the page before.
    after: Option<String>,
}

/// People by name, the best fits first.
#[utoipa::path(
    get, path = "/v1/users", tag = "accounts", params(Search),
    responses((status = 200, body = Page<User>), (status = 400, body = Problem), (status = 401, body = Problem)),
)]
pub(crate) async fn search(
    State(app): State<App>,
    _caller: Caller,
    Query(search): Query<Search>,
) -> ApiResult<axum::Json<Page<User>>> {
    let query = search.query.as_deref().unwrap_or_default();
    let query = names::line("query", query, 64)
        .map_err(ApiError::invalid)?
        .to_lowercase();
    if query.chars().count() < MIN_LETTERS {
        return Err(ApiError::invalid(format!(
            "`query` must have {MIN_LETTERS} letters or more"
        )));
    }
    let limit = match search.limit {
        None => 50,
        Some(limit) if limit >= 1 => limit.min(200),
        Some(_) => return Err(ApiError::invalid("`limit` must be 1 to 200")),
    };
    let after = match &search.after {
        None => (-1, ""),
        Some(cursor) => {
            parse(cursor).ok_or_else(|| ApiError::invalid("`after` must be the `next` of a page"))?
        }
    };
    let mut c = app.store.read().await?;
    let mut found = accounts::search(&mut c, &query, after, limit + 1).await?;
    let more = i64::try_from(found.len()).unwrap_or(i64::MAX) > limit;
    found.truncate(usize::try_from(limit).unwrap_or_default());
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| format!("{}.{}", last.rank, last.user.username));
    let items = found.iter().map(|found| found.user.user()).collect();
    Ok(axum::Json(Page { items, next }))
}

fn parse(cursor: &str) -> Option<(i64, &str)> {
    let (rank, username) = cursor.split_once('.')?;
    Some((rank.parse().ok()?, username))
}
