use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::clock;
use crate::live_testing::{World, id};

#[tokio::test]
async fn a_pair_gets_one_conversation_however_many_make_it_at_once() {
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let answers = join_all((0..16).map(|n| {
        let (who, other) = if n % 2 == 0 { (&ana, &ben) } else { (&ben, &ana) };
        let body = json!({"kind": "direct", "members": [other.name]});
        world.call(who, Method::POST, "/v1/conversations", body)
    }))
    .await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made, 1);
    assert!(
        answers
            .iter()
            .all(|(status, body)| status.is_success() && id(body) == id(&answers[0].1))
    );
}

#[tokio::test]
async fn marks_never_go_back_nor_past_the_newest_message() {
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let conversation = world.direct(&ana, &ben).await;
    for _ in 0..3 {
        world.say(&ana, conversation).await;
    }
    let path = format!("/v1/conversations/{conversation}");
    for (seq, expected) in [(2, 2), (1, 2), (99, 3)] {
        let body = json!({"seq": seq});
        let (status, _) = world.call(&ben, Method::PUT, &format!("{path}/read"), body).await;
        assert_eq!(status, 204);
        let body = world.get(&ana, &path).await;
        let members = body["members"].as_array().unwrap();
        let bens = members
            .iter()
            .find(|member| member["user"]["username"] == "ben")
            .unwrap();
        assert_eq!(
            (&bens["read_seq"], &bens["delivered_seq"]),
            (&json!(expected), &json!(expected))
        );
    }
}

#[tokio::test]
async fn the_list_has_the_newest_activity_first_and_is_paged() {
    let world = World::new().await;
    let [ana, ben, eva] = world.people(["ana", "ben", "eva"]).await;
    let first = world.direct(&ana, &ben).await;
    let second = world.direct(&ana, &eva).await;
    // Activity is kept in milliseconds, and within one there is no newer.
    let made = clock::now();
    while clock::now() <= made {
        tokio::task::yield_now().await;
    }
    world.say(&ben, first).await;
    let page = world.get(&ana, "/v1/conversations?limit=1").await;
    let line = &page["items"][0];
    assert_eq!(
        (id(line), &line["unread_count"], &line["last_message"]["seq"]),
        (first, &json!(1), &json!(1))
    );
    let next = page["next"].as_str().unwrap();
    let page = world
        .get(&ana, &format!("/v1/conversations?limit=1&before={next}"))
        .await;
    assert_eq!((id(&page["items"][0]), &page["next"]), (second, &Value::Null));
}

#[tokio::test]
async fn a_group_is_passed_on_when_its_last_owner_leaves() {
    let world = World::new().await;
    let [ana, ben, eva] = world.people(["ana", "ben", "eva"]).await;
    let group = world.group(&ana, &[&ben]).await;
    let path = format!("/v1/conversations/{group}");
    let body = json!({"members": ["eva"]});
    world
        .call(&ana, Method::POST, &format!("{path}/members"), body)
        .await;
    let members = format!("{path}/members/{}", ana.id);
    let (status, _) = world.call(&eva, Method::DELETE, &members, Value::Null).await;
    assert_eq!(status, 403);
    let (status, _) = world.call(&ana, Method::DELETE, &members, Value::Null).await;
    assert_eq!(status, 204);
    let body = world.get(&eva, &path).await;
    let owner = body["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["role"] == "owner")
        .unwrap();
    assert_eq!(owner["user"]["username"], "ben");
}

#[tokio::test]
async fn a_waiting_sync_ends_with_the_event() {
    let world = World::new().await;
    let [ana, ben] = world.people(["ana", "ben"]).await;
    let start = world.get(&ben, "/v1/sync").await;
    let path = format!(
        "/v1/sync?wait_ms=30000&since={}",
        start["token"].as_str().unwrap()
    );
    let (page, _) = tokio::join!(world.get(&ben, &path), world.direct(&ana, &ben));
    assert_eq!(page["items"][0]["type"], "conversation.created");
}
