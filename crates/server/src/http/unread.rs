//! Refusing a request whose body was not read, or not to its end.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use crate::error::ApiError;

/// A sender that is refused early may go on sending for so long before the connection is cut.
pub(super) const DRAIN: Duration = Duration::from_secs(10);

/// Answers before the body is read. A client that sends everything before it listens would find its connection reset and never
/// see the answer, so the body is read and thrown away for a while; one that waits for `100 Continue` sends nothing.
pub(super) fn refuse(error: ApiError, headers: &HeaderMap, body: Body) -> Response {
    if !headers.contains_key(header::EXPECT) {
        drain(body);
    }
    closing(error)
}

/// Reads a body in the background and throws it away.
pub(super) fn drain(body: Body) {
    tokio::spawn(tokio::time::timeout(DRAIN, async move {
        let mut body = body.into_data_stream();
        while let Some(Ok(_)) = body.next().await {}
    }));
}

/// An answer after which the connection is not used again.
pub(super) fn closing(error: ApiError) -> Response {
    let mut response = error.into_response();
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
