//! Files made by other programs in, speech that other programs can play out: in its place, whole, and no longer.

use crate::common::{encode, fixture, read, reference, run, sound};
use voxpost_audio::Codec;

/// 1 ms: what is shifted further was not trimmed.
const MAX_LAG: i64 = 48;

/// Transcodes a file and compares what ffmpeg's libopus plays of the result with the reference recording.
fn hear(name: &str, file: Vec<u8>, codec: &Codec, tail_ms: i64) {
    let (ogg, done) = encode(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(done.transcoded && done.source.codec == *codec, "{name}: {done:?}");
    assert!(!done.truncated && done.missing_ms == 0, "{name}: {done:?}");
    let heard = sound::decode_ogg_opus(&ogg);
    assert_eq!(
        heard.len() as u64,
        done.samples_48k,
        "{name}: the end is trimmed as announced"
    );

    let spoken = reference();
    let longer = heard.len() as i64 - spoken.len() as i64;
    assert!(
        (-48..=tail_ms * 48).contains(&longer),
        "{name}: {longer} samples longer than what was spoken"
    );
    let found = sound::similarity(&spoken, &heard, sound::RATE);
    assert!(found.lag_samples.abs() <= MAX_LAG, "{name}: {found:?}");
    assert!(
        found.correlation > 0.9 && found.envelope_correlation > 0.9,
        "{name}: {found:?}"
    );

    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("out.opus");
    std::fs::write(&path, ogg).expect("room for the result");
    let path = path.to_str().expect("UTF-8");
    let info = run("opusinfo", &[path]);
    assert!(
        !info.contains("WARNING") && info.contains("Pre-skip: 312"),
        "{name}: {info}"
    );
    let entries = ["-show_entries", "stream=codec_name,channels", "-of", "csv=p=0"];
    let shown = run("ffprobe", &[&["-v", "warning"], &entries[..], &[path]].concat());
    assert_eq!(shown.trim(), "opus,1", "{name}");
}

fn hear_fixture(name: &str, codec: &Codec, tail_ms: i64) {
    hear(name, read(&fixture(name)), codec, tail_ms);
}

#[test]
fn wav_as_telephones_and_recorders_write_it() {
    for name in [
        "alaw-8k.wav",
        "mulaw-8k.wav",
        "u8-11k.wav",
        "pipe-ffmpeg-8k.wav",
        "pipe-sox-8k.wav",
    ] {
        hear_fixture(name, &Codec::Pcm, 1);
    }
    // A block of ADPCM is filled up with silence.
    hear_fixture("ima-adpcm-16k.wav", &Codec::Adpcm, 128);
}

#[test]
fn wav_of_every_width_rate_and_number_of_channels() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let speech = fixture("speech.flac");
    let speech = speech.to_str().expect("UTF-8");
    for (width, rate, channels) in [
        ("pcm_u8", 44_100, 1),
        ("pcm_s16le", 8_000, 2),
        ("pcm_s16le", 22_050, 1),
        ("pcm_s24le", 96_000, 2),
        ("pcm_s32le", 192_000, 1),
        ("pcm_f32le", 48_000, 6),
        ("pcm_f64le", 11_025, 8),
        ("pcm_alaw", 16_000, 2),
        ("pcm_mulaw", 44_100, 1),
        ("pcm_s16le", 44_100, 8),
        ("pcm_s24le", 12_000, 4),
        ("pcm_f32le", 32_000, 3),
    ] {
        let name = format!("{width}-{rate}-{channels}.wav");
        let path = dir.path().join(&name);
        let path = path.to_str().expect("UTF-8");
        // All channels the same: what a downmix must keep.
        let pan: Vec<String> = (0..channels).map(|i| format!("c{i}=c0")).collect();
        let filter = format!("pan={channels}c|{}", pan.join("|"));
        let rate_text = rate.to_string();
        let output = ["-ar", &rate_text, "-c:a", width, path];
        run(
            "ffmpeg",
            &[&["-v", "error", "-i", speech, "-af", &filter], &output[..]].concat(),
        );
        hear(&name, read(path.as_ref()), &Codec::Pcm, 1);
    }
}

#[test]
fn mp3_without_the_silence_that_its_encoder_put_around_it() {
    for name in ["cbr-44k1.mp3", "vbr-id3v2-44k1.mp3", "stereo-48k.mp3"] {
        hear_fixture(name, &Codec::Mp3, 1);
    }
    // Its frames are too small for the tag that tells the padding.
    hear_fixture("mpeg2-16k.mp3", &Codec::Mp3, 36);
}

#[test]
fn aac_in_mp4_without_its_priming_and_padding() {
    for name in [
        "moov-last-44k1.m4a",
        "stereo-48k.m4a",
        "voice-16k.m4a",
        "fragmented-edit-44k1.mp4",
    ] {
        hear_fixture(name, &Codec::Aac, 1);
    }
}

#[test]
fn aac_that_does_not_tell_its_padding_is_at_most_a_frame_longer() {
    hear_fixture("fragmented-44k1.mp4", &Codec::Aac, 24);
    hear_fixture("adts-44k1.aac", &Codec::Aac, 24);
}

#[test]
fn vorbis_flac_alac_aiff_and_caf() {
    for (name, codec, tail_ms) in [
        ("vorbis-44k1.ogg", Codec::Vorbis, 1),
        ("vorbis-44k1.webm", Codec::Vorbis, 24),
        ("speech.flac", Codec::Flac, 1),
        ("flac-16k.oga", Codec::Flac, 1),
        ("alac-16k.m4a", Codec::Alac, 1),
        ("aiff-8k.aiff", Codec::Pcm, 1),
        ("caf-8k.caf", Codec::Pcm, 1),
    ] {
        hear_fixture(name, &codec, tail_ms);
    }
}
