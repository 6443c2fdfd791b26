//! `PATCH /v1/me`: change one's name and settings.

use axum::extract::State;
use voxpost_proto::Problem;
use voxpost_proto::api::{Me, MeUpdate};

use super::super::extract::Json;
use super::own;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::domain::names;
use crate::error::{ApiError, ApiResult};
use crate::store::{accounts, conversations};

/// Changes what is given; what is absent stays, `locale: null` takes it away.
#[utoipa::path(
    patch, path = "/v1/me", tag = "accounts", request_body = MeUpdate,
    responses((status = 200, body = Me), (status = 400, body = Problem), (status = 401, body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<MeUpdate>,
) -> ApiResult<axum::Json<Me>> {
    let display_name = match &body.display_name {
        Some(name) => Some(names::line("display_name", name, 64).map_err(ApiError::invalid)?),
        None => None,
    };
    let locale = match &body.locale {
        Some(Some(locale)) => Some(Some(names::locale(locale).map_err(ApiError::invalid)?)),
        other => other.clone(),
    };
    let me = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let before = own(c, caller).await?;
                let mut row = before.clone();
                row.display_name = display_name.unwrap_or(row.display_name);
                row.locale = locale.unwrap_or(row.locale);
                row.accepts_voice = body.accepts_voice.unwrap_or(row.accepts_voice);
                row.sends_played_receipts = body.sends_played_receipts.unwrap_or(row.sends_played_receipts);
                if row != before {
                    accounts::update(c, &row).await?;
                }
                let shown = |row: &accounts::UserRow| (row.display_name.clone(), row.accepts_voice);
                if shown(&row) != shown(&before) {
                    conversations::person_changed(c, row.id, clock::now()).await?;
                }
                Ok::<_, ApiError>(row.me())
            })
        })
        .await?;
    Ok(axum::Json(me))
}
