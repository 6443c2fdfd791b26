//! What becomes of an upload that is whole, and of one that never is.

use serde_json::json;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, UploadState};

use super::{append, call, create, create_alone, files, metadata, offset, status, upload_id};
use crate::housekeeping::{self, Rhythm};
use crate::http::messages::tests::{CHROMIUM, FIREFOX, MP3, Stage};
use crate::uploads;

#[tokio::test]
async fn what_is_no_sound_is_refused_to_the_uploader() {
    let stage = Stage::new().await;
    let path = create(&stage, 19).await;
    append(&stage, &path, 0, b"no sound here, none")
        .await
        .problem(ErrorCode::AudioUnrecognised);
    let told = status(&stage, &path).await;
    assert_eq!(told.state, UploadState::Failed);
    assert_eq!(told.failure.unwrap().code, ErrorCode::AudioUnrecognised);
    assert_eq!(offset(&stage, &path).await, "19", "it can be asked for");
    assert_eq!(files(&stage), 0);
    append(&stage, &path, 19, b"")
        .await
        .problem(ErrorCode::AudioUnrecognised);
    assert!(stage.list(&stage.ana.token, "").await.items.is_empty());
}

#[tokio::test]
async fn nothing_at_all_is_refused_as_by_multipart() {
    let stage = Stage::new().await;
    let direct = stage.send(&[("audio", b"")]).await;
    let metadata = metadata(&[("conversation_id", &stage.conversation.to_string())]);
    let headers = [("upload-length", "0"), ("upload-metadata", &*metadata)];
    let answer = call(&stage, "POST", "/v1/uploads", &headers, "").await;
    assert_eq!(answer.status, direct.status);
    assert_eq!(answer.json()["code"], direct.json()["code"]);
    let path = answer.header("location").to_owned();
    assert_eq!(status(&stage, &path).await.state, UploadState::Failed);
}

#[tokio::test]
async fn one_id_is_one_message_however_it_is_sent() {
    let stage = Stage::new().await;
    let client_id = Uuid::from_u128(5).to_string();
    let fields: &[(&str, &[u8])] = &[("client_id", client_id.as_bytes()), ("audio", CHROMIUM)];
    let first: Message = stage.send(fields).await.expect(201).parse();
    let metadata = metadata(&[
        ("conversation_id", &stage.conversation.to_string()),
        ("client_id", &client_id),
    ]);
    let upload = async |bytes: &[u8]| {
        let length = bytes.len().to_string();
        let headers = [
            ("content-type", "application/offset+octet-stream"),
            ("upload-length", &*length),
            ("upload-metadata", &metadata),
        ];
        call(&stage, "POST", "/v1/uploads", &headers, bytes.to_vec()).await
    };
    let same = upload(CHROMIUM).await.expect(201);
    assert_eq!(same.header("voxpost-message-id"), first.id.to_string());
    let other = upload(FIREFOX).await;
    let path = other.header("location").to_owned();
    other.problem(ErrorCode::Conflict);
    let told = status(&stage, &path).await;
    assert_eq!(told.state, UploadState::Held, "nothing is lost by a bad id");
    let path = format!("/v1/conversations/{}/messages", stage.conversation);
    let fresh = json!({"upload_id": told.upload_id, "client_id": Uuid::from_u128(6)});
    let second: Message = stage
        .app
        .post(&path, &stage.ana.token, fresh)
        .await
        .expect(201)
        .parse();
    assert_eq!(second.seq, Some(2));
}

#[tokio::test]
async fn a_held_upload_is_sent_by_its_id_once() {
    let stage = Stage::new().await;
    let path = create_alone(&stage, CHROMIUM.len()).await;
    let send = format!("/v1/conversations/{}/messages", stage.conversation);
    let id = upload_id(&path);
    let body = json!({"upload_id": id, "caption": " hello ", "client_id": Uuid::from_u128(9)});
    stage
        .app
        .post(&send, &stage.ana.token, body.clone())
        .await
        .problem(ErrorCode::UploadOffsetMismatch);
    let answer = append(&stage, &path, 0, CHROMIUM).await.expect(204);
    assert_eq!(answer.header("voxpost-message-id"), "");
    assert_eq!(status(&stage, &path).await.state, UploadState::Held);
    stage
        .app
        .post(&send, &stage.ben.token, body.clone())
        .await
        .problem(ErrorCode::NotFound);

    let sent: Message = stage
        .app
        .post(&send, &stage.ana.token, body.clone())
        .await
        .expect(201)
        .parse();
    assert_eq!(sent.caption.as_deref(), Some("hello"));
    let again: Message = stage
        .app
        .post(&send, &stage.ana.token, body)
        .await
        .expect(200)
        .parse();
    assert_eq!(again.id, sent.id);
    let other = json!({"upload_id": id, "client_id": Uuid::from_u128(10)});
    stage
        .app
        .post(&send, &stage.ana.token, other)
        .await
        .problem(ErrorCode::Conflict);
    assert_eq!(status(&stage, &path).await.state, UploadState::Sent);
    assert_eq!(files(&stage), 0);
}

#[tokio::test]
async fn who_may_not_send_any_more_keeps_the_upload() {
    let stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    append(&stage, &path, 0, &CHROMIUM[..500]).await.expect(204);
    let refuse = json!({"accepts_voice": false});
    stage
        .app
        .patch("/v1/me", &stage.ben.token, refuse)
        .await
        .expect(200);
    append(&stage, &path, 500, &CHROMIUM[500..])
        .await
        .problem(ErrorCode::VoiceNotAccepted);
    assert_eq!(status(&stage, &path).await.state, UploadState::Held);
    let metadata = metadata(&[("conversation_id", &stage.conversation.to_string())]);
    let headers = [("upload-length", "5"), ("upload-metadata", &*metadata)];
    call(&stage, "POST", "/v1/uploads", &headers, "")
        .await
        .problem(ErrorCode::VoiceNotAccepted);

    let accept = json!({"accepts_voice": true});
    stage
        .app
        .patch("/v1/me", &stage.ben.token, accept)
        .await
        .expect(200);
    let send = format!("/v1/conversations/{}/messages", stage.conversation);
    let body = json!({"upload_id": upload_id(&path)});
    stage.app.post(&send, &stage.ana.token, body).await.expect(201);
}

#[tokio::test]
async fn what_takes_long_is_promised_and_published_later() {
    let stage = Stage::with(&["--patience-ms", "0"]).await;
    let path = create(&stage, MP3.len()).await;
    let answer = append(&stage, &path, 0, MP3).await.expect(204);
    let id: Uuid = answer.header("voxpost-message-id").parse().unwrap();
    let told = loop {
        let told = status(&stage, &path).await;
        assert_eq!(told.message_id, Some(id));
        if told.state != UploadState::Ingesting {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(told.state, UploadState::Sent);
    stage.message(&stage.ben.token, id).await.expect(200);
}

#[tokio::test]
async fn an_upload_that_rests_too_long_expires_and_frees_its_bytes() {
    let stage = Stage::with(&["--upload-expiry-ms", "1"]).await;
    let path = create_alone(&stage, 10).await;
    while stage.app.get(&path, &stage.ana.token).await.status != 410 {
        tokio::task::yield_now().await;
    }
    call(&stage, "HEAD", &path, &[], "").await.expect(410);
    append(&stage, &path, 0, b"abc")
        .await
        .problem(ErrorCode::UploadExpired);
    assert_eq!(files(&stage), 1);
    uploads::sweep(&stage.app.app).await.unwrap();
    assert_eq!(files(&stage), 0);
    call(&stage, "HEAD", &path, &[], "").await.expect(410);
}

#[tokio::test]
async fn the_next_process_goes_on_with_what_the_last_one_had() {
    let mut stage = Stage::new().await;
    let path = create(&stage, CHROMIUM.len()).await;
    append(&stage, &path, 0, &CHROMIUM[..700]).await.expect(204);
    // A tail that was never promised, and a file that nobody has.
    let dir = stage.app.app.uploads.dir.clone();
    let file = dir.join(upload_id(&path).to_string());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"a tail");
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(dir.join(Uuid::from_u128(3).to_string()), b"left").unwrap();
    stage.app = stage.app.restart().await;
    housekeeping::start(&stage.app.app, Rhythm::default())
        .await
        .unwrap();
    assert_eq!(files(&stage), 1);
    assert_eq!(offset(&stage, &path).await, "700");
    let answer = append(&stage, &path, 700, &CHROMIUM[700..]).await.expect(204);
    let id = answer.header("voxpost-message-id").parse().unwrap();
    let direct = stage.say(CHROMIUM).await;
    let message: Message = stage.message(&stage.ben.token, id).await.expect(200).parse();
    assert_eq!(message.duration_ms, direct.duration_ms);
}

#[tokio::test]
async fn room_for_uploads_is_bounded_and_so_is_their_number() {
    let stage = Stage::with(&["--max-staging-bytes", "20", "--max-uploads-per-user", "2"]).await;
    let first = create_alone(&stage, 100).await;
    append(&stage, &first, 0, &[1; 15]).await.expect(204);
    let second = create_alone(&stage, 100).await;
    let full = append(&stage, &second, 0, &[1; 6]).await;
    assert_ne!(full.header("retry-after"), "");
    full.problem(ErrorCode::Unavailable);
    append(&stage, &second, 0, &[1; 5]).await.expect(204);
    call(&stage, "POST", "/v1/uploads", &[("upload-length", "1")], "")
        .await
        .problem(ErrorCode::RateLimited);
    call(&stage, "DELETE", &first, &[], "").await.expect(204);
    append(&stage, &second, 5, &[1; 15]).await.expect(204);
}

#[tokio::test]
async fn a_quota_is_for_all_sounds_of_a_person_and_deleting_gives_it_back() {
    let stage = Stage::with(&["--quota-seconds", "7"]).await;
    let first = stage.say(CHROMIUM).await;
    assert!((3_500..7_000).contains(&first.duration_ms.unwrap()), "{first:?}");
    stage
        .send(&[("audio", CHROMIUM)])
        .await
        .problem(ErrorCode::QuotaExceeded);
    let path = create(&stage, CHROMIUM.len()).await;
    append(&stage, &path, 0, CHROMIUM)
        .await
        .problem(ErrorCode::QuotaExceeded);
    assert_eq!(status(&stage, &path).await.state, UploadState::Held);
    let message = format!("/v1/messages/{}", first.id);
    stage.app.delete(&message, &stage.ana.token).await.expect(204);
    let send = format!("/v1/conversations/{}/messages", stage.conversation);
    let body = json!({"upload_id": upload_id(&path)});
    stage.app.post(&send, &stage.ana.token, body).await.expect(201);

    let stage = Stage::with(&["--quota-bytes", "100"]).await;
    stage
        .send(&[("audio", CHROMIUM)])
        .await
        .problem(ErrorCode::QuotaExceeded);
}

#[tokio::test]
async fn the_uploads_of_a_deleted_account_are_gone() {
    let stage = Stage::new().await;
    let path = create(&stage, 10).await;
    append(&stage, &path, 0, b"abc").await.expect(204);
    stage.app.delete("/v1/me", &stage.ana.token).await.expect(204);
    assert_eq!(files(&stage), 0);
}
