//! Where somebody stopped: on all their devices, after a crash of the server, and to the sender as they wish it.

use std::path::Path;

use serde_json::{Value, json};
use voxpost_proto::Uuid;
use voxpost_proto::api::{
    ConversationSummary, Message, Page, Playback, PlaybackAnswer, PlaybackPage, PlaybackReport,
    PlaybackSummary,
};
use voxpost_proto::socket::{Change, Ephemeral, ServerMessage};
use voxpost_testkit::{Clip, Person, Socket, fresh_id};

use crate::{files, options, server};

/// What one player says, with a fresh id.
fn report(player_id: Uuid, base_version: i64, position_ms: i64, heard: &[[i64; 2]]) -> PlaybackReport {
    PlaybackReport {
        player_id,
        device_id: player_id,
        report_id: fresh_id(),
        base_version,
        position_ms,
        speed: 1.0,
        heard: heard.to_vec(),
        ended: false,
        sequence: None,
    }
}

async fn put(who: &Person, message: Uuid, report: &PlaybackReport) -> PlaybackAnswer {
    let path = format!("/v1/messages/{message}/playback");
    who.put(&path, report).await.expect(200).json()
}

async fn get(who: &Person, message: Uuid) -> Playback {
    let path = format!("/v1/messages/{message}/playback");
    who.get(&path).await.expect(200).json()
}

async fn message(who: &Person, id: Uuid) -> Message {
    who.get(&format!("/v1/messages/{id}")).await.expect(200).json()
}

async fn unplayed(who: &Person) -> i64 {
    let page: Page<ConversationSummary> = who.get("/v1/conversations").await.expect(200).json();
    page.items[0].unplayed_count
}

async fn updated(socket: &mut Socket) -> (Uuid, PlaybackSummary) {
    socket
        .wait_for("playback.updated", |message| match message {
            ServerMessage::Ephemeral(Ephemeral::PlaybackUpdated { message_id, playback }) => {
                Some((*message_id, *playback))
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pauses_here_and_goes_on_there_and_the_sender_learns_of_the_end() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let phone = ben.sign_in("phone").await;
    let conversation = ana.talk_to(&ben).await;
    let sent = ana.say(conversation.id, &Clip::webm(4.0, 440)).await;
    let duration = sent.duration_ms.expect("it is ready");
    let mut anas_socket = ana.socket().await;
    let mut phones_socket = phone.socket().await;
    assert_eq!(unplayed(&ben).await, 1);

    // Two seconds at the desk; the phone knows it at once, and also when it asks.
    let (desk, hand) = (fresh_id(), fresh_id());
    let answer = put(&ben, sent.id, &report(desk, 0, 2_000, &[[0, 2_000]])).await;
    assert!(answer.playhead_applied && !answer.playback.played);
    let (id, news) = updated(&mut phones_socket).await;
    assert_eq!((id, news), (sent.id, answer.playback.summary()));
    assert_eq!(get(&phone, sent.id).await, answer.playback);
    let changes: PlaybackPage = phone.get("/v1/playback?since=0").await.expect(200).json();
    assert_eq!(changes.items[0].playback, answer.playback);

    // A fresh player at the start of it does not take the desk's place, but what it heard counts.
    let stale = put(&phone, sent.id, &report(hand, 0, 150, &[[0, 150]])).await;
    assert_eq!(
        (stale.playhead_applied, stale.playback.position_ms),
        (false, 2_000)
    );
    let mut end = report(hand, stale.playback.version, duration, &[[2_000, duration]]);
    end.ended = true;
    let answer = put(&phone, sent.id, &end).await;
    assert!(answer.playhead_applied && answer.playback.played);
    assert_eq!(answer.playback.heard_ms, duration);

    let player = anas_socket
        .wait_for_event("played", |event| match &event.change {
            Change::Played { message_id, user } => Some((*message_id, user.clone())),
            _ => None,
        })
        .await;
    assert_eq!(player, (sent.id, ben.user.clone()));
    let seen = message(&ana, sent.id).await;
    assert_eq!((seen.played_count, seen.played_by), (1, vec![ben.user.clone()]));
    assert_eq!(seen.playback, PlaybackSummary::default());
    assert!(message(&ben, sent.id).await.playback.played);
    assert_eq!(unplayed(&ben).await, 0);
    // Played is not read.
    let conversation: Value = ana
        .get(&format!("/v1/conversations/{}", conversation.id))
        .await
        .expect(200)
        .json();
    let members = conversation["members"].as_array().expect("members");
    assert!(members.iter().all(|member| member["read_seq"] == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn played_is_told_to_a_sender_who_was_away_and_only_where_the_listener_wants_it() {
    let server = server().await;
    let (ana, ben, eva) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eva").await,
    );
    eva.patch("/v1/me", &json!({"sends_played_receipts": false}))
        .await
        .expect(200);
    let group = ana.group("three", &[&ben, &eva]).await;
    let sent = ana.say(group.id, &Clip::webm(1.0, 440)).await;
    let away = ana.socket().await.vanish();
    for listener in [&eva, &ben, &ana] {
        let mut end = report(fresh_id(), 0, 0, &[]);
        end.ended = true;
        let first = put(listener, sent.id, &end).await;
        // The answer was lost: the same again.
        assert_eq!(put(listener, sent.id, &end).await, first);
        assert!(first.playback.played);
        assert_eq!(unplayed(listener).await, 0);
    }
    let page = ana.sync(&away, 0).await;
    let told: Vec<&str> = page
        .items
        .iter()
        .filter_map(|event| match &event.change {
            Change::Played { user, .. } => Some(user.username.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["ben"]);
    assert_eq!(message(&ana, sent.id).await.played_count, 1);
    let bens = message(&ben, sent.id).await;
    assert_eq!((bens.played_count, bens.played_by.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_position_survives_the_death_of_the_server_and_a_new_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = options().start_in(dir.path()).await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let sent = ana.say(conversation.id, &Clip::webm(2.0, 440)).await;
    let kept = put(&ben, sent.id, &report(fresh_id(), 0, 1_234, &[[0, 1_234]])).await;
    server.kill().await;

    let key = dir.path().join("keys/playback-1.key");
    assert_eq!(mode(&key), 0o600);
    std::fs::write(dir.path().join("keys/playback-2.key"), [42_u8; 32]).expect("a second key");
    let server = options().start_in(dir.path()).await;
    let ben = ben.at(server.base());
    assert_eq!(get(&ben, sent.id).await, kept.playback);
    let next = put(&ben, sent.id, &report(fresh_id(), 1, 1_500, &[])).await;
    server.kill().await;

    // Written anew, it needs the old key no more.
    std::fs::remove_file(key).expect("the first key");
    let server = options().start_in(dir.path()).await;
    let ben = ben.at(server.base());
    assert_eq!(get(&ben, sent.id).await, next.playback);
    drop(server);
    for path in files(dir.path()) {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(11).any(|part| part == b"position_ms");
        assert!(!found, "{} tells positions", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_reports_are_refused_and_change_nothing() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let sent = ana.say(conversation.id, &Clip::webm(1.0, 440)).await;
    let path = format!("/v1/messages/{}/playback", sent.id);
    let good = serde_json::to_value(report(fresh_id(), 0, 500, &[[0, 500]])).expect("JSON");
    let before = get(&ben, sent.id).await;
    for (field, value) in [
        ("position_ms", json!(-1)),
        ("position_ms", json!(1e300)),
        ("position_ms", json!(i64::MAX)),
        ("position_ms", json!(0.5)),
        ("position_ms", json!("0")),
        ("heard", json!([[0, i64::MAX]])),
        ("heard", json!([[i64::MIN, 0]])),
        ("heard", json!([[300, 200]])),
        ("heard", json!([[1, 2, 3]])),
        ("heard", json!({"0": 1})),
        ("speed", json!(0)),
        ("speed", json!(-2)),
        ("speed", json!(1e39)),
        ("base_version", json!(-1)),
        ("report_id", json!("me")),
        ("player_id", json!(null)),
    ] {
        let mut bad = good.clone();
        bad[field] = value.clone();
        let answer = ben.put(&path, &bad).await;
        assert_eq!(answer.status, 400, "{field}: {value}: {}", answer.text());
    }
    assert_eq!(get(&ben, sent.id).await, before);
    // Many intervals are merged, not kept.
    let many: Vec<[i64; 2]> = (0..3_000).map(|n| [n % 900, n % 900 + 1]).collect();
    let mut busy = good;
    busy["heard"] = json!(many);
    let answer: PlaybackAnswer = ben.put(&path, &busy).await.expect(200).json();
    assert_eq!(answer.playback.heard.intervals(), [[0, 900]]);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("the key").permissions().mode() & 0o777
}
