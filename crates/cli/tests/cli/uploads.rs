//! Files that are too large for one request, over a network that breaks, by a command that is killed.

use std::time::Duration;

use voxpost_client::Uuid;
use voxpost_testkit::{Clip, Person, Proxy, Server, eventually, patiently};

use crate::shell::Shell;
use crate::{exit, options, server};

/// Two pieces of 5 MiB and some more.
const SECONDS: usize = 120;
/// What may be on its way when a connection breaks: the buffers of two sockets.
const ON_ITS_WAY: usize = 6 << 20;

struct Scene {
    server: Server,
    proxy: Proxy,
    ben: Person,
    ana: Shell,
    conversation: Uuid,
    size: usize,
}

/// Ana's shell behind a network of her own, with a long recording that she has made.
async fn scene() -> Scene {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let proxy = Proxy::to(server.base()).await;
    let mut shell = Shell::new();
    shell.set("VOXPOST_URL", &proxy.base());
    shell.set("VOXPOST_TOKEN", &ana.token);
    let conversation = ana.talk_to(&ben).await.id;
    let source = format!("sine=frequency=300:duration={SECONDS}");
    let wav = Clip::from_lavfi(&source, &["-ar", "48000", "-ac", "1", "-f", "wav"]).bytes;
    shell.write("long.wav", &wav);
    Scene {
        server,
        proxy,
        ben,
        ana: shell,
        conversation,
        size: wav.len(),
    }
}

impl Scene {
    async fn messages(&self) -> usize {
        self.ben.messages(self.conversation).await.len()
    }
}

const SEND: [&str; 5] = ["send", "long.wav", "--to", "ben", "--json"];

#[tokio::test(flavor = "multi_thread")]
async fn a_long_file_goes_on_where_the_network_broke_and_where_the_command_was_killed_and_arrives_once() {
    let scene = scene().await;
    let Scene { proxy, ana, size, .. } = &scene;
    proxy.slow_down(Duration::from_millis(2));

    let mut child = ana.command(&SEND).spawn().unwrap();
    for part in 1..=2 {
        let there = || proxy.bytes_up() > part * size / 5;
        eventually("the upload to get on", async || there().then_some(())).await;
        proxy.cut_all();
    }
    let there = || proxy.bytes_up() > 3 * size / 5;
    eventually("the upload to get on", async || there().then_some(())).await;
    child.kill().await.unwrap();
    proxy.cut_all();
    assert_eq!(scene.messages().await, 0);

    proxy.slow_down(Duration::ZERO);
    let sent = ana.run(&SEND).await.expect_code(exit::OK).object();
    assert_eq!(sent["message"]["duration_ms"], SECONDS * 1000);
    assert_eq!(scene.messages().await, 1);
    let up = proxy.bytes_up();
    assert!(
        up < size + ON_ITS_WAY,
        "{up} bytes went up for {size}, with three breaks"
    );
    assert_eq!(kept(ana), 0, "nothing is on its way any more");

    // The same file again is another message.
    ana.run(&SEND).await.expect_code(exit::OK);
    assert_eq!(scene.messages().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_is_not_sent_twice() {
    let scene = scene().await;
    let Scene { proxy, ana, .. } = &scene;
    proxy.slow_down(Duration::from_millis(2));
    let child = ana.command(&SEND).spawn().unwrap();
    // In the middle of the last piece: from here on everything goes up and nothing comes back.
    let there = || proxy.bytes_up() > (10 << 20) + 200_000;
    eventually("the upload to get on", async || there().then_some(())).await;
    proxy.cut_next(usize::MAX, 0);
    eventually("the message", async || (scene.messages().await > 0).then_some(())).await;
    drop(child);
    proxy.cut_next(0, 0);
    ana.run(&SEND).await.expect_code(exit::OK);
    assert_eq!(scene.messages().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_restart_in_the_middle_is_waited_for() {
    let mut scene = scene().await;
    scene.proxy.slow_down(Duration::from_millis(2));
    let child = scene.ana.command(&SEND).spawn().unwrap();
    let there = || scene.proxy.bytes_up() > scene.size / 3;
    eventually("the upload to get on", async || there().then_some(())).await;
    scene.server = scene.server.kill().await.start().await;
    scene.proxy.lead_to(scene.server.base());
    scene.proxy.slow_down(Duration::ZERO);
    let output = patiently("the command to end", child.wait_with_output())
        .await
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(exit::OK),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let up = scene.proxy.bytes_up();
    assert!(up < scene.size + ON_ITS_WAY, "{up}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_told_by_its_code_and_leaves_nothing_behind() {
    let server = options().arg("--max-audio-bytes").arg("3000000").start().await;
    let (ana, _ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    ana.write("noise.bin", &vec![0x2a; 2_000_000]);
    ana.write("big.wav", &vec![0; 3_000_001]);
    for (file, says) in [
        ("noise.bin", "not sound that we know"),
        ("big.wav", "this server takes 2.9 MiB"),
    ] {
        let ran = ana
            .run(&["send", file, "--to", "ben"])
            .await
            .expect_code(exit::REFUSED);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(kept(&ana), 0);
    }
}

/// How many messages are kept as on their way.
fn kept(shell: &Shell) -> usize {
    let people = std::fs::read_dir(shell.path(".local/state/voxpost/uploads"));
    let files = people
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|person| std::fs::read_dir(person.path()).ok());
    let names = files.flatten().flatten().map(|file| file.file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".json"))
        .count()
}
