//! Thousands of damaged files: each ends in a result or in a typed error, with bounded work and bounded output.
//!
//! The damage is the same in every run. `VOXPOST_SOAK=1` makes it 20,000 files.

use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

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

/// xorshift64*: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    /// Often near the start, where the headers are.
    fn place(&mut self, len: usize) -> usize {
        if self.below(2) == 0 {
            self.below(len.min(600))
        } else {
            self.below(len)
        }
    }
}

/// One to four wounds of the kinds that disks, networks and attackers cause.
fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let len = file.len();
        let at = random.place(len);
        let size = 1 + random.below(64);
        match random.below(9) {
            0 => file[at] ^= 1 << random.below(8),
            1 => file[at] = random.next() as u8,
            2 => file.truncate(at.max(1)),
            3 => drop(file.drain(at..len.min(at + size))),
            4 => {
                let piece = file[at..len.min(at + size)].to_vec();
                let to = random.place(len);
                file.splice(to..to, piece);
            }
            5 => {
                let value = [0, 255][random.below(2)];
                file[at..len.min(at + size)].fill(value);
            }
            6 => {
                const LENGTHS: [u32; 6] = [0, 1, 7, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
                let value = LENGTHS[random.below(6)];
                let value = if random.below(2) == 0 {
                    value.to_be_bytes()
                } else {
                    value.to_le_bytes()
                };
                let end = len.min(at + 4);
                file[at..end].copy_from_slice(&value[..end - at]);
            }
            7 => {
                let junk: Vec<_> = (0..size).map(|_| random.next() as u8).collect();
                file.splice(at..at, junk);
            }
            _ => {
                let other = random.place(len);
                file.swap(at, other);
            }
        }
    }
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
    let mut random = Random(seed);
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
