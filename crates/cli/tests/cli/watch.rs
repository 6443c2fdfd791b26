//! `voxpost inbox --watch`.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use voxpost_testkit::{Clip, patiently};

use crate::shell::{Shell, interrupt};
use crate::{exit, options, server};

struct Watch {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Watch {
    fn start(shell: &Shell, args: &[&str]) -> Self {
        let mut child = shell
            .command(args)
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let err = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, out, err }
    }

    async fn line(&mut self) -> String {
        if let Some(line) = patiently("a line", self.out.next_line()).await.expect("text") {
            return line;
        }
        let mut said = String::new();
        while let Some(line) = patiently("its last words", self.err.next_line())
            .await
            .expect("text")
        {
            said.push_str(&line);
        }
        panic!("it ended, {:?}: {said}", self.child.wait().await);
    }

    async fn noted(&mut self, text: &str) {
        loop {
            let line = patiently(text, self.err.next_line())
                .await
                .expect("text")
                .expect("it goes on");
            if line.contains(text) {
                return;
            }
        }
    }

    async fn interrupt(mut self) -> i32 {
        interrupt(&self.child);
        let status = patiently("it to end", self.child.wait()).await.expect("a status");
        status.code().expect("ends by itself")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_talkative_log_holds_no_token_and_no_signature() {
    let server = server().await;
    let (ana, mut ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let session = String::from_utf8(ben.read(".config/voxpost/session.json")).expect("text");
    let session: Value = serde_json::from_str(&session).expect("JSON");
    let token = session["token"].as_str().expect("a token");
    ben.set("VOXPOST_LOG", "trace");
    let mut watch = Watch::start(&ben, &["inbox", "--watch"]);
    let mut log = String::new();
    while !log.contains("Watching") {
        let line = patiently("the log", watch.err.next_line()).await.expect("text");
        log.push_str(&line.expect("it goes on"));
    }
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    ana.run(&["send", "a.webm", "--to", "ben"])
        .await
        .expect_code(exit::OK);
    watch.line().await;
    interrupt(&watch.child);
    while let Some(line) = patiently("the log", watch.err.next_line()).await.expect("text") {
        log.push_str(&line);
    }
    assert!(!log.contains(token) && !log.contains("sig="), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_is_told_at_once_and_ctrl_c_ends_it() {
    let server = server().await;
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let mut watch = Watch::start(&ben, &["inbox", "--watch"]);
    watch.noted("Watching").await;
    ana.write("a.webm", &Clip::webm(2.0, 400).bytes);
    let sent = ana
        .run(&["send", "a.webm", "--to", "ben", "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    let line = watch.line().await;
    let id = sent["message"]["id"].as_str().unwrap();
    assert!(
        line.starts_with("ana ") && line.contains("0:02") && line.contains(id),
        "{line}"
    );
    assert_eq!(watch.interrupt().await, exit::INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_behind_its_token_and_misses_nothing() {
    let server = server().await;
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    // Where everybody is before anything is sent.
    let now: Value = server
        .person("observer")
        .await
        .get("/v1/sync")
        .await
        .expect(200)
        .json();
    let begin = now["token"].as_str().unwrap();
    for hertz in [400, 500, 600] {
        ana.write("a.webm", &Clip::webm(1.0, hertz).bytes);
        ana.run(&["send", "a.webm", "--to", "ben"])
            .await
            .expect_code(exit::OK);
    }
    let mut first = Watch::start(&ben, &["inbox", "ana", "--watch", "--json", "--since", begin]);
    let mut seen = Vec::new();
    let mut token = String::new();
    while seen.len() < 2 {
        let event: Value = serde_json::from_str(&first.line().await).unwrap();
        token = event["token"].as_str().unwrap().to_owned();
        if event["type"] == "message.created" {
            seen.push(event["message"]["seq"].as_i64().unwrap());
        }
    }
    first.interrupt().await;
    let mut second = Watch::start(&ben, &["inbox", "ana", "--watch", "--json", "--since", &token]);
    while seen.len() < 3 {
        let event: Value = serde_json::from_str(&second.line().await).unwrap();
        if event["type"] == "message.created" {
            seen.push(event["message"]["seq"].as_i64().unwrap());
        }
    }
    assert_eq!(seen, [1, 2, 3]);
    assert_eq!(second.interrupt().await, exit::INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_a_restart_of_the_server() {
    let server = server().await;
    let address = server.base().trim_start_matches("http://").to_owned();
    let (ana, ben) = (
        Shell::signed_up(&server, "ana").await,
        Shell::signed_up(&server, "ben").await,
    );
    let mut watch = Watch::start(&ben, &["inbox", "--watch"]);
    watch.noted("Watching").await;
    let stopped = server.kill().await;
    watch.noted("Connection lost").await;
    let _server = stopped.start_with(options().listen(&address)).await;
    ana.write("a.webm", &Clip::webm(1.0, 400).bytes);
    ana.run(&["send", "a.webm", "--to", "ben"])
        .await
        .expect_code(exit::OK);
    assert!(watch.line().await.starts_with("ana "));
    assert_eq!(watch.interrupt().await, exit::INTERRUPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_elsewhere_ends_the_watch() {
    let server = server().await;
    let ben = Shell::signed_up(&server, "ben").await;
    let mut watch = Watch::start(&ben, &["inbox", "--watch"]);
    watch.noted("Watching").await;
    ben.run(&["logout"]).await.expect_code(exit::OK);
    let status = patiently("it to end", watch.child.wait())
        .await
        .expect("a status");
    assert_eq!(status.code(), Some(exit::NOT_SIGNED_IN));
}
