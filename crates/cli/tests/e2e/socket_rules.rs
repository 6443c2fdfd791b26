//! Who gets a socket, and what it does with messages that nobody should send.

use voxpost_proto::ErrorCode;
use voxpost_proto::socket::ServerMessage;
use voxpost_testkit::{Socket, patiently};

use crate::server;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_from_the_header_or_the_second_subprotocol_and_never_echoed() {
    let server = server().await;
    let ana = server.person("ana").await;
    let base = server.base();
    let bearer = format!("Bearer {}", ana.token);
    let both = format!("voxpost.v1, bearer.{}", ana.token);

    let by_header = [
        ("authorization", bearer.as_str()),
        ("sec-websocket-protocol", "voxpost.v1"),
    ];
    assert_eq!(Socket::knock(base, &by_header).await.as_deref(), Ok("voxpost.v1"));
    let by_subprotocol = [("sec-websocket-protocol", both.as_str()), ("origin", base)];
    assert_eq!(
        Socket::knock(base, &by_subprotocol).await.as_deref(),
        Ok("voxpost.v1")
    );

    assert_eq!(
        Socket::knock(base, &[("sec-websocket-protocol", "voxpost.v1")]).await,
        Err(401)
    );
    let forged = [("sec-websocket-protocol", "voxpost.v1, bearer.AAAA")];
    assert_eq!(Socket::knock(base, &forged).await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_gets_no_socket() {
    let server = server().await;
    let ana = server.person("ana").await;
    let both = format!("voxpost.v1, bearer.{}", ana.token);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let headers = [("sec-websocket-protocol", both.as_str()), ("origin", origin)];
        assert_eq!(Socket::knock(server.base(), &headers).await, Err(403), "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_an_error_that_repeats_its_reference_and_the_socket_lives() {
    let server = server().await;
    let ana = server.person("ana").await;
    let mut socket = ana.socket().await;
    socket
        .say(&serde_json::json!({"type": "no.such.thing", "ref": "r1"}))
        .await;
    let problem = socket
        .wait_for("an error for r1", |message| match message {
            ServerMessage::Error { reference, problem } => {
                (reference.as_ref()? == "r1").then(|| problem.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!(problem.code, ErrorCode::InvalidRequest);

    let somewhere = voxpost_testkit::fresh_id();
    let typing = serde_json::json!({
        "type": "typing", "kind": "recording", "conversation_id": somewhere, "ref": 7,
    });
    socket.say(&typing).await;
    let problem = socket
        .wait_for("an error for 7", |message| match message {
            ServerMessage::Error { reference, problem } => {
                (reference.as_ref()? == 7).then(|| problem.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!(
        problem.code,
        ErrorCode::NotFound,
        "a conversation of others does not exist"
    );

    let ben = server.person("ben").await;
    ana.talk_to(&ben).await;
    socket.next_event().await.expect("it still lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_records_is_seen_by_the_others_and_not_kept() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let mut anas = ana.socket().await;
    let mut bens = ben.socket().await;
    anas.say(&serde_json::json!({"type": "typing", "kind": "recording", "conversation_id": conversation.id}))
        .await;
    let who = bens
        .wait_for("typing", |message| match message {
            ServerMessage::Ephemeral(voxpost_proto::socket::Ephemeral::Typing { user, .. }) => Some(user.id),
            _ => None,
        })
        .await;
    assert_eq!(who, ana.user.id);
    let page = ben.sync(&bens.token, 0).await;
    assert!(page.items.is_empty(), "what is ephemeral is not replayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_megabytes_ends_the_socket_and_not_the_server() {
    let server = server().await;
    let ana = server.person("ana").await;
    let before = server.resident_kib();
    for _ in 0..8 {
        let mut socket = ana.socket().await;
        let huge = serde_json::json!({"type": "hello", "since": "x".repeat(8 << 20)});
        // The server may close while this is still being sent.
        let _ = socket.send_frame(huge.to_string().into()).await;
        socket.closed().await;
    }
    assert!(
        server.resident_kib() < before + 48 * 1024,
        "{before} KiB, then {}",
        server.resident_kib()
    );
    patiently("the server to answer", ana.get("/v1/me"))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_token_that_nobody_gave_is_refused() {
    let server = server().await;
    let ana = server.person("ana").await;
    for token in [
        "x",
        "-1",
        "99999999999999999999999",
        "'; DROP TABLE events; --",
        "%00",
    ] {
        let answer = ana.get(&format!("/v1/sync?since={token}&wait_ms=0")).await;
        assert!(
            matches!(answer.status, 400 | 410),
            "{token}: {} {}",
            answer.status,
            answer.text()
        );
    }
    ana.get("/v1/sync?wait_ms=0").await;
    ana.get("/v1/me").await.expect(200);
}
