//! What must hold with every S3 server: these tests look at nothing but what the server says. `make test-garage` runs them with
//! Garage, `make test` with s3s-fs.

mod kills;

use reqwest::Method;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::Message;
use voxpost_testkit::{Clip, Proxy, S3, Voice, client, eventually, exchange};

use super::faults::{kept, published};
use super::{impatient, on};
use crate::{options, sha256};

const SLOW_DOWN: &str = "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\
    Content-Length: 80\r\n\r\n<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_of_many_megabytes_goes_up_in_parts_and_comes_back_whole() {
    let s3 = S3::start().await;
    let server = on(&s3).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    // Noise, so that the packets are as large as they may be.
    let long = Clip::from_lavfi(
        "anoisesrc=r=48000:d=200",
        &[
            "-c:a", "libopus", "-b:a", "256k", "-vbr", "off", "-ac", "1", "-f", "ogg",
        ],
    );
    let sent: Message = ana.say(conversation, &long).await;
    let audio = sent.audio.clone().expect("a ready message has sound");
    assert!(audio.size_bytes > 5 << 20, "{}", audio.size_bytes);
    let heard = ben.audio(sent.id).await.expect(200);
    assert_eq!(sha256(&heard.body), audio.sha256);
    let path = format!("/v1/messages/{}/audio", sent.id);
    let wav = ben.get(&format!("{path}?format=wav")).await.expect(200);
    assert!(wav.body.len() > 6_300_000 && wav.body.starts_with(b"RIFF"));
    let across = exchange(
        ben.request(Method::GET, &path)
            .header("range", "bytes=5242000-5244000"),
    );
    assert_eq!(
        across.await.expect(206).body,
        heard.body[5_242_000..=5_244_000],
        "across two parts"
    );
    let notes = std::fs::read_dir(server.data_dir().join("multiparts")).expect("the folder of notes");
    assert_eq!(notes.count(), 0, "no upload in parts is under way any more");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_sent_to_the_store_where_it_is_configured_and_checked_first() {
    let s3 = S3::start().await;
    let server = s3
        .options(options())
        .env("VOXPOST_S3_REDIRECT", "true")
        .start()
        .await;
    let (ana, ben, eve) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eve").await,
    );
    let conversation = ana.talk_to(&ben).await.id;
    let sent: Message = ana.say(conversation, &Clip::webm(1.0, 300)).await;
    let path = format!("/v1/messages/{}/audio", sent.id);

    eve.get(&path).await.problem(ErrorCode::NotFound);
    let told = ben.get(&path).await.expect(307);
    let location = told.header("location").to_owned();
    assert!(location.starts_with(&s3.base()), "{location}");
    assert!(location.contains("X-Amz-Expires=60&"), "{location}");

    // Whoever holds the link needs nothing else, and can change nothing about it.
    let got = exchange(client().get(&location).header("range", "bytes=0-3"));
    let got = got.await.expect(206);
    assert_eq!(got.body, b"OggS");
    assert_eq!(got.header("content-type"), "audio/ogg; codecs=opus");
    let tampered = location.replace(".ogg?", ".wav?");
    assert_eq!(exchange(client().get(tampered)).await.status, 403);

    let heard = exchange(client().get(&location)).await.expect(200);
    assert_eq!(sha256(&heard.body), sent.audio.expect("sound").sha256);
    let page = exchange(client().get(server.base())).await.expect(200);
    assert!(page.header("content-security-policy").contains(&s3.base()));
    ana.delete(&format!("/v1/messages/{}", sent.id)).await.expect(204);
    ben.get(&path).await.problem(ErrorCode::NotFound);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_more_can_wait_the_sender_is_told_when_to_come_back() {
    let mut s3 = S3::start().await;
    let server = s3
        .options(impatient())
        .env("VOXPOST_MAX_WAITING_BYTES", "10000")
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    s3.kill();
    kept(&ana, conversation, 400).await;
    let big = Voice::of(&Clip::webm(6.0, 500));
    let refused = ana.send(conversation, &big).await;
    refused.problem(ErrorCode::Unavailable);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1));
    s3.go_on().await;
    eventually("the same request to be taken", || async {
        (ana.send(conversation, &big).await.status == 201).then_some(())
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_connections_and_passing_refusals_are_got_over_without_anybody_noticing() {
    let s3 = S3::start().await;
    let proxy = Proxy::to(&s3.base()).await;
    let server = s3
        .options_by(impatient(), &proxy.base())
        .env("VOXPOST_S3_RETRY_MS", "20000")
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    for round in 0..3_u32 {
        proxy.cut_all();
        proxy.cut_next(2, 0);
        let sent: Message = ana.say(conversation, &Clip::webm(1.0, 300 + 50 * round)).await;
        // In the middle of the body.
        proxy.cut_all();
        proxy.cut_next(2, 1000);
        let heard = ben.audio(sent.id).await.expect(200);
        assert_eq!(sha256(&heard.body), sent.audio.expect("sound").sha256);
    }
    for answer in [SLOW_DOWN, BROKEN] {
        proxy.answer_all(Some(answer));
        let (_, id) = kept(&ana, conversation, 700).await;
        proxy.answer_all(None);
        published(&ben, id).await;
        ben.audio(id).await.expect(200);
    }
    // A store that takes connections and says nothing.
    proxy.stall(true);
    let (_, id) = kept(&ana, conversation, 800).await;
    let first = ana.messages(conversation).await[0].id;
    ben.audio(first).await.problem(ErrorCode::Unavailable);
    proxy.stall(false);
    published(&ben, id).await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.stop().await;
}
