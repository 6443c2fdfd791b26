//! The server is killed at random moments while it stores sounds over the network.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use voxpost_proto::api::{Message, MessageState};
use voxpost_testkit::{Clip, S3, Voice, eventually, patiently};

use crate::s3::on;
use crate::{Dice, sha256, soak};

/// Uploads in one round.
const BATCH: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_server_killed_while_it_stores_to_s3_loses_and_doubles_nothing() {
    let mut dice = Dice::new("kills with s3");
    let s3 = S3::start().await;
    let mut server = on(&s3).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let mut promised: HashMap<uuid::Uuid, String> = HashMap::new();
    let mut sent_total = 0;
    for round in 0..soak(4, 40) {
        let here = ana.at(server.base());
        let kill_after = dice.below(BATCH);
        let (answered, bell) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        if kill_after == 0 {
            bell.notify_one();
        }
        let tasks: Vec<_> = (0..BATCH)
            .map(|number| {
                let hertz = u32::try_from(200 + 37 * (round * BATCH + number) % 3000).expect("small");
                let voice = Voice::of(&Clip::webm(1.0, hertz));
                let (here, answered, bell) = (here.clone(), answered.clone(), bell.clone());
                tokio::spawn(async move {
                    let answer = here.try_send(conversation, &voice).await.ok();
                    if answered.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                        bell.notify_one();
                    }
                    (voice, answer)
                })
            })
            .collect();
        patiently("some uploads to be answered", bell.notified()).await;
        let stopped = server.kill().await;
        server = stopped.start().await;
        let here = ana.at(server.base());
        for task in tasks {
            let (voice, answer) = task.await.expect("no upload panics");
            let first = answer
                .filter(|answer| answer.status == 201)
                .map(|answer| answer.json::<Message>());
            // The same again: what was promised is there, what was not arrives now.
            let again: Message = eventually("the upload to be taken", || async {
                let answer = here.send(conversation, &voice).await;
                matches!(answer.status, 200 | 201).then(|| answer.json())
            })
            .await;
            if let Some(first) = first {
                assert_eq!((first.id, first.seq), (again.id, again.seq), "round {round}");
            }
            promised.insert(again.id, again.audio.expect("sound").sha256);
            sent_total += 1;
        }
    }
    let (ana, ben) = (ana.at(server.base()), ben.at(server.base()));
    let listed = ana.messages(conversation).await;
    let seqs: Vec<_> = listed.iter().filter_map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=sent_total).collect::<Vec<i64>>());
    assert_eq!(promised.len(), listed.len());
    for message in &listed {
        assert_eq!(message.state, MessageState::Ready);
        let heard = ben.audio(message.id).await.expect(200);
        assert_eq!(sha256(&heard.body), promised[&message.id]);
    }
    server.stop().await;
}
