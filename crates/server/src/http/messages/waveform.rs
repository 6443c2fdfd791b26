//! `GET /v1/messages/{id}/waveform`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;
use voxpost_proto::{ErrorCode, Problem};

use crate::access;
use crate::app::App;
use crate::auth::Caller;
use crate::domain::access::Action;
use crate::domain::waveform::{self, Dialect};
use crate::error::{ApiError, ApiResult};
use crate::http::extract::{Path, Query};

/// Which form.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `matrix`, `telegram`, `discord`, `whatsapp`, `stream` or `audiowaveform`.
    dialect: String,
}

/// The waveform as another messenger writes it, with the duration in its words: an object to put into that messenger's own
/// message. Only what this server measured is given; until then it is `unavailable`, and `message.updated` tells when.
#[utoipa::path(
    get, path = "/v1/messages/{id}/waveform", tag = "messages",
    params(("id" = Uuid, Path, description = "The message"), Wanted),
    responses(
        (status = 200, body = Value, description = "matrix: `{duration, waveform: [0..1024]}`; telegram: `{duration, waveform}` \
            (5 bits, base64); discord: `{duration_secs, waveform}` (base64); whatsapp: `{seconds, waveform}` (base64); stream: \
            `{duration, waveform_data: [0..1]}`; audiowaveform: its JSON document"),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 406, body = Problem, description = "`not_acceptable`: no such dialect"),
        (status = 409, body = Problem, description = "`not_supported`: the sound cannot be measured"),
        (status = 503, body = Problem, description = "`unavailable`: it is not measured yet"),
    ),
)]
pub(crate) async fn waveform(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(wanted): Query<Wanted>,
) -> ApiResult<Json<Value>> {
    let row = {
        let mut c = app.store.read().await?;
        access::message(&mut c, caller.user_id, id, Action::See).await?.0
    };
    let dialect = Dialect::by_name(&wanted.dialect).ok_or_else(|| {
        let names: Vec<&str> = Dialect::NAMES.iter().map(|(name, _)| *name).collect();
        ApiError::new(
            ErrorCode::NotAcceptable,
            format!("There is no such dialect. Ask for one of {}.", names.join(", ")),
        )
    })?;
    let measured = row
        .waveform
        .filter(|_| row.waveform_source.as_deref() == Some("server"));
    let measured = measured.and_then(|json| serde_json::from_str::<Vec<u16>>(&json).ok());
    match (measured, row.duration_ms) {
        (Some(values), Some(duration_ms)) if !values.is_empty() => {
            let duration_ms = u64::try_from(duration_ms).unwrap_or(0);
            Ok(Json(waveform::write(dialect, &values, duration_ms)))
        }
        _ if row.analysis == "failed" => Err(ApiError::new(
            ErrorCode::NotSupported,
            "The sound of this message could not be measured; it has no waveform.",
        )),
        _ => Err(ApiError::unavailable(
            "The sound of this message is not measured yet. Try again, or wait for `message.updated`.",
        )),
    }
}
