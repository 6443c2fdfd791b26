//! `voxpost bench` at its smallest: every figure is there and makes sense. How good they are is for docs/benchmarks.md.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;
use voxpost_testkit::patiently;

use crate::{options, server};

async fn bench(arguments: &[&str]) -> Output {
    let child = Command::new(env!("CARGO_BIN_EXE_voxpost"))
        .arg("bench")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    patiently("the measurement", child.wait_with_output())
        .await
        .expect("it runs")
}

async fn figures(arguments: &[&str]) -> Value {
    let output = bench(arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// A figure by its path, such as `/closed/latency/p99_ms`.
fn number(figures: &Value, path: &str) -> f64 {
    let number = figures.pointer(path).and_then(Value::as_f64);
    number.unwrap_or_else(|| panic!("{path} is no number in {figures}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_is_measured_against_a_server_of_its_own() {
    let small = [
        "ingest",
        "--connections",
        "2",
        "--seconds",
        "1",
        "--analysed",
        "3",
    ];
    let figures = figures(&[&small[..], &["--json"]].concat()).await;
    for path in [
        "/fsync_before/p50_ms",
        "/ffmpeg/remux/p50_ms",
        "/ffmpeg/transcode/p99_ms",
        "/rss_idle_bytes",
        "/delivery/p50_ms",
        "/delivery/p99_ms",
        "/analysis/clips_per_second",
        "/closed/accepted_per_second",
        "/closed/latency/p99_ms",
        "/open/latency/p50_ms",
        "/open/server_rss_max_bytes",
        "/open/server_cpu_seconds",
    ] {
        assert!(number(&figures, path) > 0.0, "{path}: {figures}");
    }
    for load in ["closed", "open"] {
        assert_eq!(figures[load]["refused"], serde_json::json!({}), "{figures}");
    }
    // The open loop sends half of what the closed one reached, and all of it arrives.
    let due = number(&figures, "/open/asked_per_second").ceil();
    assert_eq!(number(&figures, "/open/accepted"), due, "{figures}");
    assert!(
        due <= number(&figures, "/closed/accepted_per_second"),
        "{figures}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_measured_and_the_table_names_its_aims() {
    let small = ["socket", "--sockets", "40", "--people", "4", "--events", "2"];
    let found = figures(&[&small[..], &["--json"]].concat()).await;
    assert_eq!(number(&found, "/sockets"), 40.0);
    assert_eq!(number(&found, "/last_after_send/count"), 2.0);
    assert!(number(&found, "/last_after_send/max_ms") >= number(&found, "/first_to_last/max_ms"));
    assert!(number(&found, "/rss_after_bytes") > 1e6, "{found}");

    let output = bench(&small).await;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{table}");
    for line in [
        "memory for each socket",
        "aim 8 KiB",
        "from sending to the last",
        "aim 100 ms",
    ] {
        assert!(table.contains(line), "{line} is not in:\n{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_listeners_are_measured_with_the_events_that_they_cause() {
    let small = ["playback", "--listeners", "20", "--people", "4", "--every", "1"];
    let small = [&small[..], &["--seconds", "1", "--connections", "2", "--json"]].concat();
    let found = figures(&small).await;
    assert_eq!(number(&found, "/open/reports"), 20.0, "{found}");
    for load in ["open", "closed"] {
        assert_eq!(found[load]["refused"], serde_json::json!({}), "{found}");
        let reports = number(&found, &format!("/{load}/reports"));
        assert!(reports >= 20.0, "{found}");
        assert_eq!(
            number(&found, &format!("/{load}/events/count")),
            reports,
            "{found}"
        );
        assert!(number(&found, &format!("/{load}/server_cores")) > 0.0, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_server_elsewhere_only_what_can_be_seen_from_here_is_measured() {
    let server = server().await;
    let small = [
        "socket",
        "--sockets",
        "10",
        "--people",
        "3",
        "--events",
        "1",
        "--json",
    ];
    let found = figures(&[&small[..], &["--url", server.base()]].concat()).await;
    assert!(number(&found, "/last_after_send/p50_ms") > 0.0);
    for unseen in ["bytes_per_socket", "rss_after_bytes", "server_cpu_seconds"] {
        assert!(found[unseen].is_null(), "{found}");
    }
    let watcher = server.person("watcher").await;
    let left: Value = watcher.get("/v1/users?query=bench").await.expect(200).json();
    assert_eq!(left["items"], serde_json::json!([]), "nobody is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_measured_is_said_before_anything_is_started() {
    let https = bench(&["ingest", "--url", "https://voice.example"]).await;
    assert_eq!(https.status.code(), Some(2));
    let said = String::from_utf8_lossy(&https.stderr).into_owned();
    assert!(said.contains("plain HTTP"), "{said}");
    let both = bench(&["socket", "--url", "http://127.0.0.1:1", "--dir", "/tmp"]).await;
    assert_eq!(both.status.code(), Some(2));

    let limited = options().env("VOXPOST_RATE_SIGN_UPS", "1").start().await;
    let output = bench(&["socket", "--url", limited.base(), "--people", "9", "--json"]).await;
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("rate_limited"), "{said}");
}
