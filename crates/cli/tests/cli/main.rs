//! The `voxpost` command as a person or a script uses it: the built binary, a real server, real exit codes.

mod accounts;
mod doctor;
mod inspect;
mod interrupt;
mod json;
#[cfg(feature = "sound")]
mod loudspeaker;
mod messages;
mod play;
mod sdk;
mod sdk_playback;
mod shell;
mod terminal;
mod tools;
mod uploads;
mod watch;

use voxpost_testkit::{Server, ServerOptions};

/// The exit codes as scripts know them.
mod exit {
    pub(crate) const OK: i32 = 0;
    pub(crate) const USAGE: i32 = 2;
    pub(crate) const NOT_SIGNED_IN: i32 = 3;
    pub(crate) const NOT_FOUND: i32 = 4;
    pub(crate) const REFUSED: i32 = 5;
    pub(crate) const UNREACHABLE: i32 = 6;
    pub(crate) const FILE: i32 = 7;
    pub(crate) const INTERRUPTED: i32 = 130;
}

/// The binary under test, without the limits that keep one address from doing all that a test does.
fn options() -> ServerOptions {
    // However busy the machine is, a sender gets the message and not a promise.
    ServerOptions::new(env!("CARGO_BIN_EXE_voxpost"))
        .env("VOXPOST_PATIENCE_MS", "60000")
        .env("VOXPOST_RATE_SIGN_UPS", "0")
        .env("VOXPOST_RATE_REQUESTS", "0")
        .env("VOXPOST_RATE_MESSAGES", "0")
}

async fn server() -> Server {
    options().start().await
}
