//! Uploads over HTTP, through the whole server without a listener.

mod drafts;
mod ends;
mod socket;
mod tus;
mod writers;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use uuid::Uuid;
use voxpost_proto::api::UploadStatus;

use crate::http::messages::tests::Stage;
use crate::testing::Answer;

/// A request in tus 1.0.0 by Ana, unless the headers say otherwise.
fn tus(
    stage: &Stage,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path);
    let given = |name: &str| headers.iter().any(|(given, _)| *given == name);
    if !given("authorization") {
        request = request.header("authorization", format!("Bearer {}", stage.ana.token));
    }
    if !given("tus-resumable") {
        request = request.header("tus-resumable", "1.0.0");
    }
    if method == "PATCH" && !given("content-type") {
        request = request.header("content-type", "application/offset+octet-stream");
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

async fn call(
    stage: &Stage,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    stage.app.send(tus(stage, method, path, headers, body)).await
}

/// As `Upload-Metadata` has it.
fn metadata(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(key, value)| format!("{key} {}", BASE64.encode(value)));
    pairs.collect::<Vec<_>>().join(",")
}

/// A new upload to the conversation of the stage; gives its address.
async fn create(stage: &Stage, length: usize) -> String {
    let metadata = metadata(&[
        ("conversation_id", &stage.conversation.to_string()),
        ("filename", "a.webm"),
    ]);
    let headers = [
        ("upload-length", &*length.to_string()),
        ("upload-metadata", &metadata),
    ];
    let answer = call(stage, "POST", "/v1/uploads", &headers, "").await.expect(201);
    answer.header("location").to_owned()
}

/// An upload that has no conversation.
async fn create_alone(stage: &Stage, length: usize) -> String {
    let headers = [("upload-length", &*length.to_string())];
    let answer = call(stage, "POST", "/v1/uploads", &headers, "").await.expect(201);
    answer.header("location").to_owned()
}

async fn append(stage: &Stage, path: &str, offset: usize, bytes: &[u8]) -> Answer {
    let (offset, length) = (offset.to_string(), bytes.len().to_string());
    let headers = [("upload-offset", &*offset), ("content-length", &length)];
    call(stage, "PATCH", path, &headers, bytes.to_vec()).await
}

async fn offset(stage: &Stage, path: &str) -> String {
    let answer = call(stage, "HEAD", path, &[], "").await.expect(200);
    answer.header("upload-offset").to_owned()
}

async fn status(stage: &Stage, path: &str) -> UploadStatus {
    stage.app.get(path, &stage.ana.token).await.expect(200).parse()
}

fn upload_id(path: &str) -> Uuid {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// Files that uploads have at present.
fn files(stage: &Stage) -> usize {
    std::fs::read_dir(&stage.app.app.uploads.dir).unwrap().count()
}
