//! `--json`: what scripts read, for every command.

use serde_json::Value;
use voxpost_testkit::{Clip, patiently};

use crate::shell::{Shell, interrupt};
use crate::{exit, server};

#[track_caller]
fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "{field} is not in {object}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_objects_with_the_documented_fields_and_nothing_else() {
    let server = server().await;
    let ben = Shell::signed_up(&server, "ben").await;
    let ana = Shell::new();
    let login = ana.login(&server, "ana", &["--sign-up", "--json"]).await;
    has(&login.expect_code(exit::OK).object(), &["url", "user"]);
    let json = async |args: &[&str]| {
        let ran = ana.run(&[args, &["--json"]].concat()).await.expect_code(exit::OK);
        assert_eq!(ran.stderr, "", "{args:?}");
        ran
    };
    has(
        &json(&["whoami"]).await.object(),
        &["id", "username", "display_name", "accepts_voice", "locale", "url"],
    );
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    let sent = json(&["send", "a.webm", "--to", "ben"]).await.object();
    has(&sent, &["file", "message"]);
    let id = sent["message"]["id"].as_str().unwrap();
    has(
        &json(&["inbox"]).await.object(),
        &[
            "id",
            "kind",
            "members",
            "last_message",
            "unread_count",
            "unplayed_count",
        ],
    );
    has(
        &json(&["inbox", "ben"]).await.object(),
        &["id", "seq", "state", "audio"],
    );
    has(
        &json(&["get", id, "-o", "a.ogg"]).await.object(),
        &["message_id", "file", "type", "size_bytes", "sha256"],
    );
    has(
        &json(&["inspect", "a.ogg"]).await.object(),
        &[
            "container",
            "codec",
            "mime",
            "duration_ms",
            "channels",
            "waveform",
            "loudness_lufs",
            "speech",
        ],
    );
    for check in json(&["doctor"]).await.lines() {
        has(&check, &["check", "status", "detail"]);
    }
    let data_dir = server.data_dir().to_str().unwrap();
    has(
        &json(&["invite", "--data-dir", data_dir]).await.object(),
        &["code", "expires_at"],
    );

    let now: Value = server
        .person("observer")
        .await
        .get("/v1/sync")
        .await
        .expect(200)
        .json();
    let token = now["token"].as_str().unwrap();
    let watching = ["inbox", "--watch", "--json", "--since", token];
    let mut watch = ana.command(&watching).spawn().expect("it starts");
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(watch.stdout.take().expect("piped")));
    ben.write("b.webm", &Clip::webm(1.0, 500).bytes);
    ben.run(&["send", "b.webm", "--to", "ana"])
        .await
        .expect_code(exit::OK);
    let Some(line) = patiently("an event", lines.next_line()).await.unwrap() else {
        panic!("it goes on: {:?}", watch.wait_with_output().await);
    };
    has(
        &serde_json::from_str(&line).unwrap(),
        &["type", "token", "conversation_id"],
    );
    interrupt(&watch);
    assert_eq!(
        patiently("its end", watch.wait()).await.unwrap().code(),
        Some(exit::INTERRUPTED)
    );

    has(&json(&["logout"]).await.object(), &["url", "user"]);
}

#[tokio::test]
async fn every_failure_is_one_object_on_standard_error() {
    let shell = Shell::new();
    shell.write("a.txt", b"words and no sound");
    let id = "01920000-0000-7000-8000-000000000000";
    let nowhere = "http://127.0.0.1:9";
    for (args, code, word) in [
        (&["whoami"][..], exit::NOT_SIGNED_IN, "not_signed_in"),
        (&["logout"], exit::NOT_SIGNED_IN, "not_signed_in"),
        (
            &["send", "a.txt", "--to", "ben"],
            exit::NOT_SIGNED_IN,
            "not_signed_in",
        ),
        (&["inbox"], exit::NOT_SIGNED_IN, "not_signed_in"),
        (&["get", id], exit::NOT_SIGNED_IN, "not_signed_in"),
        (&["inspect", "a.txt"], exit::FILE, "no_sound"),
        (&["inspect", "gone"], exit::FILE, "file"),
        (&["doctor"], exit::USAGE, "usage"),
        (&["doctor", "--url", nowhere], exit::UNREACHABLE, "unreachable"),
        (&["invite", "--data-dir", "gone"], exit::FILE, "file"),
        (&["bench", "socket", "--url", "https://x"], exit::USAGE, "usage"),
        (
            &["login", nowhere, "ana", "--password-stdin"],
            exit::UNREACHABLE,
            "unreachable",
        ),
        // What the command line itself makes no sense of.
        (&["send"], exit::USAGE, "usage"),
        (&["get", "seventeen"], exit::USAGE, "usage"),
        (&["nonsense"], exit::USAGE, "usage"),
        (&["completions", "tcsh"], exit::USAGE, "usage"),
        (&["serve", "--listen", "nowhere"], exit::USAGE, "usage"),
    ] {
        let ran = shell
            .run_with_input(&[args, &["--json"]].concat(), b"a password\n")
            .await;
        let ran = ran.expect_code(code);
        let error = ran.error();
        assert_eq!(error["code"], word, "{args:?}");
        assert_eq!(error["exit"].as_i64(), Some(i64::from(code)), "{args:?}");
        assert!(
            error["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{args:?}"
        );
        let no_line = args[0] != "doctor" || code == exit::USAGE;
        assert!(!no_line || ran.stdout.is_empty(), "{args:?}: {}", ran.text());
    }
}
