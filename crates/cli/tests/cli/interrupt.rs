//! Ctrl-C in the middle of a transfer: the code that shells know, and nothing half-made.

use std::time::Duration;

use voxpost_testkit::{Clip, Person, Proxy, Server, eventually, patiently};

use crate::shell::{Ran, Shell, interrupt};
use crate::{exit, server};

struct Scene {
    _server: Server,
    proxy: Proxy,
    ana: Person,
    ben: Person,
    shell: Shell,
}

/// Ana's shell behind a slow network.
async fn scene() -> Scene {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let proxy = Proxy::to(server.base()).await;
    let mut shell = Shell::new();
    shell.set("VOXPOST_URL", &proxy.base());
    shell.set("VOXPOST_TOKEN", &ana.token);
    proxy.slow_down(Duration::from_millis(50));
    Scene {
        _server: server,
        proxy,
        ana,
        ben,
        shell,
    }
}

/// Runs the command until `there`, then presses Ctrl-C.
async fn interrupted(shell: &Shell, args: &[&str], there: impl Fn() -> bool) -> Ran {
    let child = shell.command(args).spawn().expect("it starts");
    eventually("the transfer to be under way", async || there().then_some(())).await;
    interrupt(&child);
    let output = patiently("it to end", child.wait_with_output())
        .await
        .expect("it runs");
    Ran::of(args, output).expect_code(exit::INTERRUPTED)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_interrupted_was_never_sent_and_can_be_sent_again() {
    let Scene {
        proxy,
        ana,
        ben,
        shell,
        _server,
    } = scene().await;
    let conversation = ana.talk_to(&ben).await;
    let wav = ["-ar", "48000", "-ac", "1", "-f", "wav"];
    shell.write(
        "long.wav",
        &Clip::from_lavfi("sine=frequency=300:duration=60", &wav).bytes,
    );
    let send = ["send", "long.wav", "--to", "ben"];
    let ran = interrupted(&shell, &send, || proxy.bytes_up() > 200_000).await;
    assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("", ""));

    let before = proxy.bytes_up();
    let ran = interrupted(&shell, &[&send[..], &["--json"]].concat(), || {
        proxy.bytes_up() > before + 200_000
    })
    .await;
    assert_eq!(
        (ran.text().as_str(), &ran.error()["code"]),
        ("", &"interrupted".into())
    );

    proxy.slow_down(Duration::ZERO);
    shell.run(&send).await.expect_code(exit::OK);
    assert_eq!(ben.messages(conversation.id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_interrupted_leaves_no_file() {
    let Scene {
        proxy,
        ana,
        ben,
        shell,
        _server,
    } = scene().await;
    let conversation = ana.talk_to(&ben).await;
    let message = ben
        .say(conversation.id, &Clip::webm(120.0, 200))
        .await
        .id
        .to_string();
    let get = ["get", &message, "-o", "note.ogg"];
    // More than the message itself takes to be told of.
    interrupted(&shell, &get, || proxy.bytes_down() > 60_000).await;
    let left: Vec<_> = std::fs::read_dir(shell.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
    proxy.slow_down(Duration::ZERO);
    shell.run(&get).await.expect_code(exit::OK);
    assert!(shell.read("note.ogg").starts_with(b"OggS"));
}
