//! Sound files as other programs make them, and what other programs say about ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

/// A sound file in memory.
#[derive(Clone)]
pub struct Clip {
    /// The whole file.
    pub bytes: Vec<u8>,
}

impl Clip {
    /// A file of this workspace, by its path from the root.
    pub fn file(path: &str) -> Self {
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        let bytes = std::fs::read(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()));
        Self { bytes }
    }

    /// A clip as a browser's recorder makes it: Opus in live WebM (no duration, no cues), by ffmpeg. A tone glides up from
    /// `hertz`, so that each clip is another sound and no two moments of it are the same.
    pub fn webm(seconds: f32, hertz: u32) -> Self {
        let glide = format!("0.4*sin(2*PI*({hertz}+90*t)*t)+0.02*(random(0)-0.5)");
        let source = format!("aevalsrc='{glide}':s=48000:d={seconds}");
        Self::from_lavfi(
            &source,
            &["-c:a", "libopus", "-b:a", "24k", "-f", "webm", "-live", "1"],
        )
    }

    /// A sound that ffmpeg's generators make, written with these output arguments.
    pub fn from_lavfi(source: &str, arguments: &[&str]) -> Self {
        Self {
            bytes: ffmpeg(&["-f", "lavfi", "-i", source], arguments),
        }
    }

    /// This clip written in another form; `arguments` are ffmpeg's for the output, such as `["-c:a", "flac", "-f", "flac"]`.
    pub fn as_ffmpeg_writes(&self, arguments: &[&str]) -> Self {
        let file = Scratch::with(&self.bytes);
        Self {
            bytes: ffmpeg(&["-i", &file.text()], arguments),
        }
    }

    /// What ffprobe finds in it.
    pub fn probe(&self) -> Probe {
        let file = Scratch::with(&self.bytes);
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-show_packets", "-show_data_hash", "MD5"])
            .args(["-show_format", "-show_streams", "-of", "json"])
            .arg(&file.path)
            .output()
            .expect("ffprobe runs");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("ffprobe: {error}"))
    }

    /// Decoded by libopus through ffmpeg (or by ffmpeg's own decoder when it is not Opus), 16 kHz, mono. Empty when it does
    /// not decode at all.
    pub fn samples(&self) -> Vec<f32> {
        let file = Scratch::with(&self.bytes);
        let opus = self
            .probe()
            .streams
            .first()
            .is_some_and(|stream| stream.codec_name == "opus");
        let path = file.text();
        let input: Vec<&str> = if opus {
            vec!["-c:a", "libopus", "-i", &path]
        } else {
            vec!["-i", &path]
        };
        let raw = ffmpeg(&input, &["-ac", "1", "-ar", "16000", "-f", "f32le"]);
        raw.chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }
}

/// What ffprobe says about a file.
#[derive(Debug, Deserialize)]
pub struct Probe {
    /// Each packet in order.
    #[serde(default)]
    pub packets: Vec<ProbePacket>,
    /// Each stream.
    #[serde(default)]
    pub streams: Vec<ProbeStream>,
}

/// A packet, by its hash.
#[derive(Debug, Deserialize)]
pub struct ProbePacket {
    /// `MD5:…`
    pub data_hash: String,
}

/// A stream.
#[derive(Debug, Deserialize)]
pub struct ProbeStream {
    /// Such as `opus`.
    #[serde(default)]
    pub codec_name: String,
    /// Channels.
    #[serde(default)]
    pub channels: u32,
    /// Seconds, as text.
    #[serde(default)]
    pub duration: Option<String>,
}

impl Probe {
    /// The hashes of all packets in order.
    pub fn hashes(&self) -> Vec<&str> {
        self.packets
            .iter()
            .map(|packet| packet.data_hash.as_str())
            .collect()
    }
}

struct Scratch {
    path: PathBuf,
    _dir: TempDir,
}

impl Scratch {
    fn with(bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("clip");
        std::fs::write(&path, bytes).expect("room for a clip");
        Self { path, _dir: dir }
    }

    fn text(&self) -> String {
        self.path
            .to_str()
            .expect("temporary folders are UTF-8")
            .to_owned()
    }
}

/// Runs ffmpeg; the output comes by a file, since some containers need to seek while they are written.
fn ffmpeg(input: &[&str], output: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("out");
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(input)
        .args(output)
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg runs");
    assert!(
        done.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    std::fs::read(&path).expect("ffmpeg wrote it")
}
