//! Groups: who may do what, and what those see who come late or leave early.

use reqwest::Method;
use voxpost_proto::ErrorCode;
use voxpost_proto::api::Conversation;
use voxpost_proto::socket::{Change, Event};
use voxpost_testkit::{Clip, exchange};

use crate::server;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_from_joining_to_leaving() {
    let server = server().await;
    let (ana, ben, eva) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eva").await,
    );
    let group = ana.group("radio", &[&ben]).await;
    let clip = Clip::webm(1.0, 440);
    let before = ana.say(group.id, &clip).await;

    let members = format!("/v1/conversations/{}/members", group.id);
    let mut evas_socket = eva.socket().await;
    let joined = ana.post(&members, &serde_json::json!({"members": ["eva"]})).await;
    assert!(
        matches!(joined.status, 200 | 201 | 204),
        "{}: {}",
        joined.status,
        joined.text()
    );
    evas_socket
        .wait_for_event("conversation.created", |event| match &event.change {
            Change::ConversationCreated { conversation } => (conversation.id == group.id).then_some(()),
            _ => None,
        })
        .await;
    let during = ana.say(group.id, &clip).await;
    evas_socket
        .wait_for_event("message.created", |event| match &event.change {
            Change::MessageCreated { message } => (message.id == during.id).then_some(()),
            _ => None,
        })
        .await;

    ana.delete(&format!("{members}/{}", eva.user.id))
        .await
        .expect(204);
    let after = ana.say(group.id, &clip).await;

    eva.get(&format!("/v1/messages/{}", before.id))
        .await
        .problem(ErrorCode::NotFound);
    eva.get(&format!("/v1/messages/{}", after.id))
        .await
        .problem(ErrorCode::NotFound);
    eva.audio(before.id).await.problem(ErrorCode::NotFound);
    eva.audio(after.id).await.problem(ErrorCode::NotFound);

    // After her leaving the socket says nothing of the group. It may well say something before, as that "during" was
    // analysed, so everything is taken in the order in which it came.
    let marker = eva.group("marker", &[&ben]).await;
    let mut left = false;
    loop {
        let event = evas_socket.next_event().await.expect("the socket stays open");
        if event.conversation_id == marker.id {
            break;
        }
        assert!(!left, "an event of a group that eva has left: {event:?}");
        left = matches!(&event.change, Change::MemberLeft { user } if user.id == eva.user.id);
    }
    assert!(left, "eva is told that she is out");
    let seen: Vec<_> = ben
        .messages(group.id)
        .await
        .iter()
        .filter_map(|message| message.seq)
        .collect();
    assert_eq!(seen, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_joining_stays_unheard_of_when_it_changes() {
    let server = server().await;
    let (ana, eva) = (server.person("ana").await, server.person("eva").await);
    let group = ana.group("radio", &[]).await;
    let before = ana.say(group.id, &Clip::webm(1.0, 440)).await;
    let mut socket = eva.socket().await;
    let start = socket.token.clone();
    let members = format!("/v1/conversations/{}/members", group.id);
    ana.post(&members, &serde_json::json!({"members": ["eva"]}))
        .await
        .expect(200);
    ana.delete(&format!("/v1/messages/{}", before.id))
        .await
        .expect(204);
    let marker = ana.say(group.id, &Clip::webm(1.0, 440)).await;
    loop {
        let event = socket.next_event().await.expect("the socket stays open");
        match event.change {
            Change::MessageCreated { message } if message.id == marker.id => break,
            Change::MessageUpdated { message } | Change::MessageDeleted { message } => {
                assert_ne!(message.id, before.id, "eva hears of what she may not see");
            }
            _ => {}
        }
    }
    let told = eva.sync(&start, 0).await.items;
    let about = |event: &Event| match &event.change {
        Change::MessageCreated { message }
        | Change::MessageUpdated { message }
        | Change::MessageDeleted { message } => Some(message.id),
        _ => None,
    };
    let about: Vec<_> = told.iter().filter_map(about).collect();
    assert!(
        about.contains(&marker.id) && !about.contains(&before.id),
        "{about:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_change_a_group_and_anybody_may_leave() {
    let server = server().await;
    let (ana, ben, eva) = (
        server.person("ana").await,
        server.person("ben").await,
        server.person("eva").await,
    );
    let group = ana.group("radio", &[&ben]).await;
    let path = format!("/v1/conversations/{}", group.id);
    let members = format!("{path}/members");

    ben.patch(&path, &serde_json::json!({"title": "bens"}))
        .await
        .problem(ErrorCode::Forbidden);
    ben.post(&members, &serde_json::json!({"members": ["eva"]}))
        .await
        .problem(ErrorCode::Forbidden);
    ben.delete(&format!("{members}/{}", ana.user.id))
        .await
        .problem(ErrorCode::Forbidden);

    let mut bens_socket = ben.socket().await;
    let renamed: Conversation = ana
        .patch(&path, &serde_json::json!({"title": "television"}))
        .await
        .expect(200)
        .json();
    assert_eq!(renamed.title.as_deref(), Some("television"));
    assert!(renamed.version > group.version);
    bens_socket
        .wait_for_event("conversation.updated", |event| match &event.change {
            Change::ConversationUpdated { conversation } => {
                (conversation.title.as_deref() == Some("television")).then_some(())
            }
            _ => None,
        })
        .await;

    ben.delete(&format!("{members}/{}", ben.user.id))
        .await
        .expect(204);
    ben.send(group.id, &voxpost_testkit::Voice::of(&Clip::webm(1.0, 440)))
        .await
        .problem(ErrorCode::NotFound);
    eva.get(&path).await.problem(ErrorCode::NotFound);
    let left: Conversation = ana.get(&path).await.expect(200).json();
    assert_eq!(left.members.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_voice_messages_gets_none() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    assert!(conversation.can_send.voice);
    ben.patch("/v1/me", &serde_json::json!({"accepts_voice": false}))
        .await
        .expect(200);
    let now: Conversation = ana
        .get(&format!("/v1/conversations/{}", conversation.id))
        .await
        .expect(200)
        .json();
    assert!(!now.can_send.voice);
    assert_eq!(now.can_send.reason.as_deref(), Some("voice_not_accepted"));
    let voice = voxpost_testkit::Voice::of(&Clip::webm(1.0, 440));
    ana.send(conversation.id, &voice)
        .await
        .problem(ErrorCode::VoiceNotAccepted);
    ben.patch("/v1/me", &serde_json::json!({"accepts_voice": true}))
        .await
        .expect(200);
    ana.send(conversation.id, &voice).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_is_cut_from_its_socket_and_from_everything() {
    let server = server().await;
    let ana = server.person("ana").await;
    let phone = ana.sign_in("phone").await;
    let mut socket = phone.socket().await;
    phone.get("/v1/me").await.expect(200);

    let sessions: serde_json::Value = ana.get("/v1/sessions").await.expect(200).json();
    let phones = sessions["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|session| session["device_name"] == "phone")
        .expect("the phone's session");
    ana.delete(&format!("/v1/sessions/{}", phones["id"].as_str().expect("an id")))
        .await
        .expect(204);

    socket.closed().await;
    phone.get("/v1/me").await.problem(ErrorCode::Unauthenticated);
    ana.get("/v1/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions_and_the_old_password() {
    let server = server().await;
    let ana = server.person("ana").await;
    let phone = ana.sign_in("phone").await;
    let mut socket = phone.socket().await;
    let change = serde_json::json!({
        "current_password": voxpost_testkit::Person::PASSWORD, "new_password": "another long password",
    });
    ana.put("/v1/me/password", &change).await.expect(204);
    socket.closed().await;
    phone.get("/v1/me").await.problem(ErrorCode::Unauthenticated);
    ana.get("/v1/me").await.expect(200);

    let url = format!("{}/v1/sessions", server.base());
    let old = serde_json::json!({"username": "ana", "password": voxpost_testkit::Person::PASSWORD});
    let new = serde_json::json!({"username": "ana", "password": "another long password"});
    let sign_in =
        |body: serde_json::Value| exchange(voxpost_testkit::client().request(Method::POST, &url).json(&body));
    sign_in(old).await.problem(ErrorCode::Unauthenticated);
    sign_in(new).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_dies_with_the_account_it_was_made_for() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let group = ana.group("radio", &[&ben]).await;
    let message = ana.say(group.id, &Clip::webm(1.0, 440)).await;
    let seen: voxpost_proto::api::Message = ben
        .get(&format!("/v1/messages/{}", message.id))
        .await
        .expect(200)
        .json();
    let url = format!("{}{}", server.base(), seen.audio.expect("sound").url);
    exchange(voxpost_testkit::client().get(&url)).await.expect(200);
    exchange(
        ben.request(Method::DELETE, "/v1/me")
            .json(&serde_json::json!({"password": voxpost_testkit::Person::PASSWORD})),
    )
    .await
    .expect(204);
    let answer = exchange(voxpost_testkit::client().get(&url)).await;
    assert!(matches!(answer.status, 401 | 403 | 404), "{}", answer.status);
}
