//! `voxpost inspect`.

use std::collections::HashSet;
use std::process::Command;

use voxpost_testkit::Clip;

use crate::exit;
use crate::shell::Shell;

#[tokio::test]
async fn one_object_tells_what_is_in_a_file() {
    let shell = Shell::new();
    let webm = Clip::webm(4.0, 300);
    shell.write("a.webm", &webm.bytes);
    shell.write(
        "a.wav",
        &webm.as_ffmpeg_writes(&["-ar", "44100", "-f", "wav"]).bytes,
    );
    shell.write(
        "a.m4a",
        &webm.as_ffmpeg_writes(&["-c:a", "aac", "-f", "mp4"]).bytes,
    );
    shell.write("a.flac", &webm.as_ffmpeg_writes(&["-f", "flac"]).bytes);
    for (file, container, codec) in [
        ("a.webm", "webm", "opus"),
        ("a.wav", "wav", "pcm"),
        ("a.m4a", "mp4", "aac"),
        ("a.flac", "flac", "flac"),
    ] {
        let found = shell
            .run(&["inspect", "--json", file])
            .await
            .expect_code(exit::OK)
            .object();
        assert_eq!(
            (found["container"].as_str(), found["codec"].as_str()),
            (Some(container), Some(codec))
        );
        let duration = found["duration_ms"].as_i64().unwrap();
        assert!((3_990..=4_030).contains(&duration), "{file}: {duration} ms");
        let loudness = found["loudness_lufs"].as_f64().unwrap();
        assert!((-40.0..-5.0).contains(&loudness), "{file}: {loudness} LUFS");
        let waveform = found["waveform"].as_array().unwrap();
        assert_eq!(waveform.len(), 100, "{file}");
        assert!(
            waveform
                .iter()
                .all(|level| level.as_u64().is_some_and(|level| level <= 1024)),
            "{file}"
        );
    }
}

#[tokio::test]
async fn a_waveform_is_drawn_for_people_without_colour_codes_in_a_pipe() {
    let shell = Shell::new();
    shell.write("a.webm", &Clip::webm(4.0, 300).bytes);
    let text = shell
        .run(&["inspect", "a.webm"])
        .await
        .expect_code(exit::OK)
        .text();
    assert!(
        text.contains('█') && text.contains("webm") && text.contains("0:04") && text.contains("LUFS"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
    let painted = shell
        .run(&["inspect", "a.webm", "--color", "always"])
        .await
        .expect_code(exit::OK)
        .text();
    assert!(painted.contains("\u{1b}[36m"), "{painted}");
}

/// A picture as ffmpeg reads it: red, green, blue.
fn pixels(png: &std::path::Path) -> Vec<[u8; 3]> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i", png.to_str().unwrap()])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .expect("ffmpeg runs");
    assert!(output.status.success() && output.stderr.is_empty());
    output.stdout.as_chunks::<3>().0.to_vec()
}

#[tokio::test]
async fn a_picture_shows_the_sound_and_not_another_one() {
    let shell = Shell::new();
    let webm = Clip::webm(4.0, 300);
    shell.write("a.webm", &webm.bytes);
    let narrow = webm.as_ffmpeg_writes(&["-ar", "8000", "-ac", "2", "-f", "wav"]);
    shell.write("a.wav", &narrow.bytes);
    shell.write("other.webm", &Clip::webm(1.0, 900).bytes);
    let mut pictures = Vec::new();
    for file in ["a.webm", "a.wav", "other.webm"] {
        let arguments = ["inspect", file, "--png", "out.png", "--json"];
        let report = shell.run(&arguments).await.expect_code(exit::OK).object();
        assert!(report["duration_ms"].as_u64() > Some(900));
        let picture = pixels(&shell.path("out.png"));
        assert_eq!(picture.len(), 1_600 * 1_040, "{file}");
        let colours: HashSet<_> = picture.iter().collect();
        assert!(colours.len() > 200, "{file}: {} colours", colours.len());
        pictures.push(picture);
    }
    let differ = |a: &[[u8; 3]], b: &[[u8; 3]]| a.iter().zip(b).filter(|(a, b)| a != b).count();
    assert!(differ(&pictures[0], &pictures[2]) > 100_000);

    shell.write("a.txt", b"no sound in here, just words");
    let refused = shell.run(&["inspect", "a.txt", "--png", "none.png"]).await;
    refused.expect_code(exit::FILE);
    let lost = shell
        .run(&["inspect", "a.webm", "--png", "no/such/dir/x.png"])
        .await;
    lost.expect_code(exit::FILE);
    let left = std::fs::read_dir(shell.path(".")).unwrap().count();
    assert_eq!(left, 5, "four sounds and a picture: no half file");
}

#[tokio::test]
async fn what_is_no_sound_is_a_matter_of_the_file() {
    let shell = Shell::new();
    shell.write("a.txt", b"no sound in here, just words");
    shell.write("empty", b"");
    for file in ["a.txt", "empty", "gone", "."] {
        let ran = shell
            .run(&["inspect", file, "--json"])
            .await
            .expect_code(exit::FILE);
        assert!(
            ran.error()["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(file)),
            "{}",
            ran.stderr
        );
    }
    shell.run(&["inspect"]).await.expect_code(exit::USAGE);
}
