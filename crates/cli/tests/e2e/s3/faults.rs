//! A store that is away, slow, or refuses.

use std::net::TcpListener;

use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Message, MessageState};
use voxpost_testkit::{Clip, Person, S3, Server, Voice, client, eventually, exchange};

use super::{impatient, sounds};
use crate::{files, sha256};

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
pub(super) async fn kept(ana: &Person, conversation: uuid::Uuid, hertz: u32) -> (Voice, uuid::Uuid) {
    let voice = Voice::of(&Clip::webm(1.0, hertz));
    let answer = ana.send(conversation, &voice).await.expect(202);
    let answer: serde_json::Value = answer.json();
    assert_eq!(answer["state"], "processing");
    let id = answer["id"].as_str().expect("an id").parse().expect("a UUID");
    (voice, id)
}

pub(super) async fn published(person: &Person, id: uuid::Uuid) -> Message {
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
    // An answer holds for a second: the one of before the store was killed may still stand.
    let unready = eventually("the server to say that it is not ready", || async {
        let answer = ready(&server).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
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
