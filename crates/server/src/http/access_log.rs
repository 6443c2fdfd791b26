//! One log line and two figures for each request: the route as a template, so that no id, query or signature can be in it.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

pub(super) async fn log(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let start = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("(no route)", MatchedPath::as_str);
    let seconds = start.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    metrics::counter!("voxpost_http_requests_total", "route" => route.to_owned(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!("voxpost_http_request_seconds", "route" => route.to_owned()).record(seconds);
    let duration_ms = seconds * 1000.0;
    if response.status().is_server_error() {
        tracing::warn!(%method, route, status, duration_ms, "request failed");
    } else {
        tracing::info!(%method, route, status, duration_ms, "request");
    }
    response
}
