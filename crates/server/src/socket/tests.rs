//! Sockets over real connections.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::Method;
use futures_util::SinkExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use crate::live_testing::{Person, World, patiently};

#[tokio::test]
async fn a_message_reaches_the_sockets_of_both_people() {
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let mut bens = world.synced(&ben, None).await;
    let mut anas = world.synced(&ana, None).await;
    assert!(bens.replay.is_empty());
    let conversation = world.direct(&ana, &ben).await;
    let created = bens.until("conversation.created").await;
    assert_eq!(created["conversation"]["id"], json!(conversation));
    assert_eq!(world.say(&ana, conversation).await, 1);
    for socket in [&mut anas, &mut bens] {
        let event = socket.until("message.created").await;
        assert_eq!(event["message"]["seq"], 1);
        assert_eq!(event["conversation_id"], json!(conversation));
        assert_eq!(event["message"]["sender"]["display_name"], "ANA");
    }
    // Each has a path of their own to the sound.
    let delivered = anas.until("delivered.updated").await;
    assert_eq!(
        (&delivered["user"]["username"], &delivered["seq"]),
        (&json!("ben"), &json!(1))
    );
}

#[tokio::test]
async fn only_the_known_subprotocol_is_echoed_and_a_browser_may_pass_its_token_beside_it() {
    let world = World::new().await;
    let ana = world.person("ana").await;
    let own = format!("http://{}", world.address);
    let both = format!("voxpost.v1, bearer.{}", ana.token);
    let (mut socket, protocol) = world
        .knock(&[("sec-websocket-protocol", &both), ("origin", &own)])
        .await
        .unwrap();
    assert_eq!(protocol, "voxpost.v1");
    socket.say(&json!({"type": "hello", "ref": [1]})).await;
    let welcome = socket.until("welcome").await;
    assert_eq!(welcome["ref"], json!([1]));
    assert_eq!(welcome["session_id"], json!(ana.session));
    assert_eq!(welcome["heartbeat_ms"], 30_000);

    let status = async |headers: &[(&'static str, &str)]| match world.knock(headers).await {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    };
    assert_eq!(status(&[("sec-websocket-protocol", "voxpost.v1")]).await, 401);
    assert_eq!(
        status(&[("sec-websocket-protocol", "voxpost.v1, bearer.AAAA")]).await,
        401
    );
    let foreign = [
        ("sec-websocket-protocol", both.as_str()),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(status(&foreign).await, 403);
}

#[tokio::test]
async fn nonsense_is_answered_and_at_last_ends_the_socket() {
    let world = World::new().await;
    let ana = world.person("ana").await;
    let mut socket = world.synced(&ana, None).await;
    socket.say(&json!({"type": "news.of.tomorrow", "ref": 7})).await;
    let error = socket.until("error").await;
    assert_eq!(
        (&error["ref"], &error["problem"]["code"]),
        (&json!(7), &json!("invalid_request"))
    );
    socket.stream.send(Message::text("{")).await.unwrap();
    assert_eq!(socket.until("error").await["problem"]["code"], "invalid_request");
    socket
        .stream
        .send(Message::binary(vec![1, 0, 0, 0, 1, 2]))
        .await
        .unwrap();
    assert_eq!(socket.until("error").await["problem"]["code"], "not_supported");
    for _ in 0..60 {
        if socket.stream.send(Message::text("{")).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.goodbye().await, 1008);
}

#[tokio::test]
async fn a_message_that_is_too_big_ends_the_socket_with_its_code() {
    let world = World::new().await;
    let ana = world.person("ana").await;
    let mut socket = world.synced(&ana, None).await;
    socket
        .stream
        .send(Message::text("x".repeat(70_000)))
        .await
        .unwrap();
    assert_eq!(socket.goodbye().await, 1009);
}

#[tokio::test]
async fn who_answers_no_ping_is_closed_and_who_does_stays() {
    let world = World::with(&["--heartbeat-ms", "40"]).await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let mut reads = world.synced(&ana, None).await;
    let _deaf = world.synced(&ben, None).await;
    // Reading is what answers pings in this client; the other one is never read.
    let reading = tokio::spawn(async move { reads.goodbye().await });
    patiently("the deaf socket to be closed", async {
        while world.app.hub.sockets() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!reading.is_finished());
    world.app.hub.stop().await;
    assert_eq!(reading.await.unwrap(), 1001, "a server that stops says so");
}

#[tokio::test]
async fn a_person_has_a_bounded_number_of_sockets() {
    let world = World::with(&["--max-sockets-per-user", "2"]).await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let (_first, second) = (world.synced(&ana, None).await, world.synced(&ana, None).await);
    let bearer = format!("Bearer {}", ana.token);
    match world.knock(&[("authorization", &bearer)]).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 429),
        _ => panic!("a third socket"),
    }
    world.synced(&ben, None).await;
    drop(second);
    patiently("the place to be free", async {
        while world.knock(&[("authorization", &bearer)]).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn typing_reaches_the_other_members_and_nobody_else() {
    let world = World::new().await;
    let [ana, ben, eva] = world.people(["ana", "ben", "eva"]).await;
    let conversation = world.direct(&ana, &ben).await;
    let (mut anas, mut bens) = (world.synced(&ana, None).await, world.synced(&ben, None).await);
    let mut evas = world.synced(&eva, None).await;
    let typing = json!({"type": "typing", "kind": "recording", "conversation_id": conversation, "ref": 1});
    anas.say(&typing).await;
    let seen = bens.until("typing").await;
    assert_eq!(
        (&seen["user"]["username"], &seen["kind"]),
        (&json!("ana"), &json!("recording"))
    );
    assert_eq!(anas.next().await, json!({"type": "ok", "ref": 1}), "and no echo");
    evas.say(&typing).await;
    assert_eq!(evas.next().await["problem"]["code"], "not_found");
}

#[tokio::test]
async fn an_ended_session_is_cut_from_its_sockets_alone() {
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let mut anas = world.synced(&ana, None).await;
    let mut bens = world.synced(&ben, None).await;
    let path = format!("/v1/sessions/{}", ana.session);
    world.call(&ana, Method::DELETE, &path, Value::Null).await;
    assert_eq!(anas.goodbye().await, 4401);
    world.direct(&ben, &ana).await;
    bens.until("conversation.created").await;
}

#[tokio::test]
async fn a_removed_member_learns_it_and_hears_no_more() {
    let world = World::new().await;
    let [ana, ben, eva] = world.people(["ana", "ben", "eva"]).await;
    let group = world.group(&ana, &[&ben, &eva]).await;
    let mut evas = world.synced(&eva, None).await;
    let start = evas.token.clone();
    world.say(&ben, group).await;
    evas.until("message.created").await;
    let path = format!("/v1/conversations/{group}/members/{}", eva.id);
    let (status, _) = world.call(&ana, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, 204);
    world.say(&ben, group).await;
    let title = json!({"title": "without eva"});
    let path = format!("/v1/conversations/{group}");
    world.call(&ana, Method::PATCH, &path, title).await;
    let left = evas.until("member.left").await;
    assert_eq!(left["user"]["id"], json!(eva.id));
    let marker = world.direct(&eva, &ben).await;
    let next = evas.next().await;
    assert_eq!(
        next["conversation_id"],
        json!(marker),
        "nothing of the group: {next}"
    );

    // Coming back from before does not open it again.
    let back = world.synced(&eva, Some(&start)).await;
    let texts: Vec<String> = back.replay.iter().map(Value::to_string).collect();
    assert!(
        !texts.iter().any(|text| text.contains("without eva")),
        "{texts:?}"
    );
    let seqs: Vec<_> = created(&back.replay, group);
    assert_eq!(seqs, [1], "what was said while she was in, and no more");
    let (status, _) = world.call(&eva, Method::GET, &path, Value::Null).await;
    assert_eq!(status, 404);
}

fn created(events: &[Value], conversation: Uuid) -> Vec<i64> {
    events
        .iter()
        .filter(|event| event["type"] == "message.created" && event["conversation_id"] == json!(conversation))
        .map(|event| event["message"]["seq"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_replay_tells_the_same_story_as_the_live_socket() {
    let world = World::new().await;
    let [ana, ben, eva] = world.people(["ana", "ben", "eva"]).await;
    let mut live = world.synced(&ben, None).await;
    let start = live.token.clone();
    let group = world.group(&ana, &[&ben]).await;
    let direct = world.direct(&ben, &eva).await;
    let body = json!({"members": ["eva"]});
    world
        .call(
            &ana,
            Method::POST,
            &format!("/v1/conversations/{group}/members"),
            body,
        )
        .await;
    for n in 1..=5 {
        world.say(&ana, group).await;
        world.say(&eva, direct).await;
        let path = format!("/v1/conversations/{group}/read");
        world.call(&ben, Method::PUT, &path, json!({"seq": n})).await;
    }
    world.say(&eva, group).await;
    let mut told: Vec<Value> = Vec::new();
    while created(&told, group).len() < 6 {
        told.push(live.next().await);
    }
    let replay = world.synced(&ben, Some(&start)).await.replay;
    let story = |events: &[Value]| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events
            .iter()
            .map(|event| (text(&event["token"]), text(&event["type"])))
            .collect()
    };
    assert_eq!(story(&told), story(&replay)[..told.len()]);
    let mut synced: Vec<Value> = Vec::new();
    let mut token = start;
    loop {
        let page = world.get(&ben, &format!("/v1/sync?since={token}")).await;
        token = page["token"].as_str().unwrap().to_owned();
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        synced.extend(items.iter().cloned());
    }
    assert_eq!(story(&told), story(&synced)[..told.len()]);
}

/// Small, seeded, and good enough to lose connections at odd moments.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_senders_reaches_every_listener_once_and_in_order() {
    const SENDERS: usize = 32;
    const EACH: usize = 12;
    const TOTAL: usize = SENDERS * EACH;
    let world = Arc::new(World::new().await);
    let owner = world.person("owner").await;
    let mut people = Vec::new();
    for n in 0..SENDERS {
        people.push(world.person(&format!("sender{n}")).await);
    }
    let group = world.group(&owner, &people.iter().collect::<Vec<_>>()).await;
    let start = world.synced(&owner, None).await.token;
    let talk = join_all(people.iter().map(|person| {
        let (world, person) = (Arc::clone(&world), person.clone());
        tokio::spawn(async move {
            for _ in 0..EACH {
                world.say(&person, group).await;
            }
        })
    }));
    let listen = join_all((0..6).map(|n| {
        let (world, person, start) = (Arc::clone(&world), people[n].clone(), start.clone());
        tokio::spawn(async move { hear_all(&world, &person, group, start, TOTAL, Dice(n as u64 + 77)).await })
    }));
    let (_, heard) = tokio::join!(talk, listen);
    let whole: Vec<i64> = (1..=TOTAL as i64).collect();
    for story in heard {
        assert_eq!(story.unwrap(), whole);
    }
}

/// Hears `total` messages, losing the connection again and again.
async fn hear_all(
    world: &World,
    person: &Person,
    group: Uuid,
    mut token: String,
    total: usize,
    mut dice: Dice,
) -> Vec<i64> {
    let mut story = Vec::new();
    let mut tokens = HashSet::new();
    let mut take = |event: &Value, story: &mut Vec<i64>| {
        assert!(tokens.insert(event["token"].to_string()), "twice: {event}");
        story.extend(created(std::slice::from_ref(event), group));
    };
    while story.len() < total {
        let mut socket = world.socket(person, Some(&token)).await;
        let patience = 1 + dice.below(60);
        for _ in 0..patience {
            if story.len() == total {
                break;
            }
            let event = socket.next().await;
            if event["type"] != "synced" {
                take(&event, &mut story);
            }
            token.clone_from(&socket.token);
        }
    }
    story
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_reads_late_catches_up_from_the_log() {
    const TOTAL: i64 = 3_000;
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let conversation = world.direct(&ana, &ben).await;
    let mut bens = world.synced(&ben, None).await;
    for _ in 0..TOTAL / 100 {
        join_all((0..100).map(|_| world.say(&ana, conversation))).await;
    }
    let mut expected = 1;
    while expected <= TOTAL {
        let event = bens.until("message.created").await;
        assert_eq!(event["message"]["seq"], expected);
        expected += 1;
    }
}

#[tokio::test]
async fn a_token_from_elsewhere_asks_for_a_new_beginning() {
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let foreign = World::new().await;
    let stranger = foreign.person("ana").await;
    let token = foreign.synced(&stranger, None).await.token;
    let mut socket = world.socket(&ana, Some(&token)).await;
    let fresh = socket.next().await;
    assert_eq!(fresh["type"], "resync_required");
    socket.until("synced").await;
    world.direct(&ben, &ana).await;
    socket.until("conversation.created").await;
    let (status, body) = world
        .call(&ana, Method::GET, &format!("/v1/sync?since={token}"), Value::Null)
        .await;
    assert_eq!((status.as_u16(), &body["code"]), (410, &json!("resync_required")));
    let fresh = fresh["token"].as_str().unwrap();
    let page = world.get(&ana, &format!("/v1/sync?since={fresh}")).await;
    assert_eq!(page["items"][0]["type"], "conversation.created");
}
