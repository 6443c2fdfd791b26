//! How the server starts, listens and stops.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use voxpost_proto::ErrorCode;
use voxpost_testkit::{Server, client, exchange, patiently};

use crate::{options, server};

const PASSWORD: &str = "correct horse battery staple";

async fn connect(server: &Server) -> TcpStream {
    let address = server.base().strip_prefix("http://").expect("plain HTTP");
    TcpStream::connect(address).await.expect("it listens")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// What the binary says on standard error when it ends by itself; empty when it succeeds.
async fn refusal(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_voxpost"))
        .arg("serve")
        .args(args)
        .stdin(Stdio::null())
        .output();
    let output = patiently("the refusal", output).await.expect("it runs");
    assert!(output.stdout.is_empty());
    if output.status.success() {
        String::new()
    } else {
        String::from_utf8(output.stderr).expect("UTF-8")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_file_is_obeyed_and_the_environment_wins_over_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("voxpost.toml");
    std::fs::write(
        &file,
        "sign_up = 'closed'\nmax_duration_ms = 61000\nmax_multipart_bytes = 1000000\n",
    )
    .expect("written");
    let server = options()
        .arg("--config")
        .arg(file.display().to_string())
        .env("VOXPOST_MAX_MULTIPART_BYTES", "2000000")
        .start()
        .await;
    let config = exchange(client().get(format!("{}/v1/config", server.base())))
        .await
        .expect(200);
    let config: serde_json::Value = config.json();
    assert_eq!(config["sign_up"], "closed");
    assert_eq!(config["max_duration_ms"], 61_000);
    assert_eq!(config["max_multipart_bytes"], 2_000_000);
    let body = json!({"username": "ana", "password": PASSWORD});
    let sign_up = client()
        .post(format!("{}/v1/accounts", server.base()))
        .json(&body);
    exchange(sign_up).await.problem(ErrorCode::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_file_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("voxpost.toml");
    let path = file.display().to_string();
    for (text, named) in [
        ("listn = 'x'", "listn"),
        ("rate_requests = 'many'", "--rate-requests"),
        ("= 1", "line 1"),
    ] {
        std::fs::write(&file, text).expect("written");
        let told = refusal(&["--config", &path]).await;
        assert!(told.contains(&path) && told.contains(named), "{text}: {told}");
    }
    let told = refusal(&["--config", "/nowhere/voxpost.toml"]).await;
    assert!(told.contains("/nowhere/voxpost.toml"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_configuration_starts_a_server_when_it_is_uncommented() {
    let output = Command::new(env!("CARGO_BIN_EXE_voxpost"))
        .args(["serve", "--example-config"])
        .output();
    let output = output.await.expect("it runs");
    let example = String::from_utf8(output.stdout).expect("UTF-8");
    let settings: String = example
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        // The tables at the end show what could be, not what is.
        .take_while(|line| !line.starts_with("[["))
        // What has no default shows as empty; the others are given by the test itself, or not at all by default.
        .filter(|line| line.contains(" = ") && !line.starts_with(' ') && !line.ends_with("\"\""))
        .filter(|line| !["listen", "data_dir", "tls"].contains(&line.split(' ').next().unwrap_or_default()))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(settings.contains("rate_requests = 100"), "{settings}");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("voxpost.toml");
    std::fs::write(&file, settings).expect("written");
    let server = options()
        .arg("--config")
        .arg(file.display().to_string())
        .start()
        .await;
    exchange(client().get(format!("{}/readyz", server.base())))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_bound_are_closed_and_others_go_on() {
    let server = options().arg("--max-connections=2").start().await;
    let mut held = connect(&server).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    held.write_all(request).await.expect("sent");
    let mut first = [0; 15];
    patiently("an answer", held.read_exact(&mut first))
        .await
        .expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut second = connect(&server).await;
    second.write_all(request).await.expect("sent");
    patiently("an answer", second.read_exact(&mut first))
        .await
        .expect("an answer");
    let mut third = connect(&server).await;
    let mut rest = Vec::new();
    match patiently("the end of the third", third.read_to_end(&mut rest)).await {
        Ok(_) => assert!(rest.is_empty()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    drop(second);
    // Its place is free as soon as the server has seen the end.
    patiently("a free place", async {
        loop {
            let mut again = connect(&server).await;
            let _ = again.write_all(request).await;
            if again.read_exact(&mut first).await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_ends_its_request_does_not_hold_up_a_stop() {
    let server = options().arg("--shutdown-grace-ms=300").start().await;
    let ana = server.person("ana").await;
    let mut slow = connect(&server).await;
    slow.write_all(b"POST /v1/conversations HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\ncontent-type: application/json\r\n")
        .await
        .expect("sent");
    slow.write_all(format!("authorization: Bearer {}\r\n\r\n{{", ana.token).as_bytes())
        .await
        .expect("sent");
    // Its request is being read once another one was answered.
    ana.get("/v1/me").await.expect(200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_an_allowed_site_may_use_the_server_and_those_of_others_may_not() {
    let server = options()
        .arg("--allowed-origin=https://app.example")
        .start()
        .await;
    let url = format!("{}/v1/me", server.base());
    let preflight = async |origin: &str| {
        let request = client()
            .request(reqwest::Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization,idempotency-key");
        exchange(request).await
    };
    let answer = preflight("https://app.example").await.expect(200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    let answer = preflight("https://evil.example").await;
    assert!(answer.headers.get("access-control-allow-origin").is_none());
    let refused = exchange(client().get(&url).header("origin", "https://app.example")).await;
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://app.example"
    );
    refused.problem(ErrorCode::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_allowed_sites_no_page_of_another_site_is_told_that_it_may() {
    let server = server().await;
    let request = client()
        .get(format!("{}/v1/config", server.base()))
        .header("origin", "https://evil.example");
    let answer = exchange(request).await.expect(200);
    assert!(answer.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit_and_nobody_can_pose_as_one() {
    let sign_up = async |server: &Server, name: &str, forwarded: &str| {
        let body = json!({"username": name, "password": PASSWORD});
        let request = client()
            .post(format!("{}/v1/accounts", server.base()))
            .header("x-forwarded-for", forwarded)
            .json(&body);
        exchange(request).await
    };
    let limited = || options().env("VOXPOST_RATE_SIGN_UPS", "1");
    let behind = limited().arg("--trusted-proxy=127.0.0.0/8").start().await;
    sign_up(&behind, "ana", "198.51.100.1").await.expect(201);
    sign_up(&behind, "ben", "198.51.100.2").await.expect(201);
    sign_up(&behind, "eva", "9.9.9.9, 198.51.100.2")
        .await
        .problem(ErrorCode::RateLimited);
    let open = limited().start().await;
    sign_up(&open, "ana", "198.51.100.1").await.expect(201);
    sign_up(&open, "ben", "198.51.100.2")
        .await
        .problem(ErrorCode::RateLimited);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_figures_and_people_do_not() {
    let port = free_port();
    let server = options().arg(format!("--ops-listen={port}")).start().await;
    let ana = server.person("ana").await;
    ana.get("/v1/me").await.expect(200);
    exchange(client().get(format!("{}/v1/me", server.base())))
        .await
        .problem(ErrorCode::Unauthenticated);
    let metrics = exchange(client().get(format!("http://127.0.0.1:{port}/metrics")))
        .await
        .expect(200);
    let text = String::from_utf8(metrics.body).expect("UTF-8");
    for expected in [
        "voxpost_build_info{",
        "voxpost_http_requests_total{route=\"/v1/me\",status=\"200\"} 1",
        "voxpost_problems_total{code=\"unauthenticated\"} 1",
        "voxpost_commit_seconds_count",
        "voxpost_connections_open",
        "process_resident_memory_bytes",
        "# HELP voxpost_commit_seconds",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
    exchange(client().get(format!("{}/metrics", server.base())))
        .await
        .problem(ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait_for_requests() {
    let server = options().arg("--shutdown-grace-ms=3600000").start().await;
    let ana = server.person("ana").await;
    let mut slow = connect(&server).await;
    let head = format!(
        "POST /v1/conversations HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\nauthorization: Bearer {}\r\n\r\n{{",
        ana.token
    );
    slow.write_all(head.as_bytes()).await.expect("sent");
    ana.get("/v1/me").await.expect(200);
    let pid = server.pid().to_string();
    let interrupt = || std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(interrupt().expect("kill exists").success());
    patiently("the server to say that it stops", async {
        while !server.log().contains("a second signal stops at once") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.stop().await;
}
