//! Loudness and peak as other meters read them.

use std::fs::File;

use crate::common::{analysis, encode, fixture, read, run};
use voxpost_audio::{Limits, analyse_ogg, inspect};

/// Integrated loudness in LUFS and true peak in dBFS as ffmpeg's meter reads them.
fn metered(input: &[&str]) -> (f32, f32) {
    let filter = ["-af", "ebur128=peak=true", "-f", "null", "-"];
    let said = run(
        "ffmpeg",
        &[&["-nostdin", "-hide_banner"], input, &filter].concat(),
    );
    let summary = &said[said.rfind("Summary:").expect("a summary")..];
    let value = |label: &str| {
        let after = &summary[summary.find(label).expect("a value") + label.len()..];
        after
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number")
    };
    (value("I:"), value("Peak:"))
}

#[test]
fn loudness_and_peak_are_those_of_the_message_as_ffmpeg_measures_them() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("message.opus");
    for name in ["speech.flac", "stereo-48k.m4a", "mpeg2-16k.mp3", "alaw-8k.wav"] {
        let (ogg, done) = encode(read(&fixture(name))).expect(name);
        std::fs::write(&path, ogg).expect("room for the message");
        let (lufs, peak_db) = metered(&["-c:a", "libopus", "-i", path.to_str().expect("UTF-8")]);

        // Measured before encoding, which takes a little off; more of narrow sound.
        let before = analysis(&done);
        let found = before.loudness_lufs.expect("speech");
        assert!((found - lufs).abs() < 0.5, "{name}: {found} against {lufs} LUFS");
        let found = 20.0 * before.peak.log10();
        assert!(
            (found - peak_db).abs() < 1.5,
            "{name}: {found} against {peak_db} dBFS"
        );
        let (loud, peak) = (lufs + before.gain_db, peak_db + before.gain_db);
        assert!(
            loud < -15.6 && peak < 0.5,
            "{name}: {loud} LUFS, {peak} dBFS after the gain"
        );

        // Measured from what is kept.
        let message = File::open(&path).expect("the message");
        let after = analyse_ogg(message, &Limits::default(), &|| false).expect("a message");
        let found = after.loudness_lufs.expect("speech");
        assert!((found - lufs).abs() < 0.3, "{name}: {found} against {lufs} LUFS");
        let found = 20.0 * after.peak.log10();
        assert!(
            (found - peak_db).abs() < 1.0,
            "{name}: {found} against {peak_db} dBFS"
        );
        assert_eq!(after.waveform.len(), before.waveform.len(), "{name}");
        let apart = after
            .waveform
            .iter()
            .zip(&before.waveform)
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(apart < Some(150), "{name}: {apart:?}");
    }
}

#[test]
fn a_report_has_the_loudness_that_ffmpeg_measures_in_the_file() {
    let fixtures = std::fs::read_dir(fixture(""))
        .expect("the fixtures")
        .map(|entry| entry.expect("one").path())
        // ffmpeg's own AMR decoders round differently, it takes off more of HE-AAC, and counts loudspeakers at the side
        // for more. SILK it does not know at all.
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            !["amr-", "he-aac", "opus-", "silk-", "wechat-"]
                .iter()
                .any(|kind| name.starts_with(kind))
        });
    for path in fixtures.chain([
        fixture("../opus/opusenc-stereo.ogg"),
        fixture("../opus/opusenc.ogg"),
    ]) {
        let file = path.to_str().expect("UTF-8");
        let report = inspect(File::open(&path).expect(file), &|| false).expect(file);
        let decoder: &[&str] = if report.codec == "opus" {
            &["-c:a", "libopus"]
        } else {
            &[]
        };
        let (lufs, _) = metered(&[decoder, &["-i", file]].concat());
        let found = report.analysis.loudness_lufs.expect("speech");
        assert!((found - lufs).abs() < 0.3, "{file}: {found} against {lufs} LUFS");
        let entries = [
            "-v",
            "error",
            "-show_entries",
            "stream=channels",
            "-of",
            "default=nw=1:nk=1",
            file,
        ];
        let shown = run("ffprobe", &entries);
        let channels = shown.split_whitespace().next().and_then(|word| word.parse().ok());
        assert_eq!(Some(report.channels), channels, "{file}: {shown}");
        assert!(
            (1_500..6_000).contains(&report.duration_ms) && report.packets > 0,
            "{file}: {report:?}"
        );
        let json = serde_json::to_value(&report).expect("JSON");
        for key in [
            "container",
            "codec",
            "duration_ms",
            "loudness_lufs",
            "waveform",
            "peak",
            "speech",
            "gain_db",
        ] {
            assert!(!json[key].is_null(), "{file}: {key}");
        }
    }
}

#[test]
fn speech_is_found_where_it_is() {
    let (_, done) = encode(read(&fixture("speech.flac"))).expect("a FLAC file");
    let speech = &analysis(&done).speech;
    let spoken: u64 = speech.iter().map(|[from, to]| to - from).sum();
    assert!((1_200..3_100).contains(&spoken), "{speech:?}");
    assert!(
        speech.windows(2).all(|pair| pair[0][1] < pair[1][0]),
        "{speech:?}"
    );
    assert_eq!(analysis(&done).waveform.len(), 100);
    assert_eq!(analysis(&done).waveform.iter().max(), Some(&1_024));
}
