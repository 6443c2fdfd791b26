//! The operator's listener: `/metrics` for Prometheus, apart from what people reach.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::serve::ServeError;

/// In seconds: from what a cached read takes to what makes people give up.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Writes that shared a commit.
const JOBS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

const UPKEEP: Duration = Duration::from_secs(5);

/// Starts counting and answers on `listen`; returns the address that it got. Ends with the process: it holds nothing.
pub(crate) async fn start(listen: SocketAddr) -> Result<SocketAddr, ServeError> {
    let failed = |error| ServeError::OpsListen(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let handle = builder()
        .install_recorder()
        .map_err(|error| failed(std::io::Error::other(error)))?;
    describe();
    metrics_process::Collector::default().describe();
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
        .set_buckets_for_metric(Matcher::Full("voxpost_commit_jobs".to_owned()), &JOBS)
        .expect("there are buckets")
}

/// What Prometheus shows beside the names.
fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    metrics::gauge!("voxpost_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    describe_gauge!("voxpost_build_info", "1, with the version as a label");
    describe_counter!("voxpost_http_requests_total", "Requests by route and status");
    describe_histogram!(
        "voxpost_http_request_seconds",
        "Time to the head of the answer, by route"
    );
    describe_counter!("voxpost_problems_total", "Refusals and failures by error code");
    describe_counter!(
        "voxpost_rate_limited_total",
        "Requests refused by a rate limit, by limit"
    );
    describe_gauge!("voxpost_connections_open", "Connections of the main listener");
    describe_counter!(
        "voxpost_connections_refused_total",
        "Connections closed for --max-connections"
    );
    describe_counter!(
        "voxpost_connections_failed_total",
        "Connections that failed before a request, refused ones included"
    );
    describe_gauge!("voxpost_sockets_open", "Open sockets and waiting syncs");
    describe_counter!(
        "voxpost_sockets_behind_total",
        "Times a slow socket was sent back to the log"
    );
    describe_counter!(
        "voxpost_events_dispatched_total",
        "Durable events taken from the log to open sockets"
    );
    describe_histogram!(
        "voxpost_commit_seconds",
        "Time of one group commit, its fsync included"
    );
    describe_histogram!("voxpost_commit_jobs", "Writes that shared a commit");
    describe_counter!("voxpost_commits_failed_total", "Group commits that were undone");
    describe_gauge!("voxpost_writes_waiting", "Writes that wait for the writer");
    describe_counter!("voxpost_ingest_total", "Sounds taken or refused, by outcome");
    describe_histogram!(
        "voxpost_normalise_seconds",
        "Time to bring one sound into canonical form"
    );
    describe_histogram!("voxpost_object_put_seconds", "Time to store one sound durably");
    describe_gauge!(
        "voxpost_waiting_bytes",
        "Bytes of accepted sounds that wait on the local disk"
    );
    describe_gauge!(
        "voxpost_store_breaker",
        "1 for the state that the circuit breaker before the object store is in"
    );
    describe_counter!(
        "voxpost_store_requests_total",
        "Attempts at requests to the object store, by operation and outcome"
    );
    describe_counter!(
        "voxpost_store_retries_total",
        "Requests to the object store that were repeated"
    );
    describe_histogram!(
        "voxpost_store_request_seconds",
        "Time of one attempt, by operation"
    );
    describe_histogram!(
        "voxpost_live_flush_seconds",
        "Time to make packets of up to 256 recordings durable"
    );
    describe_gauge!(
        "voxpost_store_requests_waiting",
        "Requests to the object store that wait for their turn"
    );
    describe_gauge!(
        "voxpost_objects_missing",
        "Messages whose sound was not in the store at the last search"
    );
    describe_gauge!(
        "voxpost_lane_waiting",
        "Sounds that wait for a worker thread, by lane"
    );
    describe_histogram!("voxpost_lane_wait_seconds", "How long they waited");
    describe_counter!(
        "voxpost_lane_refused_total",
        "Sounds refused because too many waited"
    );
    describe_counter!(
        "voxpost_task_restarts_total",
        "Background tasks that ended by a bug and were started again"
    );
}

fn router(handle: PrometheusHandle) -> Router {
    let process = metrics_process::Collector::default();
    let metrics = move || async move {
        process.collect();
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
