//! The other end of the pipes.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{GOOD, INSTALLED, MAX_SAMPLES, READY, WORKER};
use crate::Error;

/// How long the worker may be silent, in seconds: a packet takes less than a millisecond of its time.
const PATIENCE_SECONDS: i64 = 30;

/// A process that decodes one file. It ends with the value.
pub(crate) struct Process {
    child: Child,
    packets: ChildStdin,
    samples: ChildStdout,
}

impl Process {
    /// Starts it, and waits until it has given up its rights.
    ///
    /// # Errors
    /// `Unsupported` where nobody called [`install`](super::install), `Io` when it does not start: that says nothing about the file.
    pub(crate) fn start() -> Result<Self, Error> {
        INSTALLED.get().ok_or_else(|| Error::unsupported("SILK v3"))?;
        let mut child = Command::new(program()?)
            .arg(WORKER)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (packets, samples) = pipes.ok_or_else(|| io::Error::other("a process without pipes"))?;
        let mut process = Self {
            child,
            packets,
            samples,
        };
        let mut said = [0];
        process.read(&mut said)?;
        if said != [READY] {
            return Err(io::Error::other("the process that decodes SILK could not be locked up").into());
        }
        Ok(process)
    }

    /// Appends the sound of a packet to `out`; false when the packet is damaged.
    ///
    /// # Errors
    /// `Corrupt` when the process died of it, or is silent.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<bool, Error> {
        let lost = |_: io::Error| Error::corrupt("it breaks the decoder of SILK");
        let size = u16::try_from(packet.len()).map_err(io::Error::other)?;
        let request = [&size.to_le_bytes(), packet].concat();
        self.packets.write_all(&request).map_err(lost)?;

        let mut head = [0; 3];
        self.read(&mut head).map_err(lost)?;
        let count = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let mut bytes = [[0; 2]; MAX_SAMPLES];
        // A worker that was taken over may say anything.
        let bytes = bytes
            .get_mut(..count)
            .ok_or_else(|| Error::corrupt("it breaks the decoder of SILK"))?;
        self.read(bytes.as_flattened_mut()).map_err(lost)?;
        out.extend(
            bytes
                .iter()
                .map(|&sample| f32::from(i16::from_le_bytes(sample)) / 32_768.0),
        );
        Ok(head[0] == GOOD)
    }

    fn read(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.wait()?;
            let count = self.samples.read(bytes)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &mut bytes[count..];
        }
        Ok(())
    }

    /// Until there is something to read, or the end.
    fn wait(&self) -> io::Result<()> {
        let patience = Timespec {
            tv_sec: PATIENCE_SECONDS,
            tv_nsec: 0,
        };
        loop {
            let mut files = [PollFd::new(&self.samples, PollFlags::IN)];
            match poll(&mut files, Some(&patience)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program: the very file that is running, also when an update has replaced it.
fn program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        Ok(running.into())
    } else {
        std::env::current_exe()
    }
}
