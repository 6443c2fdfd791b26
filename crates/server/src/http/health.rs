//! `GET /healthz`: the process is alive. `GET /readyz`: it can do its work.

use std::time::{Duration, Instant};

use axum::extract::State;
use tokio::sync::Mutex;
use voxpost_proto::Problem;

use crate::app::App;
use crate::error::{ApiError, ApiResult};

/// How long an answer of [`ready`] holds: anybody may ask, and each look costs a write of the disk.
const FRESH: Duration = Duration::from_secs(1);

/// What was last found.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, ApiResult<()>)>>);

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "server", security(()), responses((status = 200, body = String)))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The database and the object store take writes, and events are on their way.
#[utoipa::path(
    get, path = "/readyz", tag = "server", security(()),
    responses((status = 200, body = String), (status = 503, body = Problem), (status = 507, body = Problem)),
)]
pub(crate) async fn ready(State(app): State<App>) -> ApiResult<&'static str> {
    // Held while looking, so that those who ask meanwhile wait for the one answer.
    let mut last = app.readiness.0.lock().await;
    let found = match &*last {
        Some((at, found)) if at.elapsed() < FRESH => found.clone(),
        _ => {
            let found = look(&app).await;
            *last = Some((Instant::now(), found.clone()));
            found
        }
    };
    found.map(|()| "ok\n")
}

async fn look(app: &App) -> ApiResult<()> {
    if app.hub.is_stopping() {
        return Err(ApiError::unavailable("The server is shutting down."));
    }
    app.store
        .write(|c| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO meta (key, value) VALUES ('ready', '') ON CONFLICT (key) DO UPDATE SET value = ''",
                )
                .execute(c)
                .await?;
                Ok::<_, ApiError>(())
            })
        })
        .await?;
    app.blobs.probe().await.map_err(|error| {
        tracing::warn!(%error, "the object store cannot be used");
        match app.blobs.breaker() {
            None => ApiError::unavailable("Sounds cannot be kept right now."),
            Some(breaker) if app.ingest.staging.is_full() => ApiError::unavailable(format!(
                "The object store is away (circuit breaker {}), and no more sounds can wait on the local disk.",
                breaker.as_str()
            )),
            Some(breaker) => ApiError::unavailable(format!(
                "The object store is away (circuit breaker {}). New sounds wait on the local disk until it is back.",
                breaker.as_str()
            )),
        }
    })
}
