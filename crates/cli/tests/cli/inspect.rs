//! `voxpost inspect`.

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
