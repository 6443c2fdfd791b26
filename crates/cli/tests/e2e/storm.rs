//! Many senders at once, listeners that come and go: nothing is missed, doubled or out of order.

use std::collections::HashMap;

use futures_util::future::join_all;
use uuid::Uuid;
use voxpost_proto::socket::{Change, Event};
use voxpost_testkit::{Clip, Person};

use crate::{Dice, server, soak};

const SENDERS: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn soak_a_storm_of_senders_reaches_every_listener_once_and_in_order() {
    let server = server().await;
    let each = soak(3, 60);
    let total = SENDERS * each;
    let names: Vec<String> = (0..SENDERS).map(|n| format!("sender{n}")).collect();
    let senders = join_all(names.iter().map(|name| server.person(name))).await;
    let ears = join_all(["ear0", "ear1", "ear2", "ear3", "ear4"].map(|name| server.person(name))).await;
    let everybody: Vec<&Person> = senders[1..].iter().chain(&ears).collect();
    let group = senders[0].group("storm", &everybody).await.id;
    let clip = Clip::webm(0.5, 440);
    let dice = Dice::new("storm");
    // Where everybody begins, before a word is said.
    let mut starts = Vec::new();
    for ear in &ears {
        starts.push(ear.socket().await.vanish());
    }

    let talk = join_all(senders.iter().map(|sender| async {
        let mut mine = Vec::new();
        for _ in 0..each {
            mine.push(sender.say(group, &clip).await);
        }
        mine
    }));
    let (poller, listeners) = ears.split_last().expect("five ears");
    let listen = join_all(listeners.iter().enumerate().map(|(n, ear)| {
        let dice = Dice(dice.0.wrapping_add(n as u64));
        hear_all(ear, group, total, dice, starts[n].clone())
    }));
    let (spoken, heard, polled) = tokio::join!(
        talk,
        listen,
        poll_all(poller, group, total, starts[listeners.len()].clone())
    );

    let mut by_seq: Vec<(i64, Uuid)> = Vec::new();
    for message in spoken.iter().flatten() {
        by_seq.push((message.seq.expect("published"), message.id));
    }
    by_seq.sort_unstable();
    let gap_free: Vec<i64> = (1..=total as i64).collect();
    assert_eq!(by_seq.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), gap_free);
    for (who, story) in heard.iter().chain([&polled]).enumerate() {
        assert!(
            story == &by_seq,
            "listener {who} heard another story than was told"
        );
    }
    // Each sender's own messages keep the order in which they were said.
    for mine in &spoken {
        assert!(mine.is_sorted_by_key(|message| message.seq));
    }
    let listed: Vec<_> = poller
        .messages(group)
        .await
        .iter()
        .map(|m| (m.seq.expect("published"), m.id))
        .collect();
    assert_eq!(listed, by_seq);
    server.stop().await;
}

/// Hears every message by socket, losing the connection after a random number of events again and again.
async fn hear_all(
    ear: &Person,
    group: Uuid,
    total: usize,
    mut dice: Dice,
    mut token: String,
) -> Vec<(i64, Uuid)> {
    let mut story = Story::default();
    while story.created.len() < total {
        let mut socket = ear.socket_since(&token).await;
        for event in std::mem::take(&mut socket.replay) {
            token.clone_from(&event.token);
            story.take(group, &event);
        }
        for _ in 0..1 + dice.below(30) {
            if story.created.len() == total {
                break;
            }
            let event = socket.next_event().await.expect("the socket stays open");
            token.clone_from(&event.token);
            story.take(group, &event);
        }
        socket.vanish();
    }
    story.created
}

/// The same by long polling.
async fn poll_all(ear: &Person, group: Uuid, total: usize, mut token: String) -> Vec<(i64, Uuid)> {
    let mut story = Story::default();
    while story.created.len() < total {
        let page = ear.sync(&token, 20_000).await;
        for event in &page.items {
            story.take(group, event);
        }
        token = page.token;
    }
    story.created
}

#[derive(Default)]
struct Story {
    created: Vec<(i64, Uuid)>,
    versions: HashMap<Uuid, i64>,
}

impl Story {
    #[track_caller]
    fn take(&mut self, group: Uuid, event: &Event) {
        if event.conversation_id != group {
            return;
        }
        match &event.change {
            Change::MessageCreated { message } => {
                let seq = message.seq.expect("a created message is published");
                let last = self.created.last().map_or(0, |(seq, _)| *seq);
                assert_eq!(seq, last + 1, "message.created out of order, doubled or missed");
                self.created.push((seq, message.id));
                self.versions.insert(message.id, message.version);
            }
            Change::MessageUpdated { message } => {
                assert!(
                    self.versions.contains_key(&message.id),
                    "updated before it was created"
                );
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_token_outlives_a_restart() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let token = ben.socket().await.vanish();
    let server = server.stop().await.start().await;
    let said = ana
        .at(server.base())
        .say(conversation.id, &Clip::webm(1.0, 550))
        .await;
    let page = ben.at(server.base()).sync(&token, 20_000).await;
    assert!(page.items.iter().any(|event| match &event.change {
        Change::MessageCreated { message } => message.id == said.id,
        _ => false,
    }));
}
