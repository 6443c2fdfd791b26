use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock;
use crate::live_testing::{Person, World};

/// A message of one second.
struct Stage {
    world: World,
    ana: Person,
    ben: Person,
    conversation: Uuid,
    message: Uuid,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let [ana, ben] = world.people(["ana", "ben"]).await;
        let conversation = world.group(&ana, &[&ben]).await;
        let mut stage = Self {
            world,
            ana,
            ben,
            conversation,
            message: Uuid::nil(),
        };
        stage.message = stage.say().await;
        stage
    }

    async fn say(&self) -> Uuid {
        self.world.say(&self.ana, self.conversation).await;
        let path = format!("/v1/conversations/{}/messages?limit=1", self.conversation);
        crate::live_testing::id(&self.world.get(&self.ana, &path).await["items"][0])
    }

    fn path(&self) -> String {
        format!("/v1/messages/{}/playback", self.message)
    }

    async fn put(&self, who: &Person, body: Value) -> (u16, Value) {
        let (status, body) = self.world.call(who, Method::PUT, &self.path(), body).await;
        (status.as_u16(), body)
    }

    async fn message(&self, who: &Person) -> Value {
        self.world
            .get(who, &format!("/v1/messages/{}", self.message))
            .await
    }

    async fn unplayed(&self, who: &Person) -> Value {
        self.world.get(who, "/v1/conversations").await["items"][0]["unplayed_count"].clone()
    }
}

fn report(player: u128, base_version: i64, position_ms: i64, heard: &[[i64; 2]]) -> Value {
    json!({
        "player_id": Uuid::from_u128(player), "device_id": Uuid::from_u128(player + 100), "report_id": clock::new_id(),
        "base_version": base_version, "position_ms": position_ms, "speed": 1.5, "heard": heard,
    })
}

#[tokio::test]
async fn a_position_is_kept_and_a_stale_device_brings_only_what_was_heard() {
    let stage = Stage::new().await;
    let before = stage.world.get(&stage.ben, &stage.path()).await;
    assert_eq!(
        (&before["version"], &before["position_ms"], &before["played"]),
        (&json!(0), &json!(0), &json!(false))
    );
    let (status, first) = stage.put(&stage.ben, report(1, 0, 600, &[[0, 300]])).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(
        (&first["version"], &first["playhead_applied"], &first["heard_ms"]),
        (&json!(1), &json!(true), &json!(300))
    );
    let (_, stale) = stage.put(&stage.ben, report(2, 0, 20, &[[600, 800]])).await;
    assert_eq!(
        (&stale["playhead_applied"], &stale["position_ms"], &stale["heard"]),
        (&json!(false), &json!(600), &json!([[0, 300], [600, 800]]))
    );
    let now = stage.world.get(&stage.ben, &stage.path()).await;
    assert_eq!((&now["speed"], &now["heard_ms"]), (&json!(1.5), &json!(500)));
    let summary = stage.message(&stage.ben).await["playback"].clone();
    assert_eq!(
        summary,
        json!({"version": 1, "position_ms": 600, "heard_ms": 500, "played": false})
    );
    // It is Ben's alone.
    assert_eq!(stage.message(&stage.ana).await["playback"]["version"], 0);
}

#[tokio::test]
async fn a_report_out_of_range_is_refused_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.put(&stage.ben, report(1, 0, 500, &[[0, 500]])).await;
    let before = stage.world.get(&stage.ben, &stage.path()).await;
    for bad in [
        report(1, 1, 2_001, &[]),
        report(1, 1, -1, &[]),
        report(9, 77, 2_001, &[]),
        report(1, 1, 0, &[[0, 2_001]]),
        report(1, 1, 0, &[[-1, 5]]),
        report(1, 1, 0, &[[9, 8]]),
        report(1, -1, 0, &[]),
        json!({}),
        json!([]),
    ] {
        let (status, answer) = stage.put(&stage.ben, bad.clone()).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("invalid_request")),
            "{bad}"
        );
    }
    assert_eq!(stage.world.get(&stage.ben, &stage.path()).await, before);
    let (status, clamped) = stage.put(&stage.ben, report(1, 1, 2_000, &[[900, 2_000]])).await;
    assert_eq!((status, &clamped["position_ms"]), (200, &json!(1_000)));
    assert_eq!(clamped["heard"], json!([[0, 500], [900, 1_000]]));
}

#[tokio::test]
async fn a_repeated_report_changes_nothing_and_tells_nobody() {
    let stage = Stage::new().await;
    let first = report(1, 0, 400, &[[0, 400]]);
    let (_, answer) = stage.put(&stage.ben, first.clone()).await;
    let changed = stage.world.get(&stage.ben, "/v1/playback?since=0").await;
    let mut again = first;
    again["position_ms"] = json!(900);
    again["ended"] = json!(true);
    assert_eq!(stage.put(&stage.ben, again).await, (200, answer));
    assert_eq!(stage.world.get(&stage.ben, "/v1/playback?since=0").await, changed);
}

#[tokio::test]
async fn a_device_that_was_away_asks_for_what_changed() {
    let mut stage = Stage::new().await;
    let first = stage.message;
    stage.put(&stage.ben, report(1, 0, 100, &[])).await;
    stage.message = stage.say().await;
    stage.put(&stage.ben, report(1, 0, 200, &[])).await;
    let page = stage.world.get(&stage.ben, "/v1/playback?since=0&limit=1").await;
    assert_eq!(
        (&page["items"][0]["message_id"], &page["next"]),
        (&json!(first), &json!(1))
    );
    let page = stage.world.get(&stage.ben, "/v1/playback?since=1").await;
    assert_eq!(page["items"][0]["position_ms"], 200);
    // Of a message that changes again only the newest change is told.
    let second = std::mem::replace(&mut stage.message, first);
    stage.put(&stage.ben, report(1, 1, 300, &[])).await;
    let page = stage.world.get(&stage.ben, "/v1/playback").await;
    let ids: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["message_id"])
        .collect();
    assert_eq!(
        (ids, &page["next"]),
        (vec![&json!(second), &json!(first)], &json!(3))
    );
    let page = stage.world.get(&stage.ben, "/v1/playback?since=3").await;
    assert_eq!((&page["items"], &page["next"]), (&json!([]), &json!(3)));
    assert_eq!(
        stage.world.get(&stage.ana, "/v1/playback").await["items"],
        json!([])
    );
    let (status, _) = stage
        .world
        .call(&stage.ben, Method::GET, "/v1/playback?since=-1", Value::Null)
        .await;
    assert_eq!(status, 400);
    // Its numbers do not come again when a message, and with it its rows, goes.
    let path = format!("/v1/messages/{first}");
    stage
        .world
        .call(&stage.ana, Method::DELETE, &path, Value::Null)
        .await;
    stage.message = second;
    stage.put(&stage.ben, report(1, 1, 250, &[])).await;
    let page = stage.world.get(&stage.ben, "/v1/playback?since=3").await;
    assert_eq!(
        (&page["items"][0]["message_id"], &page["next"]),
        (&json!(second), &json!(4))
    );
}

#[tokio::test]
async fn played_is_told_to_the_sender_once_and_read_is_something_else() {
    let stage = Stage::new().await;
    let mut sender = stage.world.synced(&stage.ana, None).await;
    assert_eq!(stage.unplayed(&stage.ben).await, 1);
    let read = format!("/v1/conversations/{}/read", stage.conversation);
    stage
        .world
        .call(&stage.ben, Method::PUT, &read, json!({"seq": 1}))
        .await;
    assert_eq!(stage.unplayed(&stage.ben).await, 1);
    assert_eq!(stage.message(&stage.ana).await["played_count"], 0);

    stage.put(&stage.ben, report(1, 0, 900, &[[0, 899]])).await;
    stage.put(&stage.ben, report(1, 1, 900, &[[0, 900]])).await;
    stage.put(&stage.ben, report(1, 2, 1_000, &[[0, 1_000]])).await;
    let told = sender.until("played").await;
    assert_eq!(
        (&told["message_id"], &told["user"]["username"]),
        (&json!(stage.message), &json!("ben"))
    );
    let since = stage.world.get(&stage.ana, "/v1/sync").await;
    assert!(since["token"].is_string());
    let message = stage.message(&stage.ana).await;
    assert_eq!(
        (&message["played_by"][0]["username"], &message["played_count"]),
        (&json!("ben"), &json!(1))
    );
    // Nobody but its sender learns who played it.
    let bens = stage.message(&stage.ben).await;
    assert_eq!(
        (&bens["played_by"], &bens["playback"]["played"]),
        (&json!([]), &json!(true))
    );
    assert_eq!(stage.unplayed(&stage.ben).await, 0);
    assert_eq!(stage.unplayed(&stage.ana).await, 0);
}

#[tokio::test]
async fn who_sends_no_receipts_and_who_hears_themselves_is_not_told_of() {
    let stage = Stage::new().await;
    let body = json!({"sends_played_receipts": false});
    stage.world.call(&stage.ben, Method::PATCH, "/v1/me", body).await;
    let end = |player| {
        let mut end = report(player, 0, 1_000, &[[0, 1_000]]);
        end["ended"] = json!(true);
        end
    };
    let (_, bens) = stage.put(&stage.ben, end(1)).await;
    let (_, anas) = stage.put(&stage.ana, end(2)).await;
    assert_eq!((&bens["played"], &anas["played"]), (&json!(true), &json!(true)));
    assert_eq!(stage.unplayed(&stage.ben).await, 0);
    let message = stage.message(&stage.ana).await;
    assert_eq!(
        (&message["played_by"], &message["played_count"]),
        (&json!([]), &json!(0))
    );
    let events: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM events WHERE type = 'played'")
        .fetch_one(&mut *stage.world.app.store.read().await.unwrap())
        .await
        .unwrap();
    assert_eq!(events, 0);
}

#[tokio::test]
async fn the_other_devices_hear_of_it_and_the_one_that_reports_does_not() {
    let stage = Stage::new().await;
    let body = json!({"username": "ben", "password": "correct horse battery"});
    let (_, phone) = stage
        .world
        .call(&stage.ben, Method::POST, "/v1/sessions", body)
        .await;
    let phone = Person {
        token: phone["token"].as_str().unwrap().to_owned(),
        ..stage.ben.clone()
    };
    let mut here = stage.world.synced(&stage.ben, None).await;
    let mut there = stage.world.synced(&phone, None).await;
    let mut anas = stage.world.synced(&stage.ana, None).await;
    stage.put(&stage.ben, report(1, 0, 600, &[[0, 600]])).await;
    let news = there.until("playback.updated").await;
    assert_eq!(
        (&news["message_id"], &news["playback"]),
        (
            &json!(stage.message),
            &json!({"version": 1, "position_ms": 600, "heard_ms": 600, "played": false})
        )
    );
    // What the reporting device and the sender see next is something that happened later.
    stage.put(&phone, report(2, 1, 700, &[])).await;
    let news = here.until("playback.updated").await;
    assert_eq!(news["playback"]["version"], 2);
    stage.say().await;
    assert_eq!(anas.next().await["type"], "message.created");
}

#[tokio::test]
async fn an_event_about_a_message_shows_each_their_own_playback() {
    let stage = Stage::new().await;
    let mut anas = stage.world.socket(&stage.ana, None).await;
    let mut bens = stage.world.socket(&stage.ben, None).await;
    anas.until("synced").await;
    bens.until("synced").await;
    stage.put(&stage.ben, report(1, 0, 950, &[[0, 950]])).await;
    anas.until("played").await;
    let (message, conversation_id) = (stage.message, stage.conversation);
    stage
        .world
        .app
        .store
        .write(move |c| {
            Box::pin(async move {
                use crate::store::events::{EventType, NewEvent, append};
                let event = NewEvent {
                    message_id: Some(message),
                    seq: Some(1),
                    ..NewEvent::new(EventType::MessageUpdated, conversation_id)
                };
                append(c, event, clock::now()).await?;
                Ok::<_, crate::error::ApiError>(())
            })
        })
        .await
        .unwrap();
    for (socket, who) in [(&mut anas, &stage.ana), (&mut bens, &stage.ben)] {
        let told = socket.until("message.updated").await["message"].clone();
        let fetched = stage.message(who).await;
        for field in ["playback", "played_by", "played_count"] {
            assert_eq!(told[field], fetched[field], "{field} of {}", who.name);
        }
    }
}

#[tokio::test]
async fn who_left_and_what_is_deleted_is_not_found() {
    let stage = Stage::new().await;
    stage.put(&stage.ben, report(1, 0, 500, &[])).await;
    let stranger = stage.world.person("eva").await;
    assert_eq!(stage.put(&stranger, report(3, 0, 5, &[])).await.0, 404);
    let leave = format!(
        "/v1/conversations/{}/members/{}",
        stage.conversation, stage.ben.id
    );
    stage
        .world
        .call(&stage.ben, Method::DELETE, &leave, Value::Null)
        .await;
    assert_eq!(stage.put(&stage.ben, report(1, 1, 600, &[])).await.0, 404);
    assert_eq!(
        stage.world.get(&stage.ben, "/v1/playback").await["items"],
        json!([])
    );

    stage.put(&stage.ana, report(2, 0, 5, &[])).await;
    let path = format!("/v1/messages/{}", stage.message);
    stage
        .world
        .call(&stage.ana, Method::DELETE, &path, Value::Null)
        .await;
    assert_eq!(stage.put(&stage.ana, report(2, 1, 6, &[])).await.0, 404);
    assert_eq!(rows(&stage).await, 0);
}

#[tokio::test]
async fn nothing_readable_is_kept_and_an_account_takes_its_positions_along() {
    let stage = Stage::new().await;
    let player = Uuid::from_u128(0x1234_5678_9abc);
    let mut body = report(1, 0, 777, &[[0, 777]]);
    body["player_id"] = json!(player);
    stage.put(&stage.ben, body).await;
    let state: Vec<u8> = sqlx::query_scalar("SELECT state FROM playback")
        .fetch_one(&mut *stage.world.app.store.read().await.unwrap())
        .await
        .unwrap();
    for secret in ["777", &player.to_string(), "heard", "position"] {
        assert!(
            !state.windows(secret.len()).any(|part| part == secret.as_bytes()),
            "{secret} is readable"
        );
    }
    stage
        .world
        .call(&stage.ben, Method::DELETE, "/v1/me", Value::Null)
        .await;
    assert_eq!(rows(&stage).await, 0);
}

async fn rows(stage: &Stage) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM playback")
        .fetch_one(&mut *stage.world.app.store.read().await.unwrap())
        .await
        .unwrap()
}
