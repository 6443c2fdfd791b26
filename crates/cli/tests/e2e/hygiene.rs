//! What every answer looks like, also to requests that nobody should send.

use voxpost_proto::ErrorCode;
use voxpost_testkit::{Answer, Clip, Voice, client, exchange};

use crate::{options, server};

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_with_a_strict_policy() {
    let server = server().await;
    for path in ["/", "/docs"] {
        let page = exchange(client().get(format!("{}{path}", server.base())))
            .await
            .expect(200);
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src"), "{path}: {policy}");
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors"), "{path}: {policy}");
        let html = String::from_utf8(page.body).expect("UTF-8");
        assert!(
            !html.contains("<script>") && !html.contains(" onclick="),
            "{path} has scripts inline"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_with_a_code() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let base = server.base();
    let raw = async |path: &str, body: &'static str| -> Answer {
        let request = ana.request(reqwest::Method::POST, path);
        exchange(request.header("content-type", "application/json").body(body)).await
    };
    ana.get("/v1/no-such-thing").await.problem(ErrorCode::NotFound);
    ana.get("/v1/conversations/not-a-uuid")
        .await
        .problem(ErrorCode::NotFound);
    ana.delete("/v1/config")
        .await
        .problem(ErrorCode::MethodNotAllowed);
    raw("/v1/conversations", "{")
        .await
        .problem(ErrorCode::InvalidRequest);
    raw("/v1/conversations", "[]")
        .await
        .problem(ErrorCode::InvalidRequest);
    raw("/v1/conversations", r#"{"kind":"trio","members":[]}"#)
        .await
        .problem(ErrorCode::InvalidRequest);
    raw(
        "/v1/conversations",
        r#"{"kind":"direct","members":["nobody-of-that-name"]}"#,
    )
    .await
    .problem(ErrorCode::NotFound);
    raw(
        "/v1/conversations",
        r#"{"kind":"direct","members":["ben","ana"]}"#,
    )
    .await
    .problem(ErrorCode::InvalidRequest);
    let short = serde_json::json!({"username": "x", "password": "short"});
    exchange(client().post(format!("{base}/v1/accounts")).json(&short))
        .await
        .problem(ErrorCode::InvalidRequest);
    let taken = serde_json::json!({"username": "ANA", "password": "long enough to be one"});
    exchange(client().post(format!("{base}/v1/accounts")).json(&taken))
        .await
        .problem(ErrorCode::Conflict);
    let wrong = serde_json::json!({"username": "ana", "password": "long enough but wrong"});
    let unknown = serde_json::json!({"username": "nobody", "password": "long enough but wrong"});
    let wrong = exchange(client().post(format!("{base}/v1/sessions")).json(&wrong)).await;
    let unknown = exchange(client().post(format!("{base}/v1/sessions")).json(&unknown)).await;
    wrong.problem(ErrorCode::Unauthenticated);
    assert_eq!(wrong.body, unknown.body, "the answer tells whether a name exists");

    let conversation = ana.talk_to(&ben).await.id;
    let path = format!("/v1/conversations/{conversation}/messages");
    ana.get(&format!("{path}?limit=9999999")).await;
    ana.get(&format!("{path}?limit=x"))
        .await
        .problem(ErrorCode::InvalidRequest);
    ana.get(&format!("{path}?after=x"))
        .await
        .problem(ErrorCode::InvalidRequest);
    raw(&path, "{}").await.problem(ErrorCode::InvalidRequest);
    let seq = serde_json::json!({"seq": -1});
    ana.put(&format!("/v1/conversations/{conversation}/read"), &seq)
        .await
        .problem(ErrorCode::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_over_the_limit_is_refused_by_its_length_and_at_the_first_byte_over() {
    let server = options()
        .env("VOXPOST_MAX_MULTIPART_BYTES", (1 << 20).to_string())
        .start()
        .await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await.id;
    let config: voxpost_proto::api::ServerConfig =
        exchange(client().get(format!("{}/v1/config", server.base())))
            .await
            .expect(200)
            .json();
    assert_eq!(config.max_multipart_bytes, 1 << 20);

    // Declared: the answer comes although not a byte of the body was sent.
    let address = server.base().trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /v1/conversations/{conversation}/messages HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 99000000\r\n\r\n",
        ana.token
    );
    let mut stream = tokio::net::TcpStream::connect(&address)
        .await
        .expect("it listens");
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes())
        .await
        .expect("it reads");
    let mut start = [0; 12];
    let read = tokio::io::AsyncReadExt::read_exact(&mut stream, &mut start);
    voxpost_testkit::patiently("a refusal by length", read)
        .await
        .expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 413");

    // Undeclared: chunked, and without end.
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 64 << 10]));
    let opening = b"--b\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a\"\r\n\r\n".to_vec();
    let opening = futures_util::stream::iter([Ok(opening)]);
    let body = reqwest::Body::wrap_stream(futures_util::StreamExt::chain(opening, endless));
    let request = ana
        .request(
            reqwest::Method::POST,
            &format!("/v1/conversations/{conversation}/messages"),
        )
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body);
    // The server may close before the client has read; an answer, when there is one, is the right one.
    match voxpost_testkit::patiently("an end", voxpost_testkit::try_exchange(request)).await {
        Ok(answer) => drop(answer.problem(ErrorCode::AudioTooLarge)),
        Err(error) => assert!(error.is_request() || error.is_body(), "{error}"),
    }

    let exactly = Voice {
        bytes: vec![0; 1 << 20],
        ..Voice::of(&Clip { bytes: Vec::new() })
    };
    let answer = ana.send(conversation, &exactly).await;
    assert_ne!(
        answer.status,
        413,
        "the limit is the file's, not the request's: {}",
        answer.text()
    );
    assert!(server.resident_kib() < 200 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_the_loopback_sign_up_needs_an_invite() {
    let server = options().listen("0.0.0.0:0").start().await;
    let config: voxpost_proto::api::ServerConfig =
        exchange(client().get(format!("{}/v1/config", server.base())))
            .await
            .expect(200)
            .json();
    assert_eq!(config.sign_up, "invite");
    let body = serde_json::json!({"username": "ana", "password": "long enough to be one"});
    let answer = exchange(
        client()
            .post(format!("{}/v1/accounts", server.base()))
            .json(&body),
    )
    .await;
    answer.problem(ErrorCode::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sign_ups_from_one_address_are_slowed_down() {
    let server = voxpost_testkit::ServerOptions::new(env!("CARGO_BIN_EXE_voxpost"))
        .start()
        .await;
    let mut limited = None;
    for n in 0..100 {
        let body = serde_json::json!({"username": format!("bot{n}"), "password": "long enough to be one"});
        let answer = exchange(
            client()
                .post(format!("{}/v1/accounts", server.base()))
                .json(&body),
        )
        .await;
        if answer.status != 201 {
            limited = Some((n, answer));
            break;
        }
    }
    let (n, answer) = limited.expect("a limit");
    assert!((30..60).contains(&n), "after {n} sign-ups");
    let problem = answer.problem(ErrorCode::RateLimited);
    let seconds: u64 = answer
        .header("retry-after")
        .parse()
        .expect("Retry-After in seconds");
    assert!((1..=60).contains(&seconds));
    assert_eq!(problem.retry_after, Some(seconds));
}
