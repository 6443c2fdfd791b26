//! Sending, listing and downloading.

use serde_json::Value;
use voxpost_testkit::Clip;

use crate::shell::Shell;
use crate::{exit, options, server};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_sends_the_other_lists_and_downloads_packet_for_packet() {
    let server = server().await;
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let clip = Clip::webm(3.0, 300);
    ana.write("note.webm", &clip.bytes);
    let args = [
        "send",
        "note.webm",
        "--to",
        "ben",
        "--caption",
        "listen",
        "--json",
    ];
    let sent = ana.run(&args).await.expect_code(exit::OK).object();
    assert_eq!(
        (sent["file"].as_str(), sent["message"]["state"].as_str()),
        (Some("note.webm"), Some("ready"))
    );

    let conversation = ben.run(&["inbox", "--json"]).await.expect_code(exit::OK).object();
    assert_eq!(conversation["unread_count"], 1);
    let message = ben
        .run(&["inbox", "ana", "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    assert_eq!(message["id"], sent["message"]["id"]);
    assert_eq!(message["caption"], "listen");
    let text = ben
        .run(&["inbox", "ana", "--mark-read"])
        .await
        .expect_code(exit::OK)
        .text();
    let id = message["id"].as_str().unwrap();
    assert!(
        text.contains("0:03") && text.contains(id) && text.contains("listen"),
        "{text}"
    );
    let conversation = ben.run(&["inbox", "--json"]).await.object();
    assert_eq!(conversation["unread_count"], 0);

    let got = ben
        .run(&["get", id, "-o", "note.ogg", "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    let stored = Clip {
        bytes: ben.read("note.ogg"),
    };
    assert_eq!(got["size_bytes"].as_u64(), Some(stored.bytes.len() as u64));
    assert_eq!(got["sha256"], message["audio"]["sha256"]);
    assert_eq!(stored.probe().hashes(), clip.probe().hashes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_overwrites_nothing_unless_forced_and_can_go_to_standard_output() {
    let server = server().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let id = send_one(&ana).await;
    ana.write("taken.ogg", b"mine");
    let ran = ana
        .run(&["get", &id, "-o", "taken.ogg"])
        .await
        .expect_code(exit::FILE);
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(ana.read("taken.ogg"), b"mine");
    ana.run(&["get", &id, "-o", "taken.ogg", "--force"])
        .await
        .expect_code(exit::OK);
    let whole = ana
        .run(&["get", &id, "-o", "-"])
        .await
        .expect_code(exit::OK)
        .stdout;
    assert!(whole.starts_with(b"OggS"));
    assert_eq!(ana.read("taken.ogg"), whole);

    let named = ana.run(&["get", &id]).await.expect_code(exit::OK).text();
    let name = named.split("  ").next().unwrap();
    assert!(name.ends_with("-ana.ogg"), "{named}");
    assert_eq!(ana.read(name), whole);
    ana.run(&["get", &id]).await.expect_code(exit::FILE);
    ana.run(&["get", &id, "-o", "no/such/dir/x.ogg"])
        .await
        .expect_code(exit::FILE);
    let left = std::fs::read_dir(ana.path(".")).unwrap().count();
    assert_eq!(
        left, 5,
        "configuration, state, the clip and two downloads: no half file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_of_a_message_can_be_fetched_and_opus_keeps_its_packets() {
    let server = server().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let id = send_one(&ana).await;
    let mut hashes = Vec::new();
    for format in ["ogg", "webm", "mp4", "wav"] {
        let file = format!("note.{format}");
        let arguments = ["get", &id, "--format", format, "-o", &file, "--json"];
        let got = ana.run(&arguments).await.expect_code(exit::OK).object();
        let clip = Clip {
            bytes: ana.read(&file),
        };
        assert_eq!(got["size_bytes"].as_u64(), Some(clip.bytes.len() as u64));
        if format != "wav" {
            assert!(got["type"].as_str().unwrap().ends_with("codecs=opus"));
            let found = clip.probe();
            hashes.push(found.hashes().into_iter().map(str::to_owned).collect::<Vec<_>>());
        }
    }
    assert!(hashes.iter().all(|packets| *packets == hashes[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_message_is_not_found_and_an_unknown_format_names_its_flag() {
    let server = server().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let nobody = "01920000-0000-7000-8000-000000000000";
    let error = ana
        .run(&["get", nobody, "--json"])
        .await
        .expect_code(exit::NOT_FOUND)
        .error();
    assert_eq!(error["code"], "not_found");
    let id = send_one(&ana).await;
    let ran = ana
        .run(&["get", &id, "--format", "8-track"])
        .await
        .expect_code(exit::USAGE);
    assert!(
        ran.stderr.contains("--format") && ran.stderr.contains("ogg"),
        "{}",
        ran.stderr
    );
    ana.run(&["get", "seventeen"]).await.expect_code(exit::USAGE);
    ana.run(&["inbox", "nobody"]).await.expect_code(exit::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_files_the_good_ones_are_sent_and_the_bad_one_decides_the_exit_code() {
    let server = server().await;
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    ana.write("b.txt", b"this is no sound at all, whatever its name may be");
    ana.write("c.webm", &Clip::webm(1.0, 500).bytes);
    let ran = ana
        .run(&["send", "a.webm", "b.txt", "c.webm", "--to", "@Ben", "--json"])
        .await;
    let ran = ran.expect_code(exit::REFUSED);
    let mut lines = ran.lines();
    lines.sort_by_key(|line| line["file"].to_string());
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["error"]["code"], "audio_unrecognised");
    assert!(lines[0]["message"]["id"].is_string() && lines[2]["message"]["id"].is_string());
    assert_eq!(
        ben.run(&["inbox", "ana", "--json"])
            .await
            .expect_code(exit::OK)
            .lines()
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_there_stops_everything_before_anything_is_sent() {
    let server = server().await;
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    let ran = ana
        .run(&["send", "a.webm", "gone.webm", "--to", "ben"])
        .await
        .expect_code(exit::FILE);
    assert!(ran.stderr.contains("gone.webm"), "{}", ran.stderr);
    ana.run(&["send", ".", "--to", "ben"])
        .await
        .expect_code(exit::FILE);
    assert!(
        ben.run(&["inbox", "--json"])
            .await
            .expect_code(exit::OK)
            .lines()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_can_come_from_standard_input_and_answer_another_message() {
    let server = server().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let first = send_one(&ana).await;
    let clip = Clip::webm(1.0, 700);
    let args = ["send", "-", "--to", "ben", "--reply-to", &first, "--json"];
    let sent = ana
        .run_with_input(&args, &clip.bytes)
        .await
        .expect_code(exit::OK)
        .object();
    assert_eq!(sent["message"]["reply_to"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_of_that_name_is_not_found_and_too_large_a_file_is_refused_with_the_limit() {
    let server = options().arg("--max-audio-bytes").arg("20000").start().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    ana.run(&["send", "a.webm", "--to", "nobody"])
        .await
        .expect_code(exit::NOT_FOUND);
    ana.write("big.webm", &vec![0; 30_000]);
    let error = ana
        .run(&["send", "big.webm", "--to", "ben", "--json"])
        .await
        .expect_code(exit::REFUSED)
        .error();
    assert_eq!(error["code"], "audio_too_large");
    assert!(error["message"].as_str().unwrap().contains("19.5 KiB"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caption_cannot_turn_the_line_that_it_stands_in_around() {
    let server = server().await;
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    ana.run(&[
        "send",
        "a.webm",
        "--to",
        "ben",
        "--caption",
        "\u{202e}olleh\u{202c} hello",
    ])
    .await
    .expect_code(exit::OK);
    let text = ben.run(&["inbox", "ana"]).await.expect_code(exit::OK).text();
    assert!(
        text.contains("hello") && !text.contains(['\u{202e}', '\u{202c}']),
        "{text:?}"
    );
}

async fn send_one(shell: &Shell) -> String {
    shell.write("one.webm", &Clip::webm(1.0, 600).bytes);
    let sent: Value = shell
        .run(&["send", "one.webm", "--to", "ben", "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    sent["message"]["id"].as_str().unwrap().to_owned()
}
