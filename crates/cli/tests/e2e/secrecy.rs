//! The log tells what happens and none of what is said.

use voxpost_testkit::{Clip, Person, Voice, client, exchange};

use crate::files;
use crate::options;

#[tokio::test(flavor = "multi_thread")]
async fn the_most_talkative_log_holds_no_secret_and_no_content() {
    let server = options()
        .env("RUST_LOG", "trace")
        .env("VOXPOST_LOG", "trace")
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let phone = ana.sign_in("a phone of ana's").await;
    let group = ana.group("surprise-party-title", &[&ben]).await;
    let caption = "the-cake-is-in-the-cellar";
    let voice = Voice {
        caption: Some(caption.into()),
        ..Voice::of(&Clip::webm(1.0, 440))
    };
    let sent: voxpost_proto::api::Message = ana.send(group.id, &voice).await.expect(201).json();
    let audio = sent.audio.clone().expect("sound");

    let position = serde_json::json!({
        "player_id": "7b7b7b7b-1111-4222-8333-944444444444", "device_id": voxpost_testkit::fresh_id(),
        "report_id": voxpost_testkit::fresh_id(), "base_version": 0, "position_ms": 487, "speed": 1.6180339,
        "heard": [[101, 487]],
    });
    let playback = format!("/v1/messages/{}/playback", sent.id);
    ben.put(&playback, &position).await.expect(200);
    let out_of_range = serde_json::json!({
        "player_id": "7b7b7b7b-1111-4222-8333-944444444444", "device_id": voxpost_testkit::fresh_id(),
        "report_id": voxpost_testkit::fresh_id(), "base_version": 0, "position_ms": 918_273_645, "speed": 1.0,
        "heard": [],
    });
    ben.put(&playback, &out_of_range).await.expect(400);
    ben.get(&playback).await.expect(200);

    // The ways a secret could travel: header, query, subprotocol, and all of them wrong.
    exchange(client().get(format!("{}{}", server.base(), audio.url)))
        .await
        .expect(200);
    exchange(client().get(format!("{}{}x", server.base(), audio.url))).await;
    let fresh: voxpost_proto::api::AudioUrl = ben
        .post(&format!("/v1/messages/{}/audio-url", sent.id), &())
        .await
        .expect(200)
        .json();
    let mut socket = ben.socket().await;
    socket
        .say(&serde_json::json!({"type": "no such thing", "text": caption}))
        .await;
    let wrong = serde_json::json!({"username": "ana", "password": "wrong-password-of-ana"});
    exchange(
        client()
            .post(format!("{}/v1/sessions", server.base()))
            .json(&wrong),
    )
    .await
    .expect(401);
    exchange(
        client()
            .get(format!("{}/v1/me", server.base()))
            .bearer_auth("stolen-token-of-somebody"),
    )
    .await
    .expect(401);
    let broken = Voice {
        bytes: b"no sound, but a diary entry".to_vec(),
        ..voice.clone()
    };
    ana.send(
        group.id,
        &Voice {
            client_id: None,
            ..broken
        },
    )
    .await
    .expect(415);
    ana.delete(&format!("/v1/messages/{}", sent.id)).await.expect(204);

    let objects: Vec<String> = files(server.data_dir())
        .iter()
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .filter(|stem| stem.len() >= 30)
        .collect();
    let stopped = server.stop().await;
    let log = stopped.log();
    assert!(
        log.contains(&format!("/v1/messages/{}", sent.id)) || log.contains("/v1/messages"),
        "the log tells requests"
    );
    let signature = |url: &str| url.split_once("sig=").expect("a signature").1.to_owned();
    let mut secrets = vec![
        ("token", ana.token.clone()),
        ("token", ben.token.clone()),
        ("token", phone.token.clone()),
        ("password", Person::PASSWORD.to_owned()),
        ("password", "wrong-password-of-ana".to_owned()),
        ("token", "stolen-token-of-somebody".to_owned()),
        ("signature", signature(&audio.url)),
        ("signature", signature(&fresh.url)),
        ("caption", caption.to_owned()),
        ("title", "surprise-party-title".to_owned()),
        ("content", "diary entry".to_owned()),
        ("position", "918273645".to_owned()),
        ("position", "position_ms\":487".to_owned()),
        ("position", "[101,487]".to_owned()),
        ("position", "[101, 487]".to_owned()),
        ("speed", "1.618".to_owned()),
        ("player", "7b7b7b7b".to_owned()),
        ("hash of the sound", audio.sha256),
    ];
    secrets.extend(objects.into_iter().map(|stem| ("address of a blob", stem)));
    for (kind, secret) in secrets {
        if let Some(line) = log.lines().find(|line| line.contains(&secret)) {
            panic!("a {kind} stands in the log: {line}");
        }
    }
}
