//! SILK v3 through the process that decodes it: files by the SDK's own encoder, damaged ones, and a worker that dies.
//!
//! The worker is this very program, so it has a `main` of its own.

use std::cell::Cell;
use std::fs;
use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Command, ExitCode};

use silk_codec::encode_silk;
use voxpost_audio::{Codec, Container, Error, Limits, Normalised, Options, inspect, normalise, probe};

#[path = "damage/mod.rs"]
mod damage;
#[allow(
    unreachable_pub,
    unused_imports,
    dead_code,
    reason = "it is public in the test kit, and tested there"
)]
#[path = "../../testkit/src/sound.rs"]
mod sound;

const TESTS: &[(&str, fn())] = &[
    (
        "files_by_the_sdk_are_the_same_speech_at_every_rate_with_and_without_the_byte_in_front",
        files_by_the_sdk_are_the_same_speech_at_every_rate_with_and_without_the_byte_in_front,
    ),
    ("fixtures_are_heard", fixtures_are_heard),
    ("pauses_keep_their_length", pauses_keep_their_length),
    (
        "a_file_that_was_cut_keeps_what_it_holds",
        a_file_that_was_cut_keeps_what_it_holds,
    ),
    ("damaged_packets_are_silence", damaged_packets_are_silence),
    ("nothing_but_damage_is_corrupt", nothing_but_damage_is_corrupt),
    ("the_worker_has_no_rights_left", the_worker_has_no_rights_left),
    (
        "a_worker_that_is_killed_makes_the_file_corrupt_and_the_next_one_is_heard",
        a_worker_that_is_killed_makes_the_file_corrupt_and_the_next_one_is_heard,
    ),
    ("no_worker_outlives_its_file", no_worker_outlives_its_file),
    (
        "hours_of_pauses_in_a_small_file_are_refused",
        hours_of_pauses_in_a_small_file_are_refused,
    ),
    ("damaged_files_are_survived", damaged_files_are_survived),
];

fn main() -> ExitCode {
    voxpost_audio::silk::install();
    // The words of `cargo test -- WORD` choose tests; its flags change nothing here.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let mut failed = false;
    for (name, test) in TESTS {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    u8::from(failed).into()
}

/// The reference recording as 16-bit samples at a rate.
fn spoken(rate: u32) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sound/speech.flac");
    Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-i",
            file.to_str().unwrap(),
            "-ar",
            &rate.to_string(),
        ])
        .args(["-f", "s16le", "-"])
        .output()
        .expect("ffmpeg is installed")
        .stdout
}

fn encode(file: &[u8]) -> Result<(Vec<u8>, Normalised), Error> {
    encode_while(file, &|| false)
}

fn encode_while(file: &[u8], cancelled: &dyn Fn() -> bool) -> Result<(Vec<u8>, Normalised), Error> {
    let mut ogg = Vec::new();
    let done = normalise(Cursor::new(file), &mut ogg, &Options::default(), cancelled)?;
    Ok((ogg, done))
}

fn is_the_same_speech(name: &str, ogg: &[u8], correlation: f64) {
    let original = sound::read_wav(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sound/speech.flac"));
    let heard = sound::decode_ogg_opus(ogg);
    let part = original.len().min(heard.len());
    let found = sound::similarity(&original[..part], &heard, sound::RATE);
    assert!(found.correlation > correlation, "{name}: {found:?}");
    // The SDK looks ahead 20 ms at most, and nothing tells it.
    assert!((0..1_500).contains(&found.lag_samples), "{name}: {found:?}");
}

fn files_by_the_sdk_are_the_same_speech_at_every_rate_with_and_without_the_byte_in_front() {
    for (rate, bit_rate, correlation) in [
        (24_000, 30_000, 0.9),
        (16_000, 24_000, 0.9),
        (12_000, 18_000, 0.9),
        (8_000, 10_000, 0.8),
    ] {
        let samples = spoken(rate);
        for wechat in [true, false] {
            let file = encode_silk(&samples, rate as i32, bit_rate, wechat).unwrap();
            assert_eq!(file.starts_with(b"\x02#!SILK_V3"), wechat);
            let found = probe(&mut Cursor::new(&file)).unwrap();
            assert_eq!((found.container, found.codec), (Container::Silk, Codec::Silk));
            assert_eq!(found.mime, "audio/silk");
            let (ogg, done) = encode(&file).unwrap();
            let name = format!("{rate} Hz, {wechat}");
            assert!(
                done.transcoded && !done.truncated && done.missing_ms == 0,
                "{name}: {done:?}"
            );
            // The encoder drops what does not fill a packet.
            let expected = samples.len() as u64 / 2 * 1_000 / u64::from(rate) / 20 * 20;
            assert_eq!(done.duration_ms, expected, "{name}");
            is_the_same_speech(&name, &ogg, correlation);
        }
    }
}

fn fixtures_are_heard() {
    for name in ["wechat-24k.silk", "silk-16k.silk"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/sound")
            .join(name);
        let (ogg, _) = encode(&fs::read(&file).unwrap()).unwrap();
        is_the_same_speech(name, &ogg, 0.85);
        let report = inspect(fs::File::open(&file).unwrap(), &|| false).unwrap();
        assert_eq!((report.container, report.codec.as_str()), ("silk", "silk"));
        assert!(report.analysis.loudness_lufs.is_some(), "{name}: {report:?}");
    }
}

/// A file of one second, without the line in front.
fn second() -> Vec<u8> {
    let file = encode_silk(&spoken(24_000)[..48_000], 24_000, 24_000, true).unwrap();
    file[10..].to_vec()
}

fn pauses_keep_their_length() {
    let file = [b"\x02#!SILK_V3".as_slice(), &second(), &[0; 100], &second()].concat();
    let (_, done) = encode(&file).unwrap();
    assert_eq!(done.duration_ms, 3_000);
    assert!(!done.truncated);
}

fn a_file_that_was_cut_keeps_what_it_holds() {
    let file = [b"\x02#!SILK_V3".as_slice(), &second()].concat();
    let (_, done) = encode(&file[..file.len() / 2]).unwrap();
    assert!(
        done.truncated && (300..700).contains(&done.duration_ms),
        "{done:?}"
    );
}

/// A packet that the SDK refuses: noise.
fn bad_packet() -> Vec<u8> {
    let mut random = damage::Random::new(7);
    loop {
        let noise: Vec<u8> = (0..100).map(|_| random.below(256) as u8).collect();
        let packet = [&100_u16.to_le_bytes()[..], &noise].concat();
        let file = [b"#!SILK_V3".as_slice(), &packet].concat();
        if encode(&file).is_err() {
            return packet;
        }
    }
}

fn damaged_packets_are_silence() {
    let file = [b"#!SILK_V3".as_slice(), &second(), &bad_packet(), &second()].concat();
    let (_, done) = encode(&file).unwrap();
    assert!(done.truncated, "{done:?}");
    assert_eq!((done.duration_ms, done.missing_ms), (2_020, 20));
}

fn nothing_but_damage_is_corrupt() {
    let file = [b"#!SILK_V3".as_slice(), &bad_packet().repeat(20)].concat();
    assert_eq!(encode(&file).unwrap_err().code(), "audio_corrupt");
    assert_eq!(encode(b"#!SILK_V3").unwrap_err().code(), "audio_empty");
    assert_eq!(
        encode(b"\x02#!SILK_V3\xFF\xFF").unwrap_err().code(),
        "audio_empty"
    );
}

/// The processes that this one started and that have not ended.
fn workers() -> Vec<u32> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // Behind the name in brackets: state and parent.
            let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
            fields.next().is_some_and(|state| state != "Z") && fields.next() == Some(&own)
        })
        .collect()
}

fn the_worker_has_no_rights_left() {
    let file = [b"\x02#!SILK_V3".as_slice(), &second()].concat();
    let seen = Cell::new(0);
    encode_while(&file, &|| {
        for pid in workers() {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            assert_eq!(field("NoNewPrivs:"), "1");
            // 2: filtered.
            assert_eq!(field("Seccomp:"), "2");
            let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            for line in [
                "Max open files            0 ",
                "Max core file size        0 ",
                "Max file size             0 ",
            ] {
                assert!(limits.contains(line), "{limits}");
            }
            assert!(
                !limits
                    .lines()
                    .any(|line| line.starts_with("Max address space") && line.contains("unlimited"))
            );
            let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
            assert_eq!(files, 3, "two pipes and /dev/null");
            assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
            seen.set(seen.get() + 1);
        }
        false
    })
    .unwrap();
    assert!(seen.get() > 10, "{} times", seen.get());
}

fn a_worker_that_is_killed_makes_the_file_corrupt_and_the_next_one_is_heard() {
    let file = [b"\x02#!SILK_V3".as_slice(), &second()].concat();
    for signal in ["-KILL", "-SEGV"] {
        let blocks = Cell::new(0);
        let error = encode_while(&file, &|| {
            for pid in workers() {
                blocks.set(blocks.get() + 1);
                if blocks.get() == 10 {
                    let killed = Command::new("kill")
                        .args([signal, &pid.to_string()])
                        .status()
                        .unwrap();
                    assert!(killed.success());
                }
            }
            false
        })
        .unwrap_err();
        assert_eq!(error.code(), "audio_corrupt", "{signal}: {error}");
        assert!(workers().is_empty());
    }
    encode(&file).unwrap();
}

fn no_worker_outlives_its_file() {
    let file = [b"\x02#!SILK_V3".as_slice(), &second()].concat();
    let error = encode_while(&file, &|| !workers().is_empty()).unwrap_err();
    assert!(matches!(error, Error::OutOfTime), "{error}");
    assert!(workers().is_empty());
}

fn hours_of_pauses_in_a_small_file_are_refused() {
    let pauses = [b"\x02#!SILK_V3".as_slice(), &vec![0; 2 * 50 * 60 * 121]].concat();
    let asked = Cell::new(0_u32);
    let error = encode_while(&pauses, &|| {
        asked.set(asked.get() + 1);
        if asked.get().is_multiple_of(10_000) {
            assert!(workers().is_empty(), "it is counted before it is decoded");
        }
        false
    })
    .unwrap_err();
    assert_eq!(error.code(), "audio_too_long");

    // Packets that hold five times as much as the shortest are found out while they are decoded.
    let minute = [b"#!SILK_V3".as_slice(), &second().repeat(60)].concat();
    let options = Options {
        limits: Limits {
            max_duration_ms: 59_999,
            ..Limits::default()
        },
        ..Options::default()
    };
    let error = normalise(Cursor::new(minute), std::io::sink(), &options, &|| false).unwrap_err();
    assert_eq!(error.code(), "audio_too_long");
}

/// Each file takes a process, so there are fewer than of other formats.
fn damaged_files_are_survived() {
    let rounds = if std::env::var_os("VOXPOST_SOAK").is_some() {
        100_000
    } else {
        1_000
    };
    let whole = [b"\x02#!SILK_V3".as_slice(), &second()].concat();
    let mut random = damage::Random::new(0x511C_511C_511C_511C);
    let mut heard = 0;
    for round in 0..rounds {
        let mut file = whole.clone();
        damage::mutate(&mut file, &mut random);
        match encode(&file) {
            Ok(_) => heard += 1,
            Err(Error::Io(error)) => panic!("round {round}: {error}"),
            Err(_) => {}
        }
    }
    assert!(heard > rounds / 20, "{heard} of {rounds} heard");
    assert!(workers().is_empty());
}
