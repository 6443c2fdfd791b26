//! `voxpost play` through a loudspeaker: PulseAudio with a sink that is no card, whose monitor is recorded.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use voxpost_client::Message;
use voxpost_testkit::{Clip, eventually, sound};

use crate::exit;
use crate::play::{Scene, ended, killed, known, scene};
use crate::shell::{Shell, interrupt};

/// Samples a second of the recording: mono, 16 bits.
const RATE: usize = 48_000;

/// A sound server of its own, without a card.
struct SoundServer {
    dir: tempfile::TempDir,
    process: Child,
}

/// What comes out of the loudspeaker.
struct Recording {
    file: PathBuf,
    process: Child,
}

impl SoundServer {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let socket = dir.path().join("native");
        let script = dir.path().join("pulse.pa");
        let lines = format!(
            "load-module module-native-protocol-unix auth-anonymous=1 socket={}\n\
             load-module module-null-sink sink_name=speaker rate=48000 channels=2\n\
             set-default-sink speaker\n",
            socket.display()
        );
        std::fs::write(&script, lines).expect("room");
        let process = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"])
            .args(["--disable-shm=yes", "--log-target=null", "-F"])
            .arg(&script)
            .env("XDG_RUNTIME_DIR", dir.path())
            .env("HOME", dir.path())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pulseaudio is there");
        let server = Self { dir, process };
        eventually("the sound server", async || {
            let asked = Command::new("pactl")
                .arg("info")
                .env("PULSE_SERVER", server.address())
                .output();
            asked.is_ok_and(|asked| asked.status.success()).then_some(())
        })
        .await;
        server
    }

    fn address(&self) -> String {
        format!("unix:{}", self.dir.path().join("native").display())
    }

    /// Lets a shell play here.
    fn serve(&self, shell: &mut Shell) {
        shell.set("PULSE_SERVER", &self.address());
        shell.set("XDG_RUNTIME_DIR", self.dir.path().to_str().expect("UTF-8"));
    }

    /// Begins to record; returns when it does.
    async fn record(&self) -> Recording {
        let number = std::fs::read_dir(self.dir.path()).map_or(0, Iterator::count);
        let file = self.dir.path().join(format!("recording-{number}"));
        let process = Command::new("parec")
            .args([
                "--device=speaker.monitor",
                "--format=s16le",
                "--rate=48000",
                "--channels=1",
            ])
            .args(["--raw", "--latency-msec=20"])
            .arg(&file)
            .env("PULSE_SERVER", self.address())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("parec is there");
        let recording = Recording { file, process };
        eventually("the recording to begin", async || {
            (recording.samples().len() > RATE / 10).then_some(())
        })
        .await;
        recording
    }
}

impl Recording {
    fn samples(&self) -> Vec<f32> {
        let bytes = std::fs::read(&self.file).unwrap_or_default();
        let pairs = bytes.chunks_exact(2);
        pairs
            .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
            .collect()
    }

    /// From the first sound to the last, once there is silence for so long.
    async fn after_silence(&self, what: &str) -> Vec<f32> {
        eventually(&format!("silence after {what}"), async || {
            let samples = self.samples();
            let last = samples.iter().rposition(|sample| sample.abs() > 0.001)?;
            (samples.len() - last > RATE / 2).then_some(())
        })
        .await;
        heard(&self.samples())
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn heard(samples: &[f32]) -> Vec<f32> {
    let loud = |sample: &f32| sample.abs() > 0.001;
    match (samples.iter().position(loud), samples.iter().rposition(loud)) {
        (Some(first), Some(last)) => samples[first..=last].to_vec(),
        _ => Vec::new(),
    }
}

async fn at_a_loudspeaker(clip: &Clip) -> (Scene, SoundServer) {
    let mut scene = scene(clip).await;
    let speaker = SoundServer::start().await;
    speaker.serve(&mut scene.desk);
    eventually("its loudness", async || {
        let message: Message = scene
            .ben
            .get(&format!("/v1/messages/{}", scene.id()))
            .await
            .json();
        message.gain_db.is_some().then_some(())
    })
    .await;
    (scene, speaker)
}

async fn decoded(scene: &Scene) -> Vec<f32> {
    sound::decode_ogg_opus(&scene.ben.audio(scene.message.id).await.expect(200).body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_of_the_loudspeaker_is_what_was_said() {
    let speech = Clip::file("crates/testkit/fixtures/speech/jfk.flac")
        .as_ffmpeg_writes(&["-t", "4", "-c:a", "flac", "-f", "flac"]);
    let (scene, speaker) = at_a_loudspeaker(&speech).await;
    let recording = speaker.record().await;
    let told = scene
        .desk
        .run(&["play", &scene.id(), "--json"])
        .await
        .expect_code(exit::OK)
        .object();
    assert_eq!(
        (told["ended"].as_bool(), told["reported"].as_bool()),
        (Some(true), Some(true))
    );
    assert!(known(&scene.ben, &scene.id()).await.played);
    let heard = recording.after_silence("the end").await;
    let alike = sound::similarity(&decoded(&scene).await, &heard, RATE as u32);
    assert!(alike.is_same_speech(), "{alike:?}, {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_stopped_is_what_was_heard_and_not_what_was_decoded() {
    let (scene, speaker) = at_a_loudspeaker(&Clip::webm(20.0, 300)).await;
    let recording = speaker.record().await;
    let id = scene.id();
    let play = || {
        scene
            .desk
            .command(&["play", &id, "--json"])
            .spawn()
            .expect("it starts")
    };
    let child = play();
    eventually("two seconds of sound", async || {
        (heard(&recording.samples()).len() > 2 * RATE).then_some(())
    })
    .await;
    interrupt(&child);
    let told = ended(child, exit::INTERRUPTED).await.object();
    let position = told["position_ms"].as_i64().expect("a number");
    let out = recording.after_silence("Ctrl-C").await;
    let from = place_of(&out[out.len().saturating_sub(RATE / 2)..], &decoded(&scene).await);
    let stopped = from + 500;
    assert!(
        (stopped - position).abs() <= 400,
        "{position} of {stopped} heard: {told}"
    );
    drop(recording);

    // Again, and killed: it goes on where the sound was.
    let recording = speaker.record().await;
    let child = play();
    eventually("two seconds more", async || {
        (heard(&recording.samples()).len() > 2 * RATE).then_some(())
    })
    .await;
    killed(child).await;
    let out = recording.after_silence("the first kill").await;
    let begun = place_of(&out[..RATE / 2], &decoded(&scene).await);
    assert!((begun - position).abs() <= 100, "{begun} after {position}");
    let last = place_of(&out[out.len() - RATE / 2..], &decoded(&scene).await) + 500;
    drop(recording);
    let recording = speaker.record().await;
    let child = play();
    eventually("half a second more", async || {
        (heard(&recording.samples()).len() > RATE).then_some(())
    })
    .await;
    killed(child).await;
    let out = recording.after_silence("the second kill").await;
    let begun = place_of(&out[..RATE / 2], &decoded(&scene).await);
    assert!(
        (last - 2_000..=last + 400).contains(&begun),
        "{begun} after {last}"
    );
}

#[tokio::test]
async fn without_a_loudspeaker_it_says_what_to_do() {
    let scene = scene(&Clip::webm(1.0, 300)).await;
    let mut desk = scene.desk;
    desk.set("PULSE_SERVER", "unix:/nowhere/at/all");
    let id = scene.message.id.to_string();
    let ran = desk.run(&["play", &id]).await.expect_code(1);
    assert!(ran.stderr.contains("--output FILE.wav"), "{}", ran.stderr);
}

/// Where in the message (ms) some sound is: where the two are most alike.
fn place_of(part: &[f32], whole: &[f32]) -> i64 {
    let alike = sound::similarity(part, whole, RATE as u32);
    // What a part of the whole can reach; a machine with much to do leaves holes in what comes out.
    let most = (part.len() as f64 / whole.len() as f64).sqrt();
    assert!(alike.correlation > 0.3 * most, "{alike:?}");
    alike.lag_samples * 1_000 / RATE as i64
}
