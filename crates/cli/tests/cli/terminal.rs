//! What only people see: colours and progress, on a terminal of `script` (util-linux).

use std::time::Duration;

use tokio::io::AsyncReadExt;
use voxpost_testkit::{Clip, Proxy, patiently};

use crate::shell::Shell;
use crate::{exit, server};

const ESCAPE: char = '\u{1b}';

#[tokio::test]
async fn colour_is_for_terminals_and_no_color_and_the_option_have_their_say() {
    let mut shell = Shell::new();
    shell.write("a.webm", &Clip::webm(1.0, 300).bytes);
    let inspect = ["inspect", "a.webm"];
    let coloured = async |shell: &Shell, args: &[&str]| {
        let ran = shell.run_on_terminal(args).await.expect_code(exit::OK);
        assert!(ran.text().contains("webm"), "{}", ran.text());
        ran.text().contains(ESCAPE)
    };
    assert!(coloured(&shell, &inspect).await);
    assert!(!coloured(&shell, &["inspect", "a.webm", "--color", "never"]).await);
    assert!(!coloured(&shell, &["inspect", "a.webm", "--json"]).await);
    // https://no-color.org: when it is set and not empty.
    shell.set("NO_COLOR", "");
    assert!(coloured(&shell, &inspect).await);
    shell.set("NO_COLOR", "1");
    assert!(!coloured(&shell, &inspect).await);
    assert!(coloured(&shell, &["inspect", "a.webm", "--color", "always"]).await);

    let failed = shell
        .run_on_terminal(&["inspect", "gone"])
        .await
        .expect_code(exit::FILE);
    assert!(!failed.text().contains(ESCAPE), "{}", failed.text());
    let failed = shell
        .run_on_terminal(&["inspect", "gone", "--color", "always"])
        .await
        .expect_code(exit::FILE);
    assert!(failed.text().contains(ESCAPE), "{}", failed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_shows_how_far_it_is_and_leaves_only_the_result() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    let conversation = ana.talk_to(&ben).await;
    let proxy = Proxy::to(server.base()).await;
    let mut shell = Shell::new();
    shell.set("VOXPOST_URL", &proxy.base());
    shell.set("VOXPOST_TOKEN", &ana.token);
    // 5.8 MB.
    let wav = ["-ar", "48000", "-ac", "1", "-f", "wav"];
    shell.write(
        "long.wav",
        &Clip::from_lavfi("sine=frequency=300:duration=60", &wav).bytes,
    );

    proxy.slow_down(Duration::from_millis(50));
    let mut sending = shell
        .on_terminal(&["send", "long.wav", "--to", "ben"])
        .spawn()
        .expect("`script` of util-linux is there");
    let mut screen = sending.stdout.take().expect("piped");
    let mut seen = String::new();
    let mut piece = [0; 4096];
    while !(seen.contains("long.wav") && seen.contains("/ 5.49 MiB")) {
        let length = patiently("the bar", screen.read(&mut piece))
            .await
            .expect("it can be read");
        assert!(length > 0, "it ended without a bar: {seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    assert!(!seen.contains("sent"), "{seen:?}");
    proxy.slow_down(Duration::ZERO);
    let mut rest = String::new();
    patiently("the end", screen.read_to_string(&mut rest))
        .await
        .expect("it can be read");
    assert!(
        patiently("its status", sending.wait())
            .await
            .expect("it runs")
            .success()
    );
    let last = rest.trim_end().lines().last().unwrap_or_default();
    let id = ben.messages(conversation.id).await[0].id.to_string();
    assert!(
        last.contains("sent") && last.contains("1:00") && last.contains(&id),
        "{rest:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_looks_there_is_no_progress() {
    let server = server().await;
    let (ana, ben) = (server.person("ana").await, server.person("ben").await);
    ana.talk_to(&ben).await;
    let mut shell = Shell::new();
    shell.set("VOXPOST_URL", server.base());
    shell.set("VOXPOST_TOKEN", &ana.token);
    shell.write("a.webm", &Clip::webm(2.0, 300).bytes);
    let ran = shell
        .run(&["send", "a.webm", "--to", "ben"])
        .await
        .expect_code(exit::OK);
    assert_eq!(ran.stderr, "");
    assert!(ran.text().starts_with("sent a.webm  0:02  "), "{}", ran.text());
}
