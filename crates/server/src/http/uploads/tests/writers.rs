//! One upload, one writer.

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, future, stream};
use tokio::sync::mpsc;
use voxpost_proto::ErrorCode;

use super::{append, call, create, offset, tus};
use crate::http::messages::tests::{CHROMIUM, Stage};
use crate::testing::Answer;

/// A body that brings what it is given, and stays silent in between.
fn slow() -> (mpsc::UnboundedSender<&'static [u8]>, Body) {
    let (send, receive) = mpsc::unbounded_channel::<&'static [u8]>();
    let pieces = stream::unfold(receive, |mut receive| async move {
        let piece = receive.recv().await?;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(piece)), receive))
    });
    (send, Body::from_stream(pieces))
}

/// A body whose connection breaks after these bytes.
fn broken(bytes: &'static [u8]) -> Body {
    let first = stream::once(future::ready(Ok(Bytes::from_static(bytes))));
    let end = stream::once(future::ready(Err(std::io::Error::other("reset"))));
    Body::from_stream(first.chain(end))
}

async fn until_holding(stage: &Stage, path: &str, writing: &mut (impl Future<Output = Answer> + Unpin)) {
    // The request runs until its body is silent: then what it has is in its hands.
    let _ = path;
    for _ in 0..50 {
        assert!(
            futures_util::poll!(&mut *writing).is_pending(),
            "it waits for its body"
        );
        stage.app.get("/v1/me", &stage.ana.token).await.expect(200);
    }
}

#[tokio::test]
async fn who_asks_takes_over_from_a_silent_connection_and_gets_what_it_had() {
    let stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    let (send, body) = slow();
    let request = tus(&stage, "PATCH", &path, &[("upload-offset", "0")], body);
    let mut writing = Box::pin(stage.app.send(request));
    send.send(&CHROMIUM[..1000]).unwrap();
    until_holding(&stage, &path, &mut writing).await;

    let (asked, old) = tokio::join!(offset(&stage, &path), writing);
    assert_eq!(asked, "1000", "what it had received is not sent again");
    assert_eq!(old.header("upload-offset"), "1000");
    old.problem(ErrorCode::UploadOffsetMismatch);
    // It wakes up much too late, and nobody listens.
    let _ = send.send(b"something else entirely");
    let done = append(&stage, &path, 1000, &CHROMIUM[1000..]).await.expect(204);
    let id = done.header("voxpost-message-id").parse().unwrap();
    let message = stage.message(&stage.ben.token, id).await.expect(200).json();
    assert_eq!(message["truncated"], false);
}

#[tokio::test]
async fn who_goes_on_takes_over_too_and_the_sound_is_that_of_the_last_writer() {
    let stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    append(&stage, &path, 0, &CHROMIUM[..500]).await.expect(204);
    let (send, body) = slow();
    let mut first = Box::pin(
        stage
            .app
            .send(tus(&stage, "PATCH", &path, &[("upload-offset", "500")], body)),
    );
    until_holding(&stage, &path, &mut first).await;
    let second = append(&stage, &path, 500, &CHROMIUM[500..]);
    let (first, second) = tokio::join!(first, second);
    first.problem(ErrorCode::UploadOffsetMismatch);
    drop(send);
    let id = second.expect(204).header("voxpost-message-id").parse().unwrap();
    stage.message(&stage.ben.token, id).await.expect(200);
}

#[tokio::test]
async fn what_came_before_a_connection_broke_is_kept() {
    let stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    let request = tus(
        &stage,
        "PATCH",
        &path,
        &[("upload-offset", "0")],
        broken(&CHROMIUM[..700]),
    );
    stage.app.send(request).await.problem(ErrorCode::Unavailable);
    assert_eq!(offset(&stage, &path).await, "700");
    // With a checksum nobody knows whether it is good, so nothing is.
    let headers = [
        ("upload-offset", "700"),
        ("upload-checksum", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
    ];
    let request = tus(&stage, "PATCH", &path, &headers, broken(&CHROMIUM[700..900]));
    stage.app.send(request).await.problem(ErrorCode::Unavailable);
    assert_eq!(offset(&stage, &path).await, "700");
    // All was there when it broke: then it is a message.
    let request = tus(
        &stage,
        "PATCH",
        &path,
        &[("upload-offset", "700")],
        broken(&CHROMIUM[700..]),
    );
    let done = stage.app.send(request).await.expect(204);
    assert_ne!(done.header("voxpost-message-id"), "");
}

#[tokio::test]
async fn many_writers_at_once_never_mix() {
    let stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    let attempts = (0..12).map(|_| append(&stage, &path, 0, &CHROMIUM[..2000]));
    let answers = future::join_all(attempts).await;
    let won = answers.iter().filter(|answer| answer.status == 204).count();
    assert!(won <= 1, "{won} promised the same bytes");
    let at: usize = offset(&stage, &path).await.parse().unwrap();
    assert!(at == 0 || at == 2000, "{at}");
    let done = append(&stage, &path, at, &CHROMIUM[at..]).await.expect(204);
    let id = done.header("voxpost-message-id").parse().unwrap();
    let message = stage.message(&stage.ben.token, id).await.expect(200).json();
    assert_eq!(message["truncated"], false);
    call(&stage, "HEAD", &path, &[], "").await.expect(200);
}
