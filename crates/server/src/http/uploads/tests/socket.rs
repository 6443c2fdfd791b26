//! The same uploads over the socket.

use axum::http::Method;
use futures_util::SinkExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_tungstenite::tungstenite::Message as Frame;
use uuid::Uuid;
use voxpost_proto::upload::{Chunk, Sender};

use crate::http::messages::tests::{CHROMIUM, FIREFOX};
use crate::live_testing::{Person, Socket, World};
use crate::render;

const CHUNK: u64 = 1000;

async fn chunk(socket: &mut Socket, handle: u32, offset: usize, bytes: &[u8]) {
    let chunk = Chunk {
        offset: offset as u64,
        bytes,
    };
    socket
        .stream
        .send(Frame::binary(chunk.to_message(handle)))
        .await
        .unwrap();
}

async fn start(socket: &mut Socket, about: Value) -> (Uuid, u32, usize) {
    let mut message = json!({"type": "upload.start", "ref": "s"});
    for (key, value) in about.as_object().unwrap() {
        message[key] = value.clone();
    }
    socket.say(&message).await;
    let ready = socket.until("upload.ready").await;
    assert_eq!(
        (&ready["ref"], &ready["chunk_bytes"]),
        (&json!("s"), &json!(64 << 10))
    );
    (
        ready["upload_id"].as_str().unwrap().parse().unwrap(),
        u32::try_from(ready["handle"].as_u64().unwrap()).unwrap(),
        usize::try_from(ready["offset"].as_u64().unwrap()).unwrap(),
    )
}

/// Sends all that is left, as a client does: a window ahead of the acknowledgements.
async fn send_rest(socket: &mut Socket, handle: u32, from: usize, bytes: &[u8]) {
    let mut sender = Sender::new(bytes.len() as u64, CHUNK, 4 * CHUNK);
    sender.resume(from as u64).unwrap();
    while !sender.is_done() {
        while let Some(range) = sender.next_chunk() {
            let (start, end) = (range.start as usize, range.end as usize);
            chunk(socket, handle, start, &bytes[start..end]).await;
        }
        let ack = socket.until("upload.ack").await;
        assert_eq!(ack["handle"], handle);
        sender.acknowledged(ack["offset"].as_u64().unwrap()).unwrap();
    }
}

async fn finish(socket: &mut Socket, id: Uuid, bytes: &[u8]) -> Value {
    let sha256 = render::hex(&Sha256::digest(bytes));
    socket
        .say(&json!({"type": "upload.finish", "ref": "f", "upload_id": id, "sha256": sha256}))
        .await;
    loop {
        let answer = socket.next().await;
        if answer["ref"] == "f" {
            return answer;
        }
    }
}

async fn stage() -> (World, Person, Person, Uuid) {
    let world = World::with(&["--patience-ms", "600000"]).await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let conversation = world.direct(&ana, &ben).await;
    (world, ana, ben, conversation)
}

#[tokio::test]
async fn chunks_become_a_message_and_the_answer_is_the_message() {
    let (world, ana, ben, conversation) = stage().await;
    let mut listening = world.synced(&ben, None).await;
    let mut socket = world.synced(&ana, None).await;
    for (number, length) in [(1, json!(CHROMIUM.len())), (2, Value::Null)] {
        let client_id = Uuid::from_u128(number);
        let about = json!({"conversation_id": conversation, "client_id": client_id, "length": length});
        let (id, handle, offset) = start(&mut socket, about).await;
        assert_eq!(offset, 0);
        send_rest(&mut socket, handle, 0, CHROMIUM).await;
        let done = finish(&mut socket, id, CHROMIUM).await;
        assert_eq!(done["type"], "ok", "{done}");
        assert_eq!(done["message"]["state"], "ready");
        assert_eq!(done["message"]["client_id"], json!(client_id));
        let event = listening.until("message.created").await;
        assert_eq!(event["message"]["id"], done["message"]["id"]);
        let again = finish(&mut socket, id, CHROMIUM).await;
        assert_eq!(again["message"]["id"], done["message"]["id"], "asked twice");
    }
}

#[tokio::test]
async fn another_socket_goes_on_where_the_acknowledgement_stood() {
    let (world, ana, _ben, conversation) = stage().await;
    let mut first = world.synced(&ana, None).await;
    let about = json!({"conversation_id": conversation, "length": CHROMIUM.len()});
    let (id, handle, _) = start(&mut first, about).await;
    chunk(&mut first, handle, 0, &CHROMIUM[..3000]).await;
    assert_eq!(first.until("upload.ack").await["offset"], 3000);
    let mut second = world.synced(&ana, None).await;
    let (same, other, offset) = start(&mut second, json!({"upload_id": id})).await;
    assert_eq!((same, offset), (id, 3000));
    let failed = first.until("upload.failed").await;
    assert_eq!(
        (&failed["handle"], &failed["problem"]["code"]),
        (&json!(handle), &json!("upload_offset_mismatch"))
    );
    // What is still on its way on the old one is dropped without a word.
    chunk(&mut first, handle, 3000, &[0; 500]).await;
    send_rest(&mut second, other, offset, CHROMIUM).await;
    assert_eq!(finish(&mut second, id, CHROMIUM).await["type"], "ok");
}

#[tokio::test]
async fn what_began_on_the_socket_goes_on_over_http_and_back() {
    let (world, ana, _ben, conversation) = stage().await;
    let mut socket = world.synced(&ana, None).await;
    let about = json!({"conversation_id": conversation, "length": CHROMIUM.len()});
    let (id, handle, _) = start(&mut socket, about).await;
    chunk(&mut socket, handle, 0, &CHROMIUM[..2000]).await;
    socket.until("upload.ack").await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let url = format!("http://{}/v1/uploads/{id}", world.address);
    let patched = http
        .request(Method::PATCH, &url)
        .bearer_auth(&ana.token)
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", "2000")
        .header("content-type", "application/offset+octet-stream")
        .body(CHROMIUM[2000..3000].to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(patched.status(), 204);
    let (_, handle, offset) = start(&mut socket, json!({"upload_id": id})).await;
    assert_eq!(offset, 3000);
    send_rest(&mut socket, handle, offset, CHROMIUM).await;
    let done = finish(&mut socket, id, CHROMIUM).await;
    let asked = http
        .request(Method::HEAD, &url)
        .bearer_auth(&ana.token)
        .header("tus-resumable", "1.0.0")
        .send()
        .await
        .unwrap();
    let told = asked.headers()["voxpost-message-id"].to_str().unwrap();
    assert_eq!(done["message"]["id"], told);
}

#[tokio::test]
async fn what_cannot_be_is_answered_with_its_reference_and_the_socket_lives() {
    let (world, ana, ben, conversation) = stage().await;
    let mut socket = world.synced(&ana, None).await;
    let about = json!({"conversation_id": conversation, "length": 4000});
    let (id, handle, _) = start(&mut socket, about.clone()).await;

    let early = finish(&mut socket, id, b"").await;
    assert_eq!(early["problem"]["code"], "upload_offset_mismatch");
    chunk(&mut socket, handle, 0, &[1; 100]).await;
    chunk(&mut socket, handle, 50, &[1; 100]).await;
    loop {
        if socket.until("upload.ack").await["offset"] == 150 {
            break;
        }
    }
    chunk(&mut socket, handle, 200, &[1; 100]).await;
    let failed = socket.until("upload.failed").await;
    assert_eq!(failed["problem"]["code"], "upload_offset_mismatch");

    let (_, handle, offset) = start(&mut socket, json!({"upload_id": id})).await;
    assert_eq!(offset, 150);
    chunk(&mut socket, handle, 150, &[1; 4000]).await;
    let failed = socket.until("upload.failed").await;
    assert_eq!(failed["problem"]["code"], "audio_too_large");

    let mut bens = world.synced(&ben, None).await;
    bens.say(&json!({"type": "upload.start", "ref": 9, "upload_id": id}))
        .await;
    let error = bens.until("error").await;
    assert_eq!(
        (&error["ref"], &error["problem"]["code"]),
        (&json!(9), &json!("not_found"))
    );
    socket
        .say(&json!({"type": "upload.finish", "ref": 8, "upload_id": id, "sha256": "no"}))
        .await;
    assert_eq!(socket.until("error").await["ref"], 8);
    socket
        .stream
        .send(Frame::binary(vec![3, 0, 0, 9, 9, 0]))
        .await
        .unwrap();
    assert_eq!(socket.until("error").await["problem"]["code"], "invalid_request");

    let about = json!({"conversation_id": conversation, "length": FIREFOX.len()});
    let (id, handle, _) = start(&mut socket, about).await;
    send_rest(&mut socket, handle, 0, FIREFOX).await;
    let wrong = finish(&mut socket, id, b"another sound").await;
    assert_eq!(wrong["problem"]["code"], "checksum_mismatch");
    let again = finish(&mut socket, id, FIREFOX).await;
    assert_eq!(again["problem"]["code"], "checksum_mismatch", "it has failed");
    assert_eq!(world.say(&ana, conversation).await, 1);
}

#[tokio::test]
async fn a_socket_has_so_many_uploads_at_a_time_and_takes_more_bytes_than_its_queues_hold() {
    let (world, ana, _ben, conversation) = stage().await;
    let mut socket = world.synced(&ana, None).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(start(&mut socket, json!({"conversation_id": conversation})).await);
    }
    socket
        .say(&json!({"type": "upload.start", "ref": 1, "conversation_id": conversation}))
        .await;
    assert_eq!(socket.until("error").await["problem"]["code"], "rate_limited");
    let megabytes = vec![7; 3 << 20];
    let (_, handle, _) = open[0];
    for (number, bytes) in megabytes.chunks(64 << 10).enumerate() {
        chunk(&mut socket, handle, number << 16, bytes).await;
    }
    loop {
        if socket.until("upload.ack").await["offset"] == megabytes.len() {
            break;
        }
    }
}
