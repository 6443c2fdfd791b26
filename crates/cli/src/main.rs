//! The `voxpost` command: server and client in one.

#![deny(unsafe_code)]

mod allocator;
mod args;
mod bench;
mod client;
mod commands;
mod disk;
mod draw;
mod exit;
mod failure;
mod format;
mod picture;
mod play;
mod run;
mod screen;
mod session;
mod stats;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "silk")]
    voxpost_audio::silk::install();
    allocator::return_big_blocks();
    let args = args::Args::read();
    let mut screen = screen::Screen::new(args.json(), args.color);
    match run::run(args, &mut screen) {
        Ok(()) => exit::Exit::Ok.into(),
        Err(failure) => screen.report(&failure).into(),
    }
}
