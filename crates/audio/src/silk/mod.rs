//! SILK v3 by Skype's SDK, in a process of its own.
//!
//! The SDK is C of 2012 that nobody maintains, and what it reads is hostile. So it never runs in the process that
//! serves people: that process starts its own program once more, which gives up all rights but to read packets from one pipe and
//! to write samples to another before it has seen a byte of the file, and decodes. When it dies the file is `audio_corrupt`.
//!
//! A program that wants SILK calls [`install`] first thing in `main`. Where nobody did, SILK is `audio_unsupported`.
//!
//! The talk on the pipes, numbers little-endian. The worker first says [`READY`]. Then for each packet: its size in 16 bits and its
//! bytes go down, and up come a byte, [`GOOD`] or [`DAMAGED`], the number of samples in 16 bits, and the samples, 16 bits each, mono at
//! 24 kHz, the highest rate of SILK. An empty packet is a pause, and is answered with sound too.

mod ffi;
mod process;
mod sandbox;
mod worker;

use std::sync::OnceLock;

pub(crate) use process::Process;

use crate::container::silk::MAX_PACKET;

/// Sample rate of what comes back, in Hz.
pub(crate) const RATE: u32 = 24_000;

/// The argument that makes a process the worker.
const WORKER: &str = "--decode-silk";
const READY: u8 = b'S';
const GOOD: u8 = 0;
const DAMAGED: u8 = 1;
/// Samples of one frame of 20 ms, and of the five frames that a packet may hold.
const FRAME: usize = RATE as usize / 50;
const MAX_SAMPLES: usize = 5 * FRAME;

static INSTALLED: OnceLock<()> = OnceLock::new();

/// Makes SILK readable by starting this very program once more for each file; in such a process it decodes, and does not
/// return.
///
/// To be called before anything else in `main`: before threads, files and the reading of arguments.
pub fn install() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == WORKER) && arguments.next().is_none() {
        worker::run();
    }
    INSTALLED.get_or_init(|| ());
}
