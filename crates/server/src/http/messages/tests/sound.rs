use axum::body::Body;
use axum::http::{Method, Request, header};
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{AudioUrl, Message};

use super::{CHROMIUM, MP3, Stage, form, request, wav};
use crate::render::hex;
use crate::testing::Answer;
use sha2::{Digest, Sha256};

async fn fetch(stage: &Stage, method: Method, message: &Message, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/v1/messages/{}/audio", message.id))
        .header(header::AUTHORIZATION, format!("Bearer {}", stage.ben.token));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    stage.app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_sound_is_what_the_message_says() {
    let stage = Stage::new().await;
    for source in [CHROMIUM, MP3] {
        let message = stage.say(source).await;
        let audio = message.audio.clone().unwrap();
        let answer = fetch(&stage, Method::GET, &message, &[]).await.expect(200);
        assert_eq!(answer.header("content-type"), "audio/ogg; codecs=opus");
        assert_eq!(answer.header("content-length"), audio.size_bytes.to_string());
        assert_eq!(answer.header("etag"), format!("\"{}\"", audio.sha256));
        assert_eq!(answer.header("vary"), "Accept, Authorization");
        assert!(answer.header("cache-control").starts_with("private"));
        let name = format!("inline; filename=\"voice-{}.ogg\"", message.id);
        assert_eq!(answer.header("content-disposition"), name);
        assert!(answer.body.starts_with(b"OggS"));
        assert_eq!(hex(&Sha256::digest(&answer.body)), audio.sha256);

        let head = fetch(&stage, Method::HEAD, &message, &[("range", "bytes=0-1")])
            .await
            .expect(200);
        assert!(head.body.is_empty());
        for name in [
            "content-length",
            "content-type",
            "etag",
            "content-disposition",
            "accept-ranges",
        ] {
            assert_eq!(head.header(name), answer.header(name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_long_sound_is_streamed_whole_and_in_parts() {
    let stage = Stage::new().await;
    // A minute of noise, as loud as it gets: more than is sent in one piece.
    let mut seed = 1_u32;
    let samples = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as u16
    });
    let sound: Vec<u8> = samples.take(16_000 * 120).flat_map(u16::to_le_bytes).collect();
    let message = stage.say(&wav(16_000, &sound)).await;
    let audio = message.audio.clone().unwrap();
    assert!(audio.size_bytes > 300_000, "{}", audio.size_bytes);
    let whole = fetch(&stage, Method::GET, &message, &[]).await.expect(200).body;
    assert_eq!(hex(&Sha256::digest(&whole)), audio.sha256);
    let part = fetch(&stage, Method::GET, &message, &[("range", "bytes=1000-299999")])
        .await
        .expect(206);
    assert_eq!(
        part.header("content-range"),
        format!("bytes 1000-299999/{}", whole.len())
    );
    assert_eq!(part.body, whole[1000..300_000]);
}

#[tokio::test]
async fn a_link_is_good_until_its_message_or_its_person_is_gone() {
    let stage = Stage::new().await;
    let eva = stage.app.person("eva").await;
    let body = serde_json::json!({"kind": "group", "title": "radio", "members": ["eva"]});
    let group = super::id(
        &stage
            .app
            .post("/v1/conversations", &stage.ana.token, body)
            .await
            .expect(201),
    );
    let sent = stage
        .app
        .send(request(&stage.ana.token, group, form(&[("audio", CHROMIUM)])))
        .await;
    let message: Message = sent.expect(201).parse();
    let path = format!("/v1/messages/{}/audio-url", message.id);
    let evas: AudioUrl = stage
        .app
        .post(&path, &eva.token, serde_json::Value::Null)
        .await
        .expect(200)
        .parse();
    stage
        .app
        .post(&path, &stage.ben.token, serde_json::Value::Null)
        .await
        .problem(ErrorCode::NotFound);
    stage.app.get(&evas.url, "").await.expect(200);
    stage
        .app
        .get(
            &evas
                .url
                .to_uppercase()
                .replace("/V1/MESSAGES", "/v1/messages")
                .replace("/AUDIO", "/audio"),
            "",
        )
        .await
        .problem(ErrorCode::Unauthenticated);
    stage
        .app
        .get(evas.url.split('?').next().unwrap(), "")
        .await
        .problem(ErrorCode::Unauthenticated);

    let leave = format!("/v1/conversations/{group}/members/{}", eva.user.id);
    stage.app.delete(&leave, &eva.token).await.expect(204);
    stage.app.get(&evas.url, "").await.problem(ErrorCode::NotFound);
    let anas = message.audio.unwrap().url;
    stage.app.get(&anas, "").await.expect(200);
    stage
        .app
        .delete(&format!("/v1/messages/{}", message.id), &stage.ana.token)
        .await
        .expect(204);
    stage.app.get(&anas, "").await.problem(ErrorCode::NotFound);
}
