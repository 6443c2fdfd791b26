//! Thousands of damaged files: each ends in a result or in a typed error, with bounded work and bounded output.
//!
//! The damage is the same in every run. `VOXPOST_SOAK=1` makes it 20,000 files.

mod damage;

use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use damage::{Random, mutate};
use voxpost_audio::{Error, Limits, Options, normalise};

const LIMITS: Limits = Limits {
    max_duration_ms: 20_000,
    max_output_bytes: 256 * 1024,
    max_channels: 8,
    max_sample_rate: 192_000,
};

/// Name and bytes of the fixtures in a folder, in order of their names.
fn fixtures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(files.len() > 10);
    files
}

/// Counts what is read of it.
struct Counted {
    file: Cursor<Vec<u8>>,
    calls: u64,
    bytes: u64,
}

impl Read for &mut Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(out)?;
        self.calls += 1;
        self.bytes += n as u64;
        Ok(n)
    }
}

impl Seek for &mut Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.calls += 1;
        self.file.seek(to)
    }
}

/// Normalises one damaged file; gives whether it was accepted.
fn survive(name: &str, file: Vec<u8>) -> bool {
    let len = file.len() as u64;
    let mut input = Counted {
        file: Cursor::new(file),
        calls: 0,
        bytes: 0,
    };
    let mut output = Vec::new();
    let options = Options {
        limits: LIMITS,
        serial: 1,
        ..Options::default()
    };
    let result = normalise(&mut input, &mut output, &options, &|| false);
    assert!(
        output.len() as u64 <= LIMITS.max_output_bytes + 70_000,
        "{name}: {} bytes out",
        output.len()
    );
    assert!(
        input.bytes <= 12 * len + (4 << 20),
        "{name}: {} bytes read of {len}",
        input.bytes
    );
    assert!(
        input.calls <= 20 * len + 1000,
        "{name}: {} reads of {len}",
        input.calls
    );
    match result {
        Ok(done) => {
            assert!(
                done.samples_48k > 0 && done.duration_ms <= LIMITS.max_duration_ms,
                "{name}: {done:?}"
            );
            assert_eq!(done.size_bytes, output.len() as u64);
            assert!(output.starts_with(b"OggS"));
            true
        }
        Err(Error::Io(e)) => panic!("{name}: {e}: reading from memory does not fail"),
        Err(Error::OutOfTime) => panic!("{name}: nobody said stop"),
        Err(_) => false,
    }
}

fn campaign(folder: &str, seed: u64, plain: usize, soak: usize) {
    let rounds = if std::env::var_os("VOXPOST_SOAK").is_some() {
        soak
    } else {
        plain
    };
    let files = fixtures(folder);
    let mut random = Random::new(seed);
    let mut accepted = 0;
    for round in 0..rounds {
        let (name, file) = &files[round % files.len()];
        let mut file = file.clone();
        mutate(&mut file, &mut random);
        accepted += usize::from(survive(&format!("{folder}/{name}, round {round}"), file));
    }
    // Damage that refuses everything would test the doors only.
    assert!(accepted > rounds / 10, "{accepted} of {rounds} accepted");
}

#[test]
fn damaged_opus_files_are_survived() {
    campaign("opus", 0x0F0F_1234_5678_9ABC, 8_000, 14_000);
}

#[test]
fn damaged_files_of_other_codecs_are_survived() {
    campaign("sound", 0x5EED_1234_5678_9ABC, 150, 6_000);
}

#[test]
fn every_cut_of_a_small_file_is_survived() {
    for (name, file) in fixtures("opus") {
        for cut in (0..file.len()).step_by(file.len() / 300 + 1) {
            survive(&format!("{name} cut at {cut}"), file[..cut].to_vec());
        }
    }
}
