//! Opus files of other programs come out of `normalise` with the same packets and the same sound, as ffmpeg and
//! opus-tools see it.

mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use tools::{packets, quiet, run};
use voxpost_audio::{Normalised, Options, normalise};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/opus")
        .join(name)
}

fn fixtures() -> Vec<String> {
    let names: Vec<_> = fs::read_dir(fixture(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.len() > 30);
    names
}

struct Remuxed {
    _dir: tempfile::TempDir,
    path: PathBuf,
    result: Normalised,
}

fn remux(source: &Path) -> Remuxed {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("message.ogg");
    let output = fs::File::create(&path).unwrap();
    let result = normalise(
        fs::File::open(source).unwrap(),
        output,
        &Options::default(),
        &|| false,
    )
    .unwrap_or_else(|e| panic!("{}: {e}", source.display()));
    Remuxed {
        _dir: dir,
        path,
        result,
    }
}

/// The sound as libopus decodes it, pre-skip and end trim applied by ffmpeg.
fn pcm(path: &Path) -> Vec<u8> {
    let file = path.to_str().unwrap();
    run(
        "ffmpeg",
        &["-v", "error", "-c:a", "libopus", "-i", file, "-f", "s16le", "-"],
    )
    .stdout
}

#[test]
fn every_packet_comes_out_as_it_went_in_and_in_order() {
    for name in fixtures() {
        if name == "chained.ogg" {
            continue; // Below.
        }
        let out = remux(&fixture(&name));
        assert_eq!(packets(&out.path), packets(&fixture(&name)), "{name}");
        let result = out.result;
        assert!(
            !result.transcoded && !result.truncated && result.missing_ms == 0,
            "{name}: {result:?}"
        );
        assert_eq!(result.size_bytes, fs::metadata(&out.path).unwrap().len());
        assert!(result.source.remux && result.source.mime.ends_with("; codecs=opus"));
    }
}

#[test]
fn opusinfo_has_nothing_to_complain_about_and_measures_the_same_duration() {
    for name in fixtures() {
        let out = remux(&fixture(&name));
        let info = run("opusinfo", &[out.path.to_str().unwrap()]);
        let info = String::from_utf8_lossy(&info.stdout);
        assert!(!info.contains("WARNING"), "{name}: {info}");
        assert_eq!(
            info.matches("Logical stream 1 ended").count(),
            1,
            "{name}: {info}"
        );
        let length = info
            .lines()
            .find_map(|line| line.trim().strip_prefix("Playback length: "))
            .unwrap();
        let (minutes, seconds) = length.trim_end_matches('s').split_once("m:").unwrap();
        let ms = minutes.parse::<f64>().unwrap() * 60_000.0 + seconds.parse::<f64>().unwrap() * 1000.0;
        assert!(
            (ms - out.result.duration_ms as f64).abs() < 1.5,
            "{name}: {length} {}",
            out.result.duration_ms
        );
    }
}

#[test]
fn ffprobe_reads_the_result_without_a_warning() {
    for name in fixtures() {
        let out = remux(&fixture(&name));
        let file = out.path.to_str().unwrap();
        let show = [
            "-show_entries",
            "stream=codec_name,channels",
            "-of",
            "csv=p=0",
            file,
        ];
        let probe = quiet("ffprobe", &[&["-v", "warning"][..], &show].concat());
        let line = String::from_utf8_lossy(&probe.stdout);
        assert_eq!(line.trim(), format!("opus,{}", out.result.channels), "{name}");
    }
}

#[test]
fn the_sound_is_the_same_to_the_sample() {
    for name in fixtures() {
        if name == "chained.ogg" {
            continue; // Below.
        }
        let out = remux(&fixture(&name));
        let (mut before, after) = (pcm(&fixture(&name)), pcm(&out.path));
        let frame = 2 * usize::from(out.result.channels);
        if (name.starts_with("chromium") && name.ends_with(".webm")) || name.ends_with(".caf") {
            before.drain(..312 * frame); // Chromium and ffmpeg's CAF writer tell no pre-skip.
        }
        assert!(
            before == after,
            "{name}: {} and {} bytes of sound",
            before.len(),
            after.len()
        );
        assert_eq!(after.len() / frame, out.result.samples_48k as usize, "{name}");
    }
}

#[test]
fn chained_streams_become_one_with_all_their_packets() {
    let out = remux(&fixture("chained.ogg"));
    let mut parts = packets(&fixture("opusenc.ogg"));
    parts.extend(packets(&fixture("opusenc-stereo.ogg")));
    assert_eq!(packets(&out.path), parts);
    // Four seconds each; what was trimmed in the middle is heard now: the end of the first and the start of the second.
    assert!(
        (8_000..8_060).contains(&out.result.duration_ms),
        "{}",
        out.result.duration_ms
    );
    assert!(!out.result.truncated);
}

#[test]
fn an_mp4_that_counts_samples_ends_at_the_sample() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("exact.mp4");
    // Ten packets hold 9,288 samples after the pre-skip.
    for samples in [9_288, 9_287, 9_286, 9_285, 9_284, 9_241, 9_000, 8_330] {
        let tone = format!("sine=440:r=48000,atrim=end_sample={samples}");
        let args = [
            "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &tone, "-c:a", "libopus",
        ];
        // By the edit list, and by the duration of the last sample.
        for timescale in ["48000", "1000"] {
            let exact = ["-movie_timescale", timescale, file.to_str().unwrap()];
            run("ffmpeg", &[&args[..], &exact].concat());
            assert_eq!(remux(&file).result.samples_48k, samples, "{timescale}");
        }
    }
}
