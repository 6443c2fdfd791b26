//! The operator's listener: `/metrics` for Prometheus, apart from what people reach.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::serve::ServeError;

/// In seconds: from what a cached read takes to what makes people give up.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

const UPKEEP: Duration = Duration::from_secs(5);

/// Starts counting and answers on `listen`; returns the address that it got. Ends with the process: it holds nothing.
pub(crate) async fn start(listen: SocketAddr) -> Result<SocketAddr, ServeError> {
    let failed = |error| ServeError::OpsListen(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let handle = builder()
        .install_recorder()
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        // Folds what was measured, so that nothing piles up where nobody asks.
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            upkeep.run_upkeep();
        }
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(handle)).await {
            tracing::error!(%error, "the operator's listener ended");
        }
    });
    Ok(address)
}

fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .expect("there are buckets")
}

fn router(handle: PrometheusHandle) -> Router {
    let metrics = move || async move {
        (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            handle.render(),
        )
    };
    Router::new().route("/metrics", get(metrics))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    #[tokio::test]
    async fn what_was_counted_can_be_scraped() {
        let recorder = builder().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("voxpost_http_requests_total", "route" => "/v1/me").increment(2);
            metrics::histogram!("voxpost_http_request_seconds").record(0.003);
        });
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let answer = router(recorder.handle()).oneshot(request).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(
            text.contains("voxpost_http_requests_total{route=\"/v1/me\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("voxpost_http_request_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
    }
}
