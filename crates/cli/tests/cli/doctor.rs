//! `voxpost doctor`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use voxpost_testkit::Clip;

use crate::shell::Shell;
use crate::{exit, server};

fn statuses(lines: &[Value]) -> Vec<(&str, &str)> {
    lines
        .iter()
        .map(|line| (line["check"].as_str().unwrap(), line["status"].as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_passes_every_check() {
    let server = server().await;
    let shell = Shell::signed_up(&server, "ana").await;
    let ran = shell.run(&["doctor", "--json"]).await.expect_code(exit::OK);
    let lines = ran.lines();
    let expected = [
        "reachable",
        "tls",
        "ready",
        "clock",
        "version",
        "session",
        "socket",
    ]
    .map(|check| (check, "ok"));
    assert_eq!(statuses(&lines), expected, "{}", ran.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_looked_through_and_what_is_left_over_is_removed_on_demand() {
    let server = server().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    ana.run(&["send", "a.webm", "--to", "ben"])
        .await
        .expect_code(exit::OK);
    let stopped = server.stop().await;
    let dir = stopped.data_dir().to_str().unwrap();
    let doctor = ["doctor", "--data-dir", dir, "--json"];
    let shell = Shell::new();
    let lines = shell.run(&doctor).await.expect_code(exit::OK).lines();
    for check in ["database", "sound", "order", "left over"] {
        assert!(statuses(&lines).contains(&(check, "ok")), "{check}: {lines:?}");
    }
    // How much room and how fast a disk this machine has is not ours to say.
    for check in ["permissions", "space", "fsync"] {
        assert!(
            statuses(&lines)
                .iter()
                .any(|(name, status)| *name == check && *status != "failed"),
            "{lines:?}"
        );
    }

    std::fs::write(stopped.data_dir().join("staging").join("left-over"), "x").unwrap();
    let lines = shell.run(&doctor).await.expect_code(exit::OK).lines();
    assert!(statuses(&lines).contains(&("left over", "warning")), "{lines:?}");
    shell
        .run(&[&doctor[..], &["--repair"]].concat())
        .await
        .expect_code(exit::OK);
    assert!(!stopped.data_dir().join("staging").join("left-over").exists());

    let object = sound_file(stopped.data_dir());
    std::fs::remove_file(object).unwrap();
    let ran = shell.run(&doctor).await.expect_code(exit::FILE);
    assert!(
        statuses(&ran.lines()).contains(&("sound", "failed")),
        "{}",
        ran.text()
    );
}

/// The one stored sound of a data directory.
fn sound_file(dir: &Path) -> PathBuf {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if std::fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"OggS")) {
                return path;
            }
        }
    }
    panic!("there is no sound in {}", dir.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_is_told_and_the_rest_is_checked() {
    let server = server().await;
    let ran = Shell::new()
        .run(&["doctor", "--url", server.base()])
        .await
        .expect_code(exit::OK);
    assert!(
        ran.text().contains("warning") && ran.text().contains("voxpost login"),
        "{}",
        ran.text()
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let shell = Shell::new();
    let ran = shell
        .run(&["doctor", "--url", "http://127.0.0.1:9", "--json"])
        .await
        .expect_code(exit::UNREACHABLE);
    assert_eq!(statuses(&ran.lines()), [("reachable", "failed")]);
    assert_eq!(ran.error()["exit"], 6);
    shell.run(&["doctor"]).await.expect_code(exit::USAGE);
    shell
        .run(&["doctor", "--data-dir", "/no/such/directory"])
        .await
        .expect_code(exit::FILE);
}
