//! The same write twice is the same write once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use uuid::Uuid;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::{Conversation, Message};
use voxpost_testkit::{Clip, Voice, fresh_id};

use crate::server;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_is_answered_again_and_kept_once() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let voice = Voice::of(&Clip::webm(1.0, 440));

    let first: Message = ana.send(conversation.id, &voice).await.expect(201).json();
    assert_eq!(first.client_id, voice.client_id);
    let again: Message = ana.send(conversation.id, &voice).await.expect(200).json();
    assert_eq!((again.id, again.seq), (first.id, first.seq));

    // Name, declared type and caption are no content.
    let dressed = Voice {
        file_name: "../../etc/passwd".into(),
        content_type: "video/mp4".into(),
        ..voice.clone()
    };
    let again: Message = ana.send(conversation.id, &dressed).await.expect(200).json();
    assert_eq!(again.id, first.id);

    // Other sound, another place or another answer is.
    let other_sound = Voice {
        bytes: Clip::webm(1.0, 441).bytes,
        ..voice.clone()
    };
    ana.send(conversation.id, &other_sound)
        .await
        .problem(ErrorCode::Conflict);
    let other_answer = Voice {
        reply_to: Some(first.id),
        ..voice.clone()
    };
    ana.send(conversation.id, &other_answer)
        .await
        .problem(ErrorCode::Conflict);
    let elsewhere = ana.group("elsewhere", &[&ben]).await;
    ana.send(elsewhere.id, &voice).await.problem(ErrorCode::Conflict);

    // Ids are each sender's own.
    let bens: Message = ben.send(conversation.id, &voice).await.expect(201).json();
    assert_ne!(bens.id, first.id);
    assert_eq!(ana.messages(conversation.id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_simultaneous_copies_one_is_created() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    for hertz in [300, 400] {
        let voice = Voice::of(&Clip::webm(2.0, hertz));
        let answers = join_all((0..16).map(|_| ana.send(conversation.id, &voice))).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        let repeated = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((created, repeated), (1, 15));
        let ids: BTreeSet<Uuid> = answers.iter().map(|answer| answer.json::<Message>().id).collect();
        assert_eq!(ids.len(), 1);
    }
    assert_eq!(ana.messages(conversation.id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_frees_its_id() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let good = Voice::of(&Clip::webm(1.0, 440));
    let text = Voice {
        bytes: b"this is no sound at all, whatever it is called".to_vec(),
        ..good.clone()
    };
    ana.send(conversation.id, &text)
        .await
        .problem(ErrorCode::AudioUnrecognised);
    let empty = Voice {
        bytes: Vec::new(),
        ..good.clone()
    };
    let refused = ana.send(conversation.id, &empty).await;
    assert!(matches!(refused.status, 400 | 415 | 422), "{}", refused.status);
    ana.send(conversation.id, &good).await.expect(201);
    assert_eq!(ana.messages(conversation.id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_begin_to_talk_at_the_same_moment_have_one_conversation() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let both = join_all((0..16).map(|n| {
        if n % 2 == 0 {
            ana.talk_to(&ben)
        } else {
            ben.talk_to(&ana)
        }
    }))
    .await;
    let ids: BTreeSet<Uuid> = both.iter().map(|conversation| conversation.id).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_twice_with_one_client_id_is_one_group() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let id = fresh_id();
    let body = serde_json::json!({
        "kind": "group", "title": "radio", "members": [ben.user.username], "client_id": id,
    });
    let first: Conversation = ana.post("/v1/conversations", &body).await.expect(201).json();
    let again: Conversation = ana.post("/v1/conversations", &body).await.expect(200).json();
    assert_eq!(again.id, first.id);
    let mut other = body.clone();
    other["title"] = "television".into();
    ana.post("/v1/conversations", &other)
        .await
        .problem(ErrorCode::Conflict);
}
