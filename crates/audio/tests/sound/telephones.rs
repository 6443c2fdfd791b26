//! What telephones, messengers and old programs write: each against the recording that it was made from, and against
//! ffmpeg's decoders.

use crate::common::{encode, fixture, read, reference, sound};
use voxpost_audio::{Codec, Normalised};

/// How near a result has to be.
struct Near {
    /// How much later than in the recording the sound may come, in ms.
    late_ms: std::ops::RangeInclusive<i64>,
    /// How much longer it may be, in ms.
    longer_ms: std::ops::RangeInclusive<i64>,
    /// Least correlation of waveforms in the speech band with the recording.
    correlation: f64,
    /// How far ffmpeg's decoder may be off, in ms: it trims other things, or nothing.
    ffmpeg_ms: i64,
}

/// Lossless, or nearly so, and trimmed to the sample.
const EXACT: Near = Near {
    late_ms: 0..=0,
    longer_ms: 0..=0,
    correlation: 0.98,
    ffmpeg_ms: 1,
};

/// AMR comes late by what its encoder looks ahead, and its last frame is filled up.
const AMR: Near = Near {
    late_ms: 4..=7,
    longer_ms: 0..=25,
    correlation: 0.9,
    ffmpeg_ms: 1,
};

/// Frames without a tag that tells the padding: at most two of them. ffmpeg leaves the priming in, 1,105 samples.
const MP3: Near = Near {
    late_ms: 0..=0,
    longer_ms: 0..=75,
    correlation: 0.95,
    ffmpeg_ms: 139,
};

/// The whole recording, or the second and a half that is enough where nothing is lost.
fn spoken(short: bool) -> Vec<f32> {
    let mut spoken = reference();
    if short {
        spoken.truncate(72_000);
    }
    spoken
}

fn hear(name: &str, codec: &Codec, short: bool, near: &Near) -> Normalised {
    let (ogg, done) = encode(read(&fixture(name))).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(done.transcoded && done.source.codec == *codec, "{name}: {done:?}");
    assert!(!done.truncated && done.missing_ms == 0, "{name}: {done:?}");
    let heard = sound::decode_ogg_opus(&ogg);
    assert_eq!(heard.len() as u64, done.samples_48k, "{name}");

    let spoken = spoken(short);
    let longer = (heard.len() as i64 - spoken.len() as i64) / 48;
    let found = sound::similarity(&spoken, &heard, sound::RATE);
    assert!(near.longer_ms.contains(&longer), "{name}: {longer} ms longer");
    assert!(
        near.late_ms.contains(&(found.lag_samples / 48)),
        "{name}: {found:?}"
    );
    assert!(found.correlation > near.correlation, "{name}: {found:?}");

    // ffmpeg finds no AMR without its magic line.
    if !name.contains("no-magic") {
        let theirs = sound::read_wav(&fixture(name));
        let found = sound::similarity(&theirs, &heard, sound::RATE);
        let longer = (heard.len() as i64 - theirs.len() as i64) / 48;
        assert!(
            longer.abs() <= near.ffmpeg_ms,
            "{name}: {longer} ms longer than ffmpeg"
        );
        assert!(
            (found.lag_samples / 48).abs() <= near.ffmpeg_ms,
            "{name}: {found:?}"
        );
        assert!(found.correlation > 0.95, "{name}: {found:?}");
    }
    done
}

#[test]
fn amr_of_the_best_and_of_the_least_bit_rate() {
    for (name, codec, correlation) in [
        ("amr-nb-12k2.amr", Codec::AmrNb, 0.9),
        ("amr-nb-4k75.amr", Codec::AmrNb, 0.7),
        ("amr-wb-23k85.amr", Codec::AmrWb, 0.9),
        ("amr-wb-6k6.amr", Codec::AmrWb, 0.7),
    ] {
        let done = hear(name, &codec, false, &Near { correlation, ..AMR });
        let mime = if codec == Codec::AmrNb {
            "audio/amr"
        } else {
            "audio/amr-wb"
        };
        assert_eq!(done.source.mime, mime);
    }
}

#[test]
fn amr_without_its_magic_line() {
    for (name, codec) in [
        ("amr-nb-no-magic.amr", Codec::AmrNb),
        ("amr-wb-no-magic.amr", Codec::AmrWb),
    ] {
        hear(
            name,
            &codec,
            false,
            &Near {
                correlation: 0.7,
                ..AMR
            },
        );
    }
}

#[test]
fn amr_in_3gp_plain_and_fragmented() {
    for (name, codec, correlation) in [
        ("amr-nb.3gp", Codec::AmrNb, 0.9),
        ("amr-wb.3gp", Codec::AmrWb, 0.7),
        ("amr-nb-fragmented.3gp", Codec::AmrNb, 0.7),
    ] {
        hear(name, &codec, false, &Near { correlation, ..AMR });
    }
}

#[test]
fn amr_that_sends_nothing_while_nobody_speaks() {
    for name in ["amr-nb-dtx.amr", "amr-wb-dtx.amr"] {
        let (ogg, done) = encode(read(&fixture(name))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            (5_000..=5_020).contains(&done.duration_ms) && !done.truncated,
            "{name}: {done:?}"
        );
        let heard = sound::decode_ogg_opus(&ogg);
        // Comfort noise is made up: what is compared is the speech on both sides of it.
        for part in [0..72_000, 168_000..240_000] {
            let found = sound::similarity(&spoken(true), &heard[part], sound::RATE);
            assert!(
                AMR.late_ms.contains(&(found.lag_samples / 48)),
                "{name}: {found:?}"
            );
            assert!(found.correlation > 0.85, "{name}: {found:?}");
        }
        let loudness = |x: &[f32]| (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt();
        let (noise, speech) = (loudness(&heard[90_000..160_000]), loudness(&heard[..70_000]));
        assert!(noise < 0.02 * speech, "{name}: {noise} beside {speech}");
    }
}

#[test]
fn mp3_of_every_version_and_way_to_spend_bits() {
    for name in ["mpeg25-8k.mp3", "mpeg2-vbr-22k05.mp3", "abr-id3v1-16k.mp3"] {
        hear(name, &Codec::Mp3, false, &MP3);
    }
}

#[test]
fn mp3_behind_garbage_and_inside_wav() {
    for name in ["garbage-in-front-16k.mp3", "mp3-in-16k.wav"] {
        hear(name, &Codec::Mp3, false, &MP3);
    }
}

#[test]
fn adpcm_of_microsoft() {
    // The last block is filled up.
    let near = Near {
        longer_ms: 0..=64,
        ffmpeg_ms: 64,
        ..EXACT
    };
    hear("ms-adpcm-16k.wav", &Codec::Adpcm, true, &near);
}

#[test]
fn aiff_c_and_caf() {
    for (name, codec) in [
        ("mulaw-8k.aifc", Codec::Pcm),
        ("little-endian-8k.aifc", Codec::Pcm),
        ("mulaw-8k.caf", Codec::Pcm),
        ("alac-16k.caf", Codec::Alac),
    ] {
        hear(name, &codec, true, &EXACT);
    }
}

#[test]
fn flac_in_matroska() {
    hear("flac-16k.mka", &Codec::Flac, true, &EXACT);
}

#[test]
fn opus_of_more_than_two_channels_in_every_container() {
    for name in ["opus-quad.ogg", "opus-5.1.ogg", "opus-5.1.webm", "opus-5.1.mp4"] {
        let done = hear(
            name,
            &Codec::Opus,
            true,
            &Near {
                longer_ms: 0..=20,
                ffmpeg_ms: 20,
                correlation: 0.9,
                ..EXACT
            },
        );
        assert_eq!((done.channels, done.source.remux), (1, false), "{name}");
    }
}

#[test]
fn he_aac_by_its_core() {
    // The delay of the part that is left out, 22 ms at 44.1 kHz, is in the edit list; ffmpeg takes off more than that.
    let near = Near {
        late_ms: -25..=1,
        longer_ms: 0..=0,
        correlation: 0.9,
        ffmpeg_ms: 150,
    };
    hear("he-aac-44k1.m4a", &Codec::Aac, false, &near);
    hear("he-aac-v2-44k1.m4a", &Codec::Aac, false, &near);
    // ADTS tells nothing but that there are frames.
    let near = Near {
        late_ms: 0..=100,
        longer_ms: 0..=160,
        correlation: 0.9,
        ffmpeg_ms: 75,
    };
    hear("he-aac-44k1.aac", &Codec::Aac, false, &near);
}

/// Nothing that could decode it was installed in this program; tests/silk.rs has one where it is.
#[test]
fn silk_is_recognised_and_refused_by_name() {
    for name in ["wechat-24k.silk", "silk-16k.silk"] {
        let refused = encode(read(&fixture(name))).unwrap_err();
        assert_eq!(refused.code(), "audio_unsupported", "{name}");
        assert_eq!(refused.to_string(), "SILK v3 cannot be read here", "{name}");
    }
}
