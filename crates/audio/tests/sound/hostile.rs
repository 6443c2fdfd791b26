//! Files that are broken, extreme or made to hurt.

use std::cell::Cell;
use std::io::Cursor;

use crate::common::{analysis, encode, fixture, float_wav, read, run, sound};
use voxpost_audio::{Error, Limits, Normalised, Options, normalise};

fn encode_wav(rate: u32, samples: &[f32]) -> Result<(Vec<u8>, Normalised), Error> {
    encode(float_wav(rate, samples))
}

#[test]
fn silence_stays_silence_of_the_same_length() {
    let (ogg, done) = encode_wav(44_100, &vec![0.0; 44_100 * 4]).expect("silence is sound");
    assert_eq!(done.samples_48k, 48_000 * 4);
    assert_eq!(analysis(&done).loudness_lufs, None);
    assert_eq!(analysis(&done).waveform, [0; 100]);
    let heard = sound::decode_ogg_opus(&ogg);
    assert_eq!(heard.len(), 48_000 * 4);
    assert!(heard.iter().all(|x| x.abs() < 1e-3));
}

#[test]
fn one_sample_is_a_message_and_none_is_not() {
    // The last one has no factor in common with 48 kHz.
    for rate in [8_000, 44_100, 48_000, 192_000, 191_999] {
        let (ogg, done) = encode_wav(rate, &[0.5]).expect("a sample");
        assert_eq!(
            done.samples_48k,
            (48_000 + u64::from(rate) / 2) / u64::from(rate),
            "{rate} Hz"
        );
        assert_eq!(sound::decode_ogg_opus(&ogg).len() as u64, done.samples_48k);
        assert!(matches!(encode_wav(rate, &[]), Err(Error::Empty)), "{rate} Hz");
    }
}

#[test]
fn floats_that_are_no_sound_do_no_harm() {
    let broken: Vec<f32> = (0..96_000)
        .map(|i| match i % 7 {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => -f32::INFINITY,
            3 => f32::MAX,
            4 => f32::MIN_POSITIVE / 2.0,
            _ => 40.0,
        })
        .collect();
    let (ogg, done) = encode_wav(48_000, &broken).expect("numbers of a kind");
    assert_eq!(done.samples_48k, 96_000);
    assert!(analysis(&done).peak.is_finite() && analysis(&done).gain_db.is_finite());
    assert!(sound::decode_ogg_opus(&ogg).iter().all(|x| x.is_finite()));
}

#[test]
fn a_constant_offset_is_no_sound() {
    let (ogg, _) = encode_wav(48_000, &vec![0.5; 96_000]).expect("an offset");
    let heard = sound::decode_ogg_opus(&ogg);
    let loudest = heard[48_000..90_000]
        .iter()
        .fold(0.0_f32, |max, x| max.max(x.abs()));
    assert!(loudest < 0.05, "the offset is filtered out: {loudest}");
}

#[test]
fn clipped_speech_is_still_that_speech() {
    let spoken = sound::read_wav(&fixture("speech.flac"));
    let clipped: Vec<f32> = spoken.iter().map(|x| 20.0 * x).collect();
    let (ogg, done) = encode_wav(48_000, &clipped).expect("loud speech");
    assert!(
        analysis(&done).peak >= 1.0 && analysis(&done).gain_db < 0.0,
        "{:?}",
        done.analysis
    );
    let found = sound::similarity(&spoken, &sound::decode_ogg_opus(&ogg), sound::RATE);
    assert!(
        found.lag_samples.abs() <= 48 && found.envelope_correlation > 0.7,
        "{found:?}"
    );
}

/// Refused before a sample was decoded: nothing was written, not even a header.
fn is_refused_at_once(name: &str, file: Vec<u8>) {
    assert!(file.len() <= 10 << 20, "{name}: {} bytes", file.len());
    let mut written = Vec::new();
    let done = normalise(Cursor::new(file), &mut written, &Options::default(), &|| false);
    assert!(
        matches!(done, Err(Error::TooLong { max_ms: 7_200_000 })),
        "{name}: {done:?}"
    );
    assert!(written.is_empty(), "{name}");
}

#[test]
fn hours_of_silence_in_a_small_file_are_refused_before_they_are_decoded() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let silence = |seconds: &str, codec: &[&str], path: &str| {
        let input = [
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "anullsrc=r=8000:cl=mono",
            "-t",
            seconds,
        ];
        run("ffmpeg", &[&input, codec, &[path]].concat());
        read(path.as_ref())
    };
    let flac = silence(
        "36000",
        &["-c:a", "flac", "-frame_size", "16384"],
        &path("ten-hours.flac"),
    );
    is_refused_at_once("FLAC", flac);

    // The same with a header that does not say how many samples there are.
    let mut flac = read(path("ten-hours.flac").as_ref());
    flac[21] &= 0xf0;
    flac[22..26].fill(0);
    is_refused_at_once("FLAC of unknown length", flac);

    let options = [
        "-c:a",
        "libmp3lame",
        "-b:a",
        "8k",
        "-write_xing",
        "0",
        "-id3v2_version",
        "0",
    ];
    let mp3 = silence("4", &options, &path("silence.mp3")).repeat(2_500);
    is_refused_at_once("MP3", mp3);

    let adts = silence("4", &["-c:a", "aac", "-b:a", "8k"], &path("silence.aac"));
    let adts = adts.repeat((10 << 20) / adts.len());
    is_refused_at_once("ADTS", adts);
}

#[test]
fn the_limits_hold_while_decoding_too() {
    let second: Vec<f32> = (0..16_000).map(|i| 0.3 * (i as f32 * 0.3).sin()).collect();
    let second = float_wav(16_000, &second);
    let attempt = |limits: Limits| {
        let options = Options {
            limits,
            ..Options::default()
        };
        normalise(Cursor::new(&second), Vec::new(), &options, &|| false)
    };
    let limits = Limits::default();
    assert!(
        attempt(Limits {
            max_duration_ms: 1_000,
            ..limits
        })
        .is_ok(),
        "as long as allowed"
    );
    let longer = attempt(Limits {
        max_duration_ms: 999,
        ..limits
    });
    assert!(
        matches!(longer, Err(Error::TooLong { max_ms: 999 })),
        "{longer:?}"
    );
    let larger = attempt(Limits {
        max_output_bytes: 1_000,
        ..limits
    });
    assert!(
        matches!(larger, Err(Error::OutputTooLarge { max_bytes: 1_000 })),
        "{larger:?}"
    );
    let faster = attempt(Limits {
        max_sample_rate: 8_000,
        ..limits
    });
    assert!(matches!(faster, Err(Error::Unsupported { .. })), "{faster:?}");
}

#[test]
fn work_stops_when_it_is_cancelled() {
    let asked = Cell::new(0);
    let cancelled = || {
        asked.set(asked.get() + 1);
        asked.get() > 20
    };
    let file = Cursor::new(read(&fixture("speech.flac")));
    let done = normalise(file, Vec::new(), &Options::default(), &cancelled);
    assert!(matches!(done, Err(Error::OutOfTime)), "{done:?}");
    assert_eq!(asked.get(), 21);
}

#[test]
fn a_codec_that_cannot_be_decoded_is_named() {
    let mut file = read(&fixture("moov-last-44k1.m4a"));
    // AudioSpecificConfig: AAC-LC, 44.1 kHz, mono becomes AAC Main.
    let at = file
        .windows(2)
        .position(|bytes| bytes == [0x12, 0x08])
        .expect("the configuration");
    file[at] = 0x0A;
    let error = encode(file).expect_err("AAC Main");
    assert!(
        matches!(&error, Error::Unsupported { codec } if codec == "AAC Main"),
        "{error}"
    );
}

#[test]
fn a_file_that_was_cut_gives_what_it_holds_and_says_so() {
    for name in [
        "u8-11k.wav",
        "aiff-8k.aiff",
        "speech.flac",
        "stereo-48k.m4a",
        "vorbis-44k1.ogg",
        "vorbis-44k1.webm",
        "amr-nb-12k2.amr",
        "amr-wb-23k85.amr",
    ] {
        let mut file = read(&fixture(name));
        file.truncate(file.len() * 6 / 10);
        let (_, done) = encode(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(done.truncated, "{name}: {done:?}");
        // The last page of Vorbis, a second and more, is lost as a whole.
        let least = if name.ends_with(".ogg") { 30_000 } else { 60_000 };
        assert!((least..110_000).contains(&done.samples_48k), "{name}: {done:?}");
    }
}

#[test]
fn damage_in_the_middle_costs_its_own_time_only() {
    for name in ["adts-44k1.aac", "cbr-44k1.mp3", "stereo-48k.m4a", "speech.flac"] {
        let mut file = read(&fixture(name));
        let middle = file.len() / 2;
        file[middle..middle + 600].fill(0x55);
        let (ogg, done) = encode(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(done.samples_48k > 120_000, "{name}: {done:?}");
        let spoken = sound::read_wav(&fixture("speech.flac"));
        let found = sound::similarity(&spoken, &sound::decode_ogg_opus(&ogg), sound::RATE);
        assert!(
            found.lag_samples.abs() < 4_800 && found.correlation > 0.4,
            "{name}: {found:?}"
        );
    }
}

#[test]
fn no_damage_makes_a_panic_or_a_hang() {
    let fixtures = std::fs::read_dir(fixture("")).expect("the fixtures");
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for path in fixtures.map(|entry| entry.expect("a fixture").path()) {
        let whole = read(&path);
        for round in 0..6 {
            let mut file = whole.clone();
            // Mostly the first kilobyte: that is where structure is.
            for _ in 0..1 + random(12) {
                let at = if round % 2 == 0 {
                    random(file.len().min(1_024))
                } else {
                    random(file.len())
                };
                file[at] = random(256) as u8;
            }
            file.truncate(file.len() - random(file.len() / 2));
            if let Ok((ogg, done)) = encode(file) {
                assert!(
                    done.samples_48k > 0 && ogg.starts_with(b"OggS"),
                    "{}",
                    path.display()
                );
            }
        }
    }
}
