use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Method, Request, header};
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use voxpost_audio::Rendition;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::Message;

use super::{CHROMIUM, Stage, wav};
use crate::blob::rendition_key;
use crate::housekeeping::{self, Rhythm};
use crate::render::hex;
use crate::testing::Answer;

async fn fetch(stage: &Stage, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if !path.contains("sig=") {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", stage.ben.token));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    stage.app.send(request.body(Body::empty()).unwrap()).await
}

fn path(message: &Message, format: &str) -> String {
    format!("/v1/messages/{}/audio?format={format}", message.id)
}

async fn get(stage: &Stage, message: &Message, format: &str) -> Answer {
    fetch(stage, Method::GET, &path(message, format), &[]).await
}

/// Half a minute of noise: takes a moment to decode, and more than is sent in one piece.
fn long() -> Vec<u8> {
    let mut seed = 1_u32;
    let samples = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as u16
    });
    let sound: Vec<u8> = samples.take(16_000 * 30).flat_map(u16::to_le_bytes).collect();
    wav(16_000, &sound)
}

async fn housekeeping(stage: &Stage) {
    housekeeping::start(&stage.app.app, Rhythm::default())
        .await
        .unwrap();
}

async fn until_objects_are(stage: &Stage, expected: &[String]) {
    let mut expected = expected.to_vec();
    expected.sort();
    loop {
        let mut objects = stage.objects().await;
        objects.sort();
        if objects == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_served_as_exactly_as_the_canonical_one() {
    let stage = Stage::new().await;
    let message = stage.say(CHROMIUM).await;
    let audio = message.audio.clone().unwrap();
    let config = stage.app.get("/v1/config", "").await.expect(200).json();
    let formats: Vec<&str> = Rendition::AVAILABLE.iter().map(|r| r.name()).collect();
    assert_eq!(audio.formats, formats);
    assert_eq!(config["renditions"], serde_json::json!(formats));
    for rendition in Rendition::AVAILABLE {
        let (name, whole) = (
            rendition.name(),
            get(&stage, &message, rendition.name()).await.expect(200),
        );
        let n = whole.body.len();
        let etag = whole.header("etag").to_owned();
        assert_eq!(whole.header("content-type"), rendition.media_type());
        assert_eq!(whole.header("content-length"), n.to_string());
        assert_eq!(etag, format!("\"{}\"", hex(&Sha256::digest(&whole.body))));
        let file = format!("inline; filename=\"voice-{}.{name}\"", message.id);
        assert_eq!(whole.header("content-disposition"), file);
        assert_eq!(whole.header("vary"), "Accept, Authorization");
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!(whole.header("x-content-type-options"), "nosniff");

        let url = path(&message, name);
        let head = fetch(&stage, Method::HEAD, &url, &[]).await.expect(200);
        assert!(head.body.is_empty());
        for header in ["content-length", "content-type", "etag", "content-disposition"] {
            assert_eq!(head.header(header), whole.header(header), "{name} {header}");
        }
        let part = fetch(&stage, Method::GET, &url, &[("range", "bytes=100-299")])
            .await
            .expect(206);
        assert_eq!(part.header("content-range"), format!("bytes 100-299/{n}"));
        assert_eq!(part.body, whole.body[100..300], "{name}");
        fetch(&stage, Method::GET, &url, &[("range", "bytes=99999999-")])
            .await
            .expect(416);
        fetch(&stage, Method::GET, &url, &[("if-none-match", &etag)])
            .await
            .expect(304);
        let accept = [("accept", rendition.media_type())];
        let plain = format!("/v1/messages/{}/audio", message.id);
        let accepted = fetch(&stage, Method::GET, &plain, &accept).await.expect(200);
        assert_eq!(accepted.header("content-type"), rendition.media_type());
        assert_eq!(accepted.body, whole.body, "{name}");

        let signed = format!("{}&format={name}", audio.url);
        let linked = fetch(&stage, Method::GET, &signed, &[]).await.expect(200);
        assert_eq!(linked.body, whole.body, "{name}");
    }
}

#[tokio::test]
async fn what_this_build_cannot_make_is_refused_with_what_it_can() {
    let stage = Stage::new().await;
    let message = stage.say(CHROMIUM).await;
    for format in ["", "OGG", "../ogg", "aiff", "ogg,wav"] {
        let detail = get(&stage, &message, format)
            .await
            .problem(ErrorCode::NotAcceptable);
        for rendition in Rendition::AVAILABLE {
            assert!(detail.contains(rendition.media_type()), "{detail}");
        }
    }
    let plain = format!("/v1/messages/{}/audio", message.id);
    let refused = fetch(&stage, Method::GET, &plain, &[("accept", "text/html")]).await;
    refused.problem(ErrorCode::NotAcceptable);
    let tie = [("accept", "audio/webm, audio/ogg;q=0.5")];
    let liked = fetch(&stage, Method::GET, &plain, &tie).await.expect(200);
    assert_eq!(liked.header("content-type"), "audio/webm; codecs=opus");
    let eva = stage.app.person("eva").await;
    let strange = stage.app.get(&path(&message, "webm"), &eva.token).await;
    strange.problem(ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_get_one_that_is_made_once() {
    let stage = Stage::new().await;
    let message = stage.say(&long()).await;
    let key = rendition_key(message.id, "wav");
    let modified = |stage: &Stage| {
        let file = stage.app.app.config.data_dir.join("objects").join(&key);
        std::fs::metadata(file).unwrap().modified().unwrap()
    };
    let answers = futures_util::future::join_all((0..20).map(|_| get(&stage, &message, "wav"))).await;
    let first = modified(&stage);
    for answer in answers {
        let answer = answer.expect(200);
        assert_eq!(answer.body.len(), 44 + 2 * 16_000 * 30);
    }
    get(&stage, &message, "wav").await.expect(200);
    assert_eq!(modified(&stage), first);
    let mut c = stage.app.app.store.read().await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM renditions")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_given_up_when_nobody_waits_and_made_when_somebody_asks_again() {
    let stage = Stage::new().await;
    let message = stage.say(&long()).await;
    let started = AtomicUsize::new(0);
    for _ in 0..5 {
        let request = get(&stage, &message, "wav");
        started.fetch_add(usize::from(request.now_or_never().is_none()), Ordering::Relaxed);
    }
    assert_eq!(started.into_inner(), 5);
    get(&stage, &message, "wav").await.expect(200);
    // Nothing of the abandoned attempts goes on.
    stage.app.app.ingest.stop().await;
    let objects = stage.objects().await;
    assert_eq!(objects.len(), 2, "{objects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rendition_is_gone_with_its_message() {
    let stage = Stage::new().await;
    housekeeping(&stage).await;
    let (kept, deleted) = (stage.say(CHROMIUM).await, stage.say(CHROMIUM).await);
    for format in ["webm", "mp4", "wav"] {
        get(&stage, &kept, format).await.expect(200);
        get(&stage, &deleted, format).await.expect(200);
    }
    assert_eq!(stage.objects().await.len(), 8);
    let one = format!("/v1/messages/{}", deleted.id);
    stage.app.delete(&one, &stage.ana.token).await.expect(204);
    get(&stage, &deleted, "webm").await.problem(ErrorCode::NotFound);
    let signed = format!("{}&format=wav", deleted.audio.clone().unwrap().url);
    fetch(&stage, Method::GET, &signed, &[])
        .await
        .problem(ErrorCode::NotFound);
    let left = ["ogg", "webm", "mp4", "wav"].map(|format| rendition_key(kept.id, format));
    until_objects_are(&stage, &left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_while_its_message_is_deleted_does_not_stay() {
    let stage = Stage::new().await;
    housekeeping(&stage).await;
    for _ in 0..4 {
        let message = stage.say(&long()).await;
        let one = format!("/v1/messages/{}", message.id);
        let making = get(&stage, &message, "wav");
        let deleting = async {
            // At another moment of the work each time.
            tokio::task::yield_now().await;
            stage.app.delete(&one, &stage.ana.token).await.expect(204)
        };
        let (made, _) = tokio::join!(making, deleting);
        assert!(matches!(made.status.as_u16(), 200 | 404), "{}", made.status);
    }
    until_objects_are(&stage, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_lost_is_made_again_and_an_orphan_is_swept() {
    let stage = Stage::new().await;
    let message = stage.say(CHROMIUM).await;
    let first = get(&stage, &message, "mp4").await.expect(200);
    let key = rendition_key(message.id, "mp4");
    stage.app.app.blobs.delete(&key).await.unwrap();
    let second = get(&stage, &message, "mp4").await.expect(200);
    assert_eq!(second.body, first.body);
    assert!(stage.app.app.blobs.exists(&key).await.unwrap());

    // As if the process had been killed between the object and its row.
    let orphan = rendition_key(message.id, "webm");
    stage.app.app.blobs.put_bytes(&orphan, CHROMIUM).await.unwrap();
    let (ana, ben, conversation) = (stage.ana.clone(), stage.ben.clone(), stage.conversation);
    let app = stage.app.restart().await;
    let stage = Stage {
        app,
        ana,
        ben,
        conversation,
    };
    housekeeping(&stage).await;
    let ogg = rendition_key(message.id, "ogg");
    until_objects_are(&stage, &[ogg, key]).await;
}
