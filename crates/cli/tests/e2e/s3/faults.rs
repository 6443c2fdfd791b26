//! A store that is away, slow, or refuses.

use std::net::TcpListener;

use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, MessageState};
use voxpost_testkit::{Clip, Person, Proxy, S3, Server, Voice, client, eventually, exchange};

use super::{impatient, sounds};
use crate::{files, sha256};

const SLOW_DOWN: &str = "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\
    Content-Length: 80\r\n\r\n<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What the operator's listener says of the breaker.
async fn breaker(ops: u16) -> String {
    let figures = exchange(client().get(format!("http://127.0.0.1:{ops}/metrics")));
    let text = String::from_utf8(figures.await.expect(200).body).expect("UTF-8");
    let state = text
        .lines()
        .find(|line| line.starts_with("voxpost_store_breaker{") && line.ends_with(" 1"))
        .unwrap_or_else(|| panic!("{text}"));
    state.to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

async fn ready(server: &Server) -> voxpost_testkit::Answer {
    exchange(client().get(format!("{}/readyz", server.base()))).await
}

/// Sends something that has to wait, since the store is away.
async fn kept(ana: &Person, conversation: uuid::Uuid, hertz: u32) -> (Voice, uuid::Uuid) {
    let voice = Voice::of(&Clip::webm(1.0, hertz));
    let answer = ana.send(conversation, &voice).await.expect(202);
    let answer: serde_json::Value = answer.json();
    assert_eq!(answer["state"], "processing");
    let id = answer["id"].as_str().expect("an id").parse().expect("a UUID");
    (voice, id)
}

async fn published(person: &Person, id: uuid::Uuid) -> Message {
    let path = format!("/v1/messages/{id}");
    eventually("what waited to be published", || async {
        let answer = person.get(&path).await;
        let message: Message = (answer.status == 200).then(|| answer.json())?;
        (message.state == MessageState::Ready).then_some(message)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_sounds_wait_here_and_everything_is_made_good_when_it_is_back() {
    let mut s3 = S3::start().await;
    let ops = free_port();
    let server = s3
        .options(impatient())
        .arg(format!("--ops-listen={ops}"))
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let old: Message = ana.say(conversation, &Clip::webm(1.0, 300)).await;
    let doomed: Message = ana.say(conversation, &Clip::webm(1.0, 350)).await;
    assert!(breaker(ops).await.contains("\"closed\""));
    ready(&server).await.expect(200);

    s3.kill();
    let (voice, waiting) = kept(&ana, conversation, 400).await;
    let refused = ben.audio(old.id).await;
    assert_eq!(refused.problem(ErrorCode::Unavailable).status, 503);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1));
    eventually("the breaker to be open in the figures", || async {
        breaker(ops).await.contains("\"open\"").then_some(())
    })
    .await;
    let unready = ready(&server).await;
    assert!(
        unready
            .problem(ErrorCode::Unavailable)
            .detail
            .contains("circuit breaker")
    );
    // Everything that needs no store goes on.
    assert_eq!(ben.messages(conversation).await.len(), 2);
    ana.delete(&format!("/v1/messages/{}", doomed.id))
        .await
        .expect(204);
    let again = ana.send(conversation, &voice).await.expect(202);
    assert_eq!(again.json::<serde_json::Value>()["id"], waiting.to_string());
    let (_, second) = kept(&ana, conversation, 450).await;

    // The server may end meanwhile; its successor knows what waits.
    let server = server.kill().await.start().await;
    let (ana, ben) = (ana.at(server.base()), ben.at(server.base()));
    s3.go_on().await;
    for id in [waiting, second] {
        let message = published(&ben, id).await;
        let heard = ben.audio(id).await.expect(200);
        assert_eq!(sha256(&heard.body), message.audio.expect("sound").sha256);
    }
    eventually("the server to be ready", || async {
        (ready(&server).await.status == 200).then_some(())
    })
    .await;
    assert!(breaker(ops).await.contains("\"closed\""));
    eventually("the deleted sound to be gone from the bucket", || async {
        (sounds(&s3) == 3).then_some(())
    })
    .await;
    eventually("nothing to wait any more", || async {
        files(&server.data_dir().join("staging")).is_empty().then_some(())
    })
    .await;
    ben.audio(old.id).await.expect(200);
    let seqs: Vec<_> = ana.messages(conversation).await.iter().map(|m| m.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4].map(Some));
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
