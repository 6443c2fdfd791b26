use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, MessageState, WaveformSource};

use super::{CHROMIUM, FIREFOX, MP3, Stage, form, request};

#[tokio::test]
async fn a_recording_is_published_as_its_own_packets() {
    let stage = Stage::new().await;
    let client_id = Uuid::from_u128(7).to_string();
    let sent = stage
        .send(&[
            ("client_id", client_id.as_bytes()),
            ("caption", " on the train ".as_bytes()),
            ("waveform", b"[0, 5, 1024]"),
            ("audio", CHROMIUM),
        ])
        .await;
    let message: Message = sent.expect(201).parse();
    assert_eq!(message.state, MessageState::Ready);
    assert_eq!((message.seq, message.version), (Some(1), 1));
    assert_eq!(message.sender.username, "ana");
    assert_eq!(message.client_id, Some(Uuid::from_u128(7)));
    assert_eq!(message.caption.as_deref(), Some("on the train"));
    assert_eq!(message.waveform, Some(vec![0, 5, 1024]));
    assert_eq!(message.waveform_source, Some(WaveformSource::Sender));
    assert!(message.duration_ms.unwrap() > 500);
    let source = message.source.clone().unwrap();
    assert_eq!(source.media_type, "audio/webm; codecs=opus");
    assert!(!source.transcoded);

    let seen: Message = stage
        .message(&stage.ben.token, message.id)
        .await
        .expect(200)
        .parse();
    assert_eq!(seen.seq, Some(1));
    assert_ne!(
        seen.audio.unwrap().url,
        message.audio.unwrap().url,
        "a link is for one person"
    );
}

#[tokio::test]
async fn what_has_to_be_decoded_is_measured_at_once() {
    let stage = Stage::new().await;
    let message = stage.say(MP3).await;
    assert!(message.source.unwrap().transcoded);
    assert_eq!(message.waveform_source, Some(WaveformSource::Server));
    assert!(message.waveform.unwrap().len() >= 30);
    assert!(message.gain_db.is_some() && message.loudness_lufs.is_some());
}

#[tokio::test]
async fn an_answer_names_a_message_of_the_same_conversation() {
    let stage = Stage::new().await;
    let first = stage.say(CHROMIUM).await;
    let reply = first.id.to_string();
    let answer: Message = stage
        .send(&[("reply_to", reply.as_bytes()), ("audio", FIREFOX)])
        .await
        .expect(201)
        .parse();
    assert_eq!(answer.reply_to, Some(first.id));

    let body = json!({"kind": "group", "title": "radio", "members": ["ben"]});
    let group = stage
        .app
        .post("/v1/conversations", &stage.ana.token, body)
        .await
        .expect(201);
    let elsewhere = stage
        .send_as(
            &stage.ana.token,
            super::id(&group),
            &[("reply_to", reply.as_bytes()), ("audio", FIREFOX)],
        )
        .await;
    assert!(elsewhere.problem(ErrorCode::InvalidRequest).contains("reply_to"));
}

#[tokio::test]
async fn a_malformed_form_is_told_what_is_wrong_and_leaves_nothing() {
    let stage = Stage::new().await;
    let long = "x".repeat(10_000);
    for (fields, named) in [
        (vec![("caption", b"words".as_slice())], "audio"),
        (vec![("audio", CHROMIUM), ("caption", b"late")], "caption"),
        (vec![("audio", CHROMIUM), ("audio", FIREFOX)], "audio"),
        (vec![("client_id", b"7"), ("audio", CHROMIUM)], "client_id"),
        (
            vec![("client_id", long.as_bytes()), ("audio", CHROMIUM)],
            "client_id",
        ),
        (vec![("caption", long.as_bytes()), ("audio", CHROMIUM)], "caption"),
        (vec![("caption", b"\xff\xfe"), ("audio", CHROMIUM)], "caption"),
        (vec![("caption", b"a\x07b"), ("audio", CHROMIUM)], "caption"),
        (
            vec![("caption", b"a"), ("caption", b"b"), ("audio", CHROMIUM)],
            "caption",
        ),
        (vec![("reply_to", b"x"), ("audio", CHROMIUM)], "reply_to"),
        (vec![("waveform", b"[]"), ("audio", CHROMIUM)], "waveform"),
        (vec![("waveform", b"[1025]"), ("audio", CHROMIUM)], "waveform"),
        (vec![("waveform", b"[-1]"), ("audio", CHROMIUM)], "waveform"),
        (vec![("waveform", b"[0.5]"), ("audio", CHROMIUM)], "waveform"),
        (vec![("waveform", b"{"), ("audio", CHROMIUM)], "waveform"),
    ] {
        let detail = stage.send(&fields).await.problem(ErrorCode::InvalidRequest);
        assert!(detail.contains(named), "{named}: {detail}");
    }
    assert_eq!(stage.objects().await, [""; 0]);
    assert!(stage.list(&stage.ana.token, "").await.items.is_empty());
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let stage = Stage::new().await;
    let (token, conversation) = (&stage.ana.token, stage.conversation);
    for body in [
        Vec::new(),
        b"--boundary".to_vec(),
        CHROMIUM.to_vec(),
        form(&[("audio", CHROMIUM)])[..500].to_vec(),
    ] {
        let answer = stage.app.send(request(token, conversation, body)).await;
        answer.problem(ErrorCode::InvalidRequest);
    }
    let mut plain = request(token, conversation, form(&[("audio", CHROMIUM)]));
    plain
        .headers_mut()
        .insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    stage.app.send(plain).await.problem(ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn headers_without_end_are_refused_before_they_fill_the_memory() {
    let stage = Stage::new().await;
    let begin =
        Bytes::from_static(b"--boundary\r\nContent-Disposition: form-data; name=\"audio\"\r\nX-Much: ");
    let much = stream::iter(
        std::iter::once(begin)
            .chain(std::iter::repeat_n(Bytes::from(vec![b'x'; 64 << 10]), 100))
            .map(Ok::<_, std::io::Error>),
    );
    let mut request = request(&stage.ana.token, stage.conversation, Vec::new());
    request.headers_mut().remove(header::CONTENT_LENGTH);
    *request.body_mut() = Body::from_stream(much);
    stage.app.send(request).await.problem(ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_by_its_length_and_at_the_first_byte_over() {
    let stage = Stage::with(&["--max-multipart-bytes", "100000"]).await;
    let body = form(&[("audio", &vec![0; 400_000])]);
    let by_length = request(&stage.ana.token, stage.conversation, body.clone());
    let answer = stage.app.send(by_length).await;
    assert_eq!(answer.header("connection"), "close");
    answer.problem(ErrorCode::AudioTooLarge);

    let chunks: Vec<_> = body
        .chunks(10_000)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
        .collect();
    let mut chunked = request(&stage.ana.token, stage.conversation, Vec::new());
    chunked.headers_mut().remove(header::CONTENT_LENGTH);
    *chunked.body_mut() = Body::from_stream(stream::iter(chunks));
    stage.app.send(chunked).await.problem(ErrorCode::AudioTooLarge);
    assert_eq!(stage.objects().await, [""; 0]);
}

#[tokio::test]
async fn bytes_that_are_no_sound_are_refused_by_what_they_are() {
    let stage = Stage::new().await;
    for (bytes, code) in [
        (b"".as_slice(), ErrorCode::AudioEmpty),
        (
            b"#!/bin/sh\necho this is no sound\n",
            ErrorCode::AudioUnrecognised,
        ),
        (&CHROMIUM[..40], ErrorCode::AudioCorrupt),
    ] {
        stage.send(&[("audio", bytes)]).await.problem(code);
    }
    let short = Stage::with(&["--max-duration-ms", "500"]).await;
    short
        .send(&[("audio", CHROMIUM)])
        .await
        .problem(ErrorCode::AudioTooLong);
    short
        .send(&[("audio", MP3)])
        .await
        .problem(ErrorCode::AudioTooLong);
    assert_eq!(short.objects().await, [""; 0]);
}

#[tokio::test]
async fn an_upload_that_is_not_there_is_not_found() {
    let stage = Stage::new().await;
    let path = format!("/v1/conversations/{}/messages", stage.conversation);
    let post = |body| stage.app.post(&path, &stage.ana.token, body);
    post(json!({"upload_id": Uuid::from_u128(1)}))
        .await
        .problem(ErrorCode::NotFound);
    post(json!({"client_id": Uuid::from_u128(1)}))
        .await
        .problem(ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a_stranger_and_nobody_are_refused_before_the_body_is_read() {
    let stage = Stage::new().await;
    let eva = stage.app.person("eva").await;
    for (token, code) in [
        (eva.token.as_str(), ErrorCode::NotFound),
        ("nonsense", ErrorCode::Unauthenticated),
    ] {
        let endless = stream::pending::<std::io::Result<Bytes>>();
        let request = Request::post(format!("/v1/conversations/{}/messages", stage.conversation))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=boundary")
            .body(Body::from_stream(endless))
            .unwrap();
        stage.app.send(request).await.problem(code);
    }
}

#[tokio::test]
async fn who_takes_no_voice_messages_gets_none() {
    let stage = Stage::new().await;
    let first = stage.say(CHROMIUM).await;
    let settings = json!({"accepts_voice": false});
    stage
        .app
        .patch("/v1/me", &stage.ben.token, settings)
        .await
        .expect(200);
    stage
        .send(&[("audio", CHROMIUM)])
        .await
        .problem(ErrorCode::VoiceNotAccepted);
    // The other way it still works.
    stage
        .send_as(&stage.ben.token, stage.conversation, &[("audio", FIREFOX)])
        .await
        .expect(201);
    assert_eq!(stage.objects().await.len(), 2, "{}", first.id);
}

#[tokio::test]
async fn a_client_id_stands_for_one_sound_also_when_the_header_gives_it() {
    let stage = Stage::new().await;
    let client_id = Uuid::from_u128(7).to_string();
    let first: Message = stage
        .send(&[("client_id", client_id.as_bytes()), ("audio", CHROMIUM)])
        .await
        .expect(201)
        .parse();
    let mut by_header = request(&stage.ana.token, stage.conversation, form(&[("audio", CHROMIUM)]));
    by_header
        .headers_mut()
        .insert("idempotency-key", client_id.parse().unwrap());
    let again: Message = stage.app.send(by_header).await.expect(200).parse();
    assert_eq!(again.id, first.id);
    let mut bad = request(&stage.ana.token, stage.conversation, form(&[("audio", CHROMIUM)]));
    bad.headers_mut()
        .insert("idempotency-key", "seven".parse().unwrap());
    stage.app.send(bad).await.problem(ErrorCode::InvalidRequest);

    // An id that made a conversation does not make a message.
    let other = Uuid::from_u128(8).to_string();
    let group = json!({"kind": "group", "title": "radio", "members": ["ben"], "client_id": other});
    stage
        .app
        .post("/v1/conversations", &stage.ana.token, group)
        .await
        .expect(201);
    stage
        .send(&[("client_id", other.as_bytes()), ("audio", CHROMIUM)])
        .await
        .problem(ErrorCode::Conflict);
    assert_eq!(stage.objects().await.len(), 1);
}

#[tokio::test]
async fn of_simultaneous_copies_one_is_made_and_a_refusal_frees_the_id() {
    let stage = Stage::new().await;
    let client_id = Uuid::from_u128(7).to_string();
    let noise: &[(&str, &[u8])] = &[
        ("client_id", client_id.as_bytes()),
        ("audio", b"no sound here, none"),
    ];
    stage.send(noise).await.problem(ErrorCode::AudioUnrecognised);
    let sound: &[(&str, &[u8])] = &[("client_id", client_id.as_bytes()), ("audio", CHROMIUM)];
    let answers = futures_util::future::join_all((0..12).map(|_| stage.send(sound))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[..11], [200; 11]);
    assert_eq!(statuses[11], 201);
    assert_eq!(stage.objects().await.len(), 1);
}
