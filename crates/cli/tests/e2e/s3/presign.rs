//! Uploads that go to the store by a link.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::Message;
use voxpost_testkit::{Answer, Clip, Person, S3, client, eventually, exchange, fresh_id};

use super::on;
use crate::{files, server, sha256};

async fn presign(person: &Person, conversation: Uuid, bytes: &[u8]) -> Answer {
    let body = json!({"conversation_id": conversation, "type": "audio/webm", "size_bytes": bytes.len(), "sha256": sha256(bytes)});
    person.post("/v1/uploads/presign", &body).await
}

/// As any HTTP client would: the method, the address and the headers that were told.
async fn put(link: &Value, bytes: &[u8]) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in link["headers"].as_object().expect("headers") {
        if name != "content-length" {
            let name: reqwest::header::HeaderName = name.parse().expect("a header");
            headers.insert(name, value.as_str().expect("text").parse().expect("a value"));
        }
    }
    assert_eq!(link["method"], "PUT");
    let url = link["url"].as_str().expect("an address");
    exchange(client().put(url).headers(headers).body(bytes.to_vec())).await
}

async fn send(person: &Person, conversation: Uuid, link: &Value, client_id: Uuid) -> Answer {
    let body = json!({"upload_id": link["upload_id"], "client_id": client_id});
    person
        .post(&format!("/v1/conversations/{conversation}/messages"), &body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_goes_to_the_store_by_a_link_and_is_a_message_like_any_other() {
    let s3 = S3::start().await;
    let server = on(&s3).await;
    let (ana, ben, eve) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eve").await,
    );
    let conversation = ana.talk_to(&ben).await.id;
    let clip = Clip::webm(2.0, 300);
    presign(&eve, conversation, &clip.bytes)
        .await
        .problem(ErrorCode::NotFound);
    let link: Value = presign(&ana, conversation, &clip.bytes).await.expect(201).json();
    let client_id = fresh_id();
    send(&ana, conversation, &link, client_id)
        .await
        .problem(ErrorCode::UploadOffsetMismatch);

    // Other bytes of the same length and longer ones are refused by the store, or else by us.
    let mut other = clip.bytes.clone();
    other[100] ^= 1;
    assert!(put(&link, &other).await.status >= 400, "the checksum is signed");
    let longer = [&clip.bytes[..], b"more"].concat();
    assert!(put(&link, &longer).await.status >= 400, "the size is signed");

    put(&link, &clip.bytes).await.expect(200);
    send(&eve, conversation, &link, client_id)
        .await
        .problem(ErrorCode::NotFound);
    let message: Message = send(&ana, conversation, &link, client_id)
        .await
        .expect(201)
        .json();
    let again: Message = send(&ana, conversation, &link, client_id)
        .await
        .expect(200)
        .json();
    assert_eq!(again.id, message.id);
    let heard = ben.audio(message.id).await.expect(200);
    assert_eq!(sha256(&heard.body), message.audio.expect("sound").sha256);
    let served = Clip { bytes: heard.body };
    assert_eq!(served.probe().hashes(), clip.probe().hashes());
    eventually("what was put by the link to be gone", || async {
        files(&s3.bucket_dir().join("uploads")).is_empty().then_some(())
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_by_a_link_is_believed_in_nothing() {
    let s3 = S3::start().await;
    let server = on(&s3).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let clip = Clip::webm(1.0, 300);
    let staged = |link: &Value| {
        let folder = s3.bucket_dir().join("uploads");
        std::fs::create_dir_all(&folder).expect("a folder");
        folder.join(link["upload_id"].as_str().expect("an id"))
    };
    // As if the store had looked at neither size nor checksum.
    let mut other = clip.bytes.clone();
    other[100] ^= 1;
    let link: Value = presign(&ana, conversation, &clip.bytes).await.expect(201).json();
    std::fs::write(staged(&link), &other).expect("a file");
    let refused = send(&ana, conversation, &link, fresh_id()).await;
    refused.problem(ErrorCode::ChecksumMismatch);
    let link: Value = presign(&ana, conversation, &clip.bytes).await.expect(201).json();
    std::fs::write(staged(&link), &clip.bytes[1..]).expect("a file");
    let refused = send(&ana, conversation, &link, fresh_id()).await;
    refused.problem(ErrorCode::ChecksumMismatch);
    let noise = vec![7; 5000];
    let link: Value = presign(&ana, conversation, &noise).await.expect(201).json();
    put(&link, &noise).await.expect(200);
    let refused = send(&ana, conversation, &link, fresh_id()).await;
    refused.problem(ErrorCode::AudioUnrecognised);
    assert!(ana.messages(conversation).await.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_disk_of_its_own_gives_no_links() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    presign(&ana, conversation, b"sound")
        .await
        .problem(ErrorCode::NotSupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_http_client_of_boto3_uses_a_link_as_it_is() {
    let s3 = S3::start().await;
    let server = on(&s3).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let clip = Clip::webm(1.0, 300);
    let link: Value = presign(&ana, conversation, &clip.bytes).await.expect(201).json();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("voice.webm");
    std::fs::write(&file, &clip.bytes).expect("a file");
    assert_eq!(boto3_put(&file, &link), "200");
    send(&ana, conversation, &link, fresh_id()).await.expect(201);
    let mut other = clip.bytes.clone();
    other[100] ^= 1;
    std::fs::write(&file, &other).expect("a file");
    assert_ne!(boto3_put(&file, &link), "200");
    server.stop().await;
}

fn boto3_put(file: &Path, link: &Value) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/s3/boto3_put.py");
    let mut python = Command::new(cache().join("voxpost/venv/bin/python"))
        .arg(script)
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/setup.sh test has made the venv");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(link.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Where `scripts/setup.sh` keeps programs of others.
fn cache() -> PathBuf {
    let own = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    own.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache"))
}
