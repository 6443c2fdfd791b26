//! Files that claim more than they hold, or hold more than is allowed; and what real damage costs.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use voxpost_audio::{Error, Limits, Normalised, OggOpusWriter, Options, OpusHead, normalise};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/opus")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn run(file: &[u8]) -> Result<Normalised, Error> {
    run_within(file, Limits::default()).0
}

fn run_within(file: &[u8], limits: Limits) -> (Result<Normalised, Error>, usize) {
    let mut out = Vec::new();
    let options = Options {
        limits,
        ..Options::default()
    };
    let result = normalise(Cursor::new(file), &mut out, &options, &|| false);
    (result, out.len())
}

/// An Ogg file of packets that are nothing but a TOC byte: 60 ms each.
fn ogg_of_nothing(packets: usize) -> Vec<u8> {
    let mut writer = OggOpusWriter::new(Vec::new(), &OpusHead::new(1, 312), 1).unwrap();
    for _ in 0..packets {
        writer.packet(&[11 << 3], 2880).unwrap();
    }
    writer.finish(None).unwrap()
}

#[test]
fn hours_in_a_small_file_are_refused_before_much_is_written() {
    let ten_hours = ogg_of_nothing(10 * 60 * 60 * 1000 / 60);
    assert!(ten_hours.len() < 10 << 20);
    let limits = Limits {
        max_duration_ms: 60_000,
        ..Limits::default()
    };
    let (result, written) = run_within(&ten_hours, limits);
    assert!(matches!(result, Err(Error::TooLong { max_ms: 60_000 })));
    assert!(written < 10_000, "{written}");
}

#[test]
fn the_limit_itself_is_allowed_and_a_sample_more_is_not() {
    let make = |end| {
        let mut writer = OggOpusWriter::new(Vec::new(), &OpusHead::new(1, 0), 1).unwrap();
        for _ in 0..50 {
            writer.packet(&[11 << 3], 2880).unwrap();
        }
        writer.finish(Some(end)).unwrap()
    };
    let limits = Limits {
        max_duration_ms: 2990,
        ..Limits::default()
    };
    assert_eq!(run_within(&make(2990 * 48), limits).0.unwrap().duration_ms, 2990);
    assert_eq!(
        run_within(&make(2990 * 48 + 1), limits).0.unwrap_err().code(),
        "audio_too_long"
    );
}

#[test]
fn a_result_that_grows_too_large_is_refused() {
    let limits = Limits {
        max_output_bytes: 3000,
        ..Limits::default()
    };
    let (result, written) = run_within(&read("opusenc.ogg"), limits);
    assert_eq!(result.unwrap_err().code(), "audio_too_large");
    assert!(written < 3000 + 4000);
}

#[test]
fn work_stops_when_it_is_told_to() {
    let result = normalise(
        Cursor::new(read("opusenc.ogg")),
        std::io::sink(),
        &Options::default(),
        &|| true,
    );
    assert_eq!(result.unwrap_err().code(), "unavailable");
}

#[test]
fn a_file_without_packets_is_empty() {
    assert_eq!(run(&ogg_of_nothing(0)).unwrap_err().code(), "audio_empty");
    assert_eq!(run(b"").unwrap_err().code(), "audio_empty");
}

#[test]
fn a_file_of_malformed_packets_is_corrupt() {
    let mut writer = OggOpusWriter::new(Vec::new(), &OpusHead::new(1, 312), 1).unwrap();
    for _ in 0..100 {
        writer.packet(&[3], 960).unwrap();
    }
    let error = run(&writer.finish(None).unwrap()).unwrap_err();
    assert_eq!(error.code(), "audio_corrupt");
}

#[test]
fn a_broken_page_costs_its_sound_but_not_its_time() {
    let file = read("opusenc.ogg");
    let whole = run(&file).unwrap();
    // Pages: head, tags, then some of about a second and the rest.
    let pages: Vec<_> = (0..file.len())
        .filter(|&i| file[i..].starts_with(b"OggS"))
        .collect();
    for &page in &pages[2..] {
        let mut damaged = file.clone();
        damaged[page + 60] ^= 0x55;
        let result = run(&damaged).unwrap();
        assert!(result.truncated);
        assert!((1..1100).contains(&result.missing_ms), "{}", result.missing_ms);
        let difference = result.duration_ms.abs_diff(whole.duration_ms);
        assert!(
            difference <= 20,
            "{} and {}",
            result.duration_ms,
            whole.duration_ms
        );
    }
}

/// A fixture without some of its packets; ffmpeg leaves the other timestamps as they are.
fn without(name: &str, which: &str, extension: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dropped").with_extension(extension);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(fixture(name))
        .args(["-c", "copy", "-bsf:a", &format!("noise=amount=0:drop={which}")])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(path).unwrap()
}

#[test]
fn packets_that_were_never_sent_leave_their_time() {
    for (name, extension) in [
        ("frames-20.webm", "webm"),
        ("frames-20.mp4", "mp4"),
        ("frames-60.webm", "webm"),
    ] {
        let whole = run(&read(name)).unwrap();
        for which in ["eq(n\\,20)", "between(n\\,10\\,14)", "not(mod(n\\,5)-2)"] {
            let file = without(name, which, extension);
            let result = run(&file).unwrap();
            assert!(file.len() < read(name).len());
            let difference = result.duration_ms.abs_diff(whole.duration_ms);
            assert!(
                difference <= 20,
                "{name} {which}: {} and {}",
                result.duration_ms,
                whole.duration_ms
            );
            assert!(!result.truncated, "{name} {which}");
        }
    }
}
