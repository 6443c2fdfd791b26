//! `voxpost play` into files: where it begins, what it keeps, what it tells. Loudspeakers are in `loudspeaker.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use voxpost_client::{Message, Playback};
use voxpost_testkit::{Clip, Person, Proxy, Server, eventually, patiently, sound};

use crate::shell::{Ran, Shell, interrupt};
use crate::{exit, options, server};

/// Bytes of a millisecond of our WAV files.
const PER_MS: u64 = 96;

pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) ana: Person,
    /// Who listens, and where.
    pub(crate) ben: Person,
    pub(crate) desk: Shell,
    pub(crate) message: Message,
}

/// A message of ana's for ben, who is signed in at a desk.
pub(crate) async fn scene(clip: &Clip) -> Scene {
    let server = server().await;
    let ana = server.person("ana").await;
    let desk = Shell::signed_up(&server, "ben").await;
    let session: Value = serde_json::from_slice(&desk.read(".config/voxpost/session.json")).expect("JSON");
    // The same session over HTTP.
    let mut ben = server.person("observer").await;
    session["token"]
        .as_str()
        .expect("a token")
        .clone_into(&mut ben.token);
    let conversation: Value = ana
        .post(
            "/v1/conversations",
            &serde_json::json!({"kind": "direct", "members": ["ben"]}),
        )
        .await
        .json();
    let conversation = conversation["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let message = ana.say(conversation, clip).await;
    Scene {
        server,
        ana,
        ben,
        desk,
        message,
    }
}

impl Scene {
    pub(crate) fn id(&self) -> String {
        self.message.id.to_string()
    }

    async fn known(&self) -> Playback {
        known(&self.ben, &self.id()).await
    }

    /// Begins to play into a file of the desk; gives the process and the file.
    async fn playing(&self, file: &str, more: &[&str]) -> (Child, PathBuf) {
        let id = self.id();
        let child = self
            .desk
            .command(&[&["play", &id, "--output", file], more].concat())
            .spawn()
            .expect("it starts");
        (child, self.desk.path(file))
    }
}

pub(crate) async fn known(who: &Person, id: &str) -> Playback {
    who.get(&format!("/v1/messages/{id}/playback"))
        .await
        .expect(200)
        .json()
}

/// How much sound is in a file, in ms.
fn heard_ms(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len().saturating_sub(44)) / PER_MS
}

async fn until_heard(file: &Path, ms: u64) {
    eventually("some sound", async || (heard_ms(file) >= ms).then_some(())).await;
}

pub(crate) async fn killed(mut child: Child) {
    child.start_kill().expect("it runs");
    patiently("it to be gone", child.wait()).await.expect("a status");
}

pub(crate) async fn ended(child: Child, code: i32) -> Ran {
    let output = patiently("the player to end", child.wait_with_output()).await;
    Ran::of(&["play"], output.expect("it runs")).expect_code(code)
}

/// The loudness that a player gives it.
fn as_played(message: &Message, ogg: &[u8]) -> Vec<f32> {
    let gain = 10.0_f32.powf(message.gain_db.unwrap_or(0.0) / 20.0);
    let samples = sound::decode_ogg_opus(ogg);
    samples.iter().map(|sample| sample * gain).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_played_is_what_was_sent_as_loud_as_it_should_be_and_it_counts() {
    let scene = scene(&Clip::webm(2.0, 440)).await;
    let analysed = eventually("its loudness", async || {
        let message: Message = scene
            .ben
            .get(&format!("/v1/messages/{}", scene.id()))
            .await
            .json();
        message.gain_db.is_some().then_some(message)
    })
    .await;
    let before = scene
        .desk
        .run(&["inbox", "ana"])
        .await
        .expect_code(exit::OK)
        .text();
    assert!(before.contains('●'), "{before}");

    let ran = scene
        .desk
        .run(&["play", &scene.id(), "--output", "a.wav", "--json"])
        .await
        .expect_code(exit::OK);
    let told = ran.object();
    assert_eq!(
        (
            told["ended"].as_bool(),
            told["reported"].as_bool(),
            told["from_ms"].as_i64()
        ),
        (Some(true), Some(true), Some(0)),
        "{told}"
    );
    let known = scene.known().await;
    assert!(known.played, "{known:?}");
    assert_eq!(known.heard_ms, analysed.duration_ms.expect("it is ready"));
    let after = scene.desk.run(&["inbox"]).await.expect_code(exit::OK).text();
    assert!(!after.contains('●'), "{after}");

    let ogg = scene.ben.audio(scene.message.id).await.expect(200).body;
    let expected = as_played(&analysed, &ogg);
    let played = sound::read_wav(&scene.desk.path("a.wav"));
    assert_eq!(played.len(), expected.len());
    let loudest = |samples: &[f32]| {
        samples
            .iter()
            .fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()))
    };
    assert!((loudest(&played) / loudest(&expected) - 1.0).abs() < 0.1);
    let alike = sound::similarity(&expected, &played, 48_000);
    assert!(alike.is_same_speech() && alike.lag_samples == 0, "{alike:?}");
    // It is there now, and stays.
    let again = scene.desk.run(&["play", &scene.id(), "--output", "a.wav"]).await;
    assert!(again.expect_code(exit::FILE).stderr.contains("--force"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_is_killed_goes_on_where_it_was() {
    let scene = scene(&Clip::webm(30.0, 300)).await;
    let (child, file) = scene.playing("a.wav", &[]).await;
    until_heard(&file, 2_500).await;
    killed(child).await;
    let heard = heard_ms(&file) as i64;
    assert!(!sound::read_wav(&file).is_empty(), "the file is whole");

    let (child, file) = scene.playing("b.wav", &["--json"]).await;
    until_heard(&file, 300).await;
    interrupt(&child);
    let told = ended(child, exit::INTERRUPTED).await.object();
    let from = told["from_ms"].as_i64().expect("a number");
    // The journal is half a second old at most; the rest is a busy machine's.
    assert!(
        (heard - 2_000..=heard + 100).contains(&from),
        "{from} after {heard}"
    );
    let stopped = told["position_ms"].as_i64().expect("a number");
    assert_eq!(
        scene.known().await.position_ms,
        stopped,
        "Ctrl-C tells the server"
    );
    assert!((stopped - from - heard_ms(&file) as i64).abs() <= 100, "{told}");
    let inbox = scene
        .desk
        .run(&["inbox", "ana"])
        .await
        .expect_code(exit::OK)
        .text();
    assert!(inbox.contains('◐'), "{inbox}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pauses_here_by_a_key_and_goes_on_there() {
    let scene = scene(&Clip::webm(40.0, 300)).await;
    let id = scene.id();
    let file = scene.desk.path("a.wav");
    let mut desk = scene
        .desk
        .on_terminal(&["play", &id, "--output", "a.wav"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("`script` of util-linux is there");
    let mut keys = desk.stdin.take().expect("piped");
    until_heard(&file, 500).await;
    // Two arrows on, one step faster, pause.
    for key in ["\x1b[C", "\x1b[C", "+", " "] {
        keys.write_all(key.as_bytes()).await.expect("it listens");
    }
    let paused = eventually("the pause", async || {
        let known = scene.known().await;
        (known.speed == 1.25 && known.position_ms >= 10_000).then_some(known)
    })
    .await;
    let phone = Shell::new();
    phone.login(&scene.server, "ben", &[]).await.expect_code(exit::OK);
    let child = phone
        .command(&["play", &id, "--output", "b.wav", "--json"])
        .spawn()
        .expect("it starts");
    until_heard(&phone.path("b.wav"), 300).await;
    interrupt(&child);
    let told = ended(child, exit::INTERRUPTED).await.object();
    assert_eq!(
        (told["from_ms"].as_i64(), told["speed"].as_f64()),
        (Some(paused.position_ms), Some(1.25)),
        "{told}"
    );
    keys.write_all(b"q").await.expect("it listens");
    let text = ended(desk, exit::OK).await.text();
    assert!(text.contains("stopped at") && text.contains('⏸'), "{text:?}");
    // Quitting moves nothing: the phone's is the newer one.
    assert_eq!(
        Some(scene.known().await.position_ms),
        told["position_ms"].as_i64()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_somebody_listens_loses_nothing() {
    let mut scene = scene(&Clip::webm(6.0, 300)).await;
    let address = scene.server.base().trim_start_matches("http://").to_owned();
    let (child, file) = scene.playing("a.wav", &["--json"]).await;
    until_heard(&file, 500).await;
    let stopped = scene.server.kill().await;
    until_heard(&file, 1_500).await;
    scene.server = stopped.start_with(options().listen(&address)).await;
    let told = ended(child, exit::OK).await.object();
    assert_eq!(
        (told["ended"].as_bool(), told["reported"].as_bool()),
        (Some(true), Some(true))
    );
    let known = known(&scene.ben, &scene.message.id.to_string()).await;
    assert!(known.played && known.heard_ms >= 5_900, "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_without_a_network_is_told_when_it_is_back() {
    let scene = scene(&Clip::webm(3.0, 300)).await;
    let proxy = Proxy::to(scene.server.base()).await;
    // The same session by another way.
    let session = String::from_utf8(scene.desk.read(".config/voxpost/session.json")).expect("text");
    scene.desk.write(
        ".config/voxpost/session.json",
        session.replace(scene.server.base(), &proxy.base()).as_bytes(),
    );
    let (child, file) = scene.playing("a.wav", &[]).await;
    until_heard(&file, 300).await;
    proxy.refuse(true).await;
    proxy.cut_all();
    let ran = ended(child, exit::OK).await;
    assert!(ran.stderr.contains("played to the end"), "{}", ran.stderr);
    assert!(ran.stderr.contains("tells it next time"), "{}", ran.stderr);
    assert!(!scene.known().await.played);
    proxy.refuse(false).await;
    scene.desk.run(&["inbox"]).await.expect_code(exit::OK);
    let known = scene.known().await;
    assert!(known.played && known.heard_ms >= 2_900, "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_play_the_same_message_and_are_killed_lose_nothing_of_each_other() {
    let scene = scene(&Clip::webm(30.0, 300)).await;
    let (one, first) = scene.playing("a.wav", &["--from", "0"]).await;
    let (two, second) = scene.playing("b.wav", &["--from", "0:15"]).await;
    until_heard(&first, 2_000).await;
    until_heard(&second, 2_000).await;
    killed(one).await;
    killed(two).await;
    scene.desk.run(&["inbox"]).await.expect_code(exit::OK);
    let known = scene.known().await;
    let parts = known.heard.intervals();
    assert_eq!(parts.len(), 2, "{parts:?}");
    assert_eq!((parts[0][0], parts[1][0]), (0, 15_000));
    assert!(parts[0][1] >= 500 && parts[1][1] >= 15_500, "{parts:?}");
    let (child, file) = scene.playing("c.wav", &["--json"]).await;
    until_heard(&file, 200).await;
    interrupt(&child);
    let told = ended(child, exit::INTERRUPTED).await.object();
    assert_eq!(told["from_ms"].as_i64(), Some(known.position_ms));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_devices_moved_the_other_one_is_offered() {
    let scene = scene(&Clip::webm(20.0, 300)).await;
    let proxy = Proxy::to(scene.server.base()).await;
    let session = String::from_utf8(scene.desk.read(".config/voxpost/session.json")).expect("text");
    scene.desk.write(
        ".config/voxpost/session.json",
        session.replace(scene.server.base(), &proxy.base()).as_bytes(),
    );
    let (child, file) = scene.playing("a.wav", &["--from", "2"]).await;
    // Without a network before it told anything but that it began.
    until_heard(&file, 300).await;
    proxy.refuse(true).await;
    proxy.cut_all();
    until_heard(&file, 1_500).await;
    interrupt(&child);
    ended(child, exit::INTERRUPTED).await;

    let phone = Shell::new();
    phone
        .run_with_input(
            &[
                "login",
                scene.server.base(),
                "ben",
                "--password-stdin",
                "--device-name",
                "phone",
            ],
            format!("{}\n", Person::PASSWORD).as_bytes(),
        )
        .await
        .expect_code(exit::OK);
    let child = phone
        .command(&["play", &scene.id(), "--from", "12", "--output", "b.wav"])
        .spawn()
        .expect("it starts");
    until_heard(&phone.path("b.wav"), 1_200).await;
    interrupt(&child);
    ended(child, exit::INTERRUPTED).await;
    let there = scene.known().await.position_ms;
    assert!(there >= 13_000, "{there}");

    proxy.refuse(false).await;
    let (child, file) = scene.playing("c.wav", &[]).await;
    until_heard(&file, 200).await;
    interrupt(&child);
    let ran = ended(child, exit::INTERRUPTED).await;
    assert!(ran.stderr.contains("where this device stopped"), "{}", ran.stderr);
    assert!(ran.stderr.contains("from phone? Press c"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_of_once_and_playing_goes_on() {
    let mut scene = scene(&Clip::webm(2.5, 300)).await;
    let disk = tempfile::tempdir().expect("a folder");
    let mounted = Blocking::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"])
        .arg(disk.path())
        .output()
        .is_ok_and(|done| done.status.success());
    scene
        .desk
        .set("XDG_STATE_HOME", disk.path().to_str().expect("UTF-8"));
    let id = scene.id();
    let mut command = scene.desk.program("bash");
    // Where nothing may be mounted, files may not grow.
    let limit = if mounted {
        "true"
    } else {
        "trap '' XFSZ; ulimit -f 0"
    };
    if mounted {
        std::fs::create_dir_all(disk.path().join("voxpost/playback")).expect("a folder");
        while std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(disk.path().join("filler"))
            .and_then(|mut filler| std::io::Write::write_all(&mut filler, &[0; 1024]))
            .is_ok()
        {}
    }
    let output = command
        .arg("-c")
        .arg(format!("{limit}; exec \"$0\" \"$@\""))
        .args([env!("CARGO_BIN_EXE_voxpost"), "play", &id, "--output", "-"])
        .output();
    let output = patiently("the player to end", output).await.expect("it runs");
    if mounted {
        let _ = Blocking::new("umount").arg("-l").arg(disk.path()).status();
    }
    let ran = Ran::of(&["play"], output).expect_code(exit::OK);
    assert_eq!(
        ran.stderr.matches("warning: this device cannot keep").count(),
        1,
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.len() as u64 > 2_400 * PER_MS && ran.stdout.starts_with(b"RIFF"));
    assert!(scene.known().await.played);
}

#[tokio::test(flavor = "multi_thread")]
async fn speed_and_skipped_silence_make_it_shorter_and_without_waiting_nothing_counts() {
    let speech = Clip::file("crates/testkit/fixtures/speech/vosk.flac").as_ffmpeg_writes(&[
        "-t",
        "3",
        "-af",
        "apad=pad_dur=6",
        "-c:a",
        "flac",
        "-f",
        "flac",
    ]);
    let speech = speech.as_ffmpeg_writes(&["-af", "apad=whole_dur=9", "-c:a", "flac", "-f", "flac"]);
    let scene = scene(&speech).await;
    let id = scene.id();
    eventually("the speech map", async || {
        let message: Message = scene.ben.get(&format!("/v1/messages/{id}")).await.json();
        message.speech.filter(|speech| !speech.is_empty())
    })
    .await;
    let length = async |file: &str, more: &[&str]| {
        let args = [&["play", &id, "--no-wait", "--output", file][..], more].concat();
        scene.desk.run(&args).await.expect_code(exit::OK);
        heard_ms(&scene.desk.path(file)) as i64
    };
    let whole = length("whole.wav", &[]).await;
    assert_eq!(whole, scene.message.duration_ms.expect("it is ready"));
    let fast = length("fast.wav", &["--speed", "2"]).await;
    assert!((fast * 2 - whole).abs() < 300, "{fast} of {whole}");
    let short = length("short.wav", &["--skip-silence"]).await;
    assert!(short > 1_000 && short < whole - 4_000, "{short} of {whole}");
    let rest = length("rest.wav", &["--from", "0:02.5"]).await;
    assert_eq!(rest, whole - 2_500);
    assert_eq!(scene.known().await.version, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_played_says_why() {
    let scene = scene(&Clip::webm(1.0, 300)).await;
    let id = scene.id();
    let play = async |args: &[&str]| scene.desk.run(&[&["play"], args].concat()).await;
    play(&[&id, "--speed", "9", "--output", "x"])
        .await
        .expect_code(exit::USAGE);
    play(&[&id, "--force"]).await.expect_code(exit::USAGE);
    play(&[&id, "--from", "1:99", "--output", "x"])
        .await
        .expect_code(exit::USAGE);
    let nowhere = play(&[&id, "--output", "no/such/folder/x.wav"]).await;
    nowhere.expect_code(exit::FILE);
    scene.ana.delete(&format!("/v1/messages/{id}")).await.expect(204);
    play(&[&id, "--output", "x"]).await.expect_code(exit::NOT_FOUND);
    assert!(!scene.desk.path("x").exists());
    #[cfg(not(feature = "sound"))]
    {
        let ran = play(&[&id]).await.expect_code(exit::USAGE);
        assert!(ran.stderr.contains("--output FILE.wav"), "{}", ran.stderr);
        assert!(ran.stderr.contains("voxpost/sound"), "{}", ran.stderr);
    }
}
