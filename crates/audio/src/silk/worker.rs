//! The process that decodes. Everything it needs is allocated before it gives up its rights.

use rustix::fd::BorrowedFd;
use rustix::io::{Errno, read, write};
use rustix::stdio::{stdin, stdout};

use super::ffi::Decoder;
use super::{DAMAGED, GOOD, MAX_PACKET, MAX_SAMPLES, READY, sandbox};

/// Status and number of samples.
const HEAD: usize = 3;

pub(super) fn run() -> ! {
    let done = serve();
    std::process::exit(i32::from(done.is_err()))
}

fn serve() -> std::io::Result<()> {
    let mut decoder = Box::new(Decoder::new());
    let mut packet = Box::new([0; MAX_PACKET]);
    let mut samples = Box::new([0; MAX_SAMPLES]);
    let mut answer = Box::new([0; HEAD + 2 * MAX_SAMPLES]);
    sandbox::enter()?;

    write_all(&[READY])?;
    loop {
        let mut size = [0; 2];
        if !read_exact(stdin(), &mut size)? {
            return Ok(());
        }
        let packet = packet
            .get_mut(..usize::from(u16::from_le_bytes(size)))
            .ok_or(Errno::INVAL)?;
        if !read_exact(stdin(), packet)? {
            return Ok(());
        }
        let decoded = decoder.decode(packet, &mut samples);
        let count = decoded.unwrap_or(0);
        answer[0] = if decoded.is_some() { GOOD } else { DAMAGED };
        answer[1..HEAD].copy_from_slice(&(count as u16).to_le_bytes());
        for (bytes, sample) in answer[HEAD..].as_chunks_mut().0.iter_mut().zip(&samples[..count]) {
            *bytes = sample.to_le_bytes();
        }
        write_all(&answer[..HEAD + 2 * count])?;
    }
}

/// Fills `bytes`; false at the end of the pipe.
fn read_exact(from: BorrowedFd<'_>, mut bytes: &mut [u8]) -> Result<bool, Errno> {
    while !bytes.is_empty() {
        match read(from, &mut *bytes) {
            Ok(0) => return Ok(false),
            Ok(count) => bytes = &mut bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn write_all(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(stdout(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
