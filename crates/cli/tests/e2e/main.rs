//! The built binary, driven from outside over HTTP and WebSocket as people and hostile strangers would.
//!
//! One test binary with a module for each story. Tests named `soak_…` run with small numbers here and with large ones
//! when `VOXPOST_SOAK` is set (`make soak`).

#![expect(
    clippy::print_stdout,
    reason = "seeds and figures of a run belong into the runner's output"
)]

mod authorisation;
mod bench;
mod deletion;
mod disk;
mod documents;
mod durability;
mod formats;
mod groups;
mod http_audio;
mod hygiene;
mod idempotency;
mod journey;
mod jwt;
mod mutation;
mod playback;
mod recording;
mod s3;
mod secrecy;
mod serving;
mod slow_consumer;
mod socket_rules;
mod storm;
mod uploads;

use voxpost_testkit::{Server, ServerOptions};

/// The binary under test, without the limits that keep one address from doing all that a test does.
fn options() -> ServerOptions {
    // However busy the machine is, a sender gets the message and not a promise.
    ServerOptions::new(env!("CARGO_BIN_EXE_voxpost"))
        .env("VOXPOST_PATIENCE_MS", "60000")
        .env("VOXPOST_RATE_SIGN_UPS", "0")
        .env("VOXPOST_RATE_FAILED_LOGINS", "0")
        .env("VOXPOST_RATE_REQUESTS", "0")
        .env("VOXPOST_RATE_MESSAGES", "0")
}

async fn server() -> Server {
    options().start().await
}

/// `small` in `make test`, `large` in `make soak`.
fn soak(small: usize, large: usize) -> usize {
    if std::env::var_os("VOXPOST_SOAK").is_some() {
        large
    } else {
        small
    }
}

/// A seeded generator (splitmix64): a failing run is repeated by its printed seed, `VOXPOST_SEED`.
struct Dice(u64);

impl Dice {
    fn new(name: &str) -> Self {
        let seed = match std::env::var("VOXPOST_SEED") {
            Ok(text) => text.parse().expect("VOXPOST_SEED is a number"),
            Err(_) => voxpost_testkit::fresh_id().as_u64_pair().0,
        };
        println!("{name}: VOXPOST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end - 1`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Lower-case hex.
fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// All files below a folder; what vanishes while looking is not there.
fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}
