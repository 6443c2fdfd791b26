//! A WAV file, or a pipe, in the place of a loudspeaker.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ring::Outlet;

/// The rate of the file, in Hz; it is mono and has 16 bits.
pub(crate) const FILE_RATE: NonZeroU32 = NonZeroU32::new(RATE).expect("not zero");

const RATE: u32 = 48_000;

/// How long the end of a file may take to be written; a pipe may have a reader that has stopped to read.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A loudspeaker takes about so much at a time.
const PERIOD: Duration = Duration::from_millis(10);

/// The header is brought up to date this often, so that the file of a player that was killed is whole.
const HEADER_EVERY: u32 = 100;

/// A file that does not know its length yet says this (as recorders into a pipe do).
const UNKNOWN_BYTES: u32 = u32::MAX - 36;

/// How fast the sound is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As a loudspeaker does.
    RealTime,
    /// As fast as it comes.
    AtOnce,
}

/// Takes the sound of an [`Outlet`] and writes it.
pub(crate) struct FilePlayer {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<io::Error>>>,
    thread: JoinHandle<()>,
}

enum Target {
    /// Its header can be written again.
    File(File),
    Pipe(Box<dyn Write + Send>),
    /// Opening it waits for who reads.
    Special(PathBuf),
}

impl FilePlayer {
    /// Begins with an empty file; `-` is standard output.
    ///
    /// # Errors
    /// `AlreadyExists` without `force`, and the others of the file system.
    pub(crate) fn start(path: &Path, force: bool, mut outlet: Outlet, pace: Pace) -> io::Result<Self> {
        let mut target = Target::open(path, force)?;
        let stop = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(Mutex::new(None));
        let thread = std::thread::Builder::new().name("file".into()).spawn({
            let (stop, failure) = (Arc::clone(&stop), Arc::clone(&failure));
            move || {
                if let Err(error) = write_all(&mut target, &mut outlet, pace, &stop) {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        })?;
        Ok(Self {
            stop,
            failure,
            thread,
        })
    }

    /// Why it takes nothing any more.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the file; returns when it is whole.
    pub(crate) async fn finish(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Release);
        let ended = async {
            while !self.thread.is_finished() {
                tokio::time::sleep(PERIOD).await;
            }
        };
        // Without a reader the end of a pipe is nobody's loss.
        let _ = tokio::time::timeout(END_WITHIN, ended).await;
        self.failure().map_or(Ok(()), Err)
    }
}

impl Drop for FilePlayer {
    fn drop(&mut self) {
        // A pipe that nobody reads may never take what is being written: the process does not wait for it.
        self.stop.store(true, Ordering::Release);
    }
}

impl Target {
    fn open(path: &Path, force: bool) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Pipe(Box::new(io::stdout())));
        }
        let special = std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
        if special {
            return Ok(Self::Special(path.to_owned()));
        }
        let mut options = File::options();
        options.write(true);
        if force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        Ok(Self::File(options.open(path)?))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all(bytes),
            Self::Pipe(pipe) => pipe.write_all(bytes).and_then(|()| pipe.flush()),
            Self::Special(_) => Ok(()),
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        if let Self::Special(path) = self {
            *self = Self::Pipe(Box::new(File::options().write(true).open(path)?));
        }
        let bytes = match self {
            Self::File(_) => 0,
            _ => UNKNOWN_BYTES,
        };
        self.write(&header(bytes))
    }

    /// Says how much there is by now.
    fn update(&mut self, bytes: u64) -> io::Result<()> {
        let Self::File(file) = self else { return Ok(()) };
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(u32::try_from(bytes).unwrap_or(UNKNOWN_BYTES)))?;
        file.seek(SeekFrom::End(0)).map(drop)
    }
}

fn write_all(target: &mut Target, outlet: &mut Outlet, pace: Pace, stop: &AtomicBool) -> io::Result<()> {
    target.begin()?;
    let mut samples = vec![0.0; RATE as usize / 10];
    let mut bytes = Vec::new();
    let mut written = 0_u64;
    let mut rounds = 0;
    let mut clock = Instant::now();
    while !stop.load(Ordering::Acquire) {
        std::thread::sleep(match pace {
            Pace::RealTime => PERIOD,
            Pace::AtOnce => Duration::from_millis(1),
        });
        let due = match pace {
            Pace::RealTime => (clock.elapsed().as_secs_f64() * f64::from(RATE)) as usize,
            Pace::AtOnce => samples.len(),
        };
        let due = due.min(samples.len());
        clock += Duration::from_secs_f64(due as f64 / f64::from(RATE));
        let count = outlet.take(&mut samples[..due]);
        if count < due {
            // Nothing to play: time passes for a loudspeaker too.
            clock = Instant::now();
        }
        bytes.clear();
        for sample in &samples[..count] {
            let value = (sample * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        target.write(&bytes)?;
        written += bytes.len() as u64;
        rounds += 1;
        if rounds % HEADER_EVERY == 0 {
            target.update(written)?;
        }
    }
    target.update(written)
}

/// RIFF/WAVE with one `fmt ` and one `data` chunk: PCM, mono, 16 bits.
fn header(data_bytes: u32) -> [u8; 44] {
    let mut header = *b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0data\0\0\0\0";
    header[4..8].copy_from_slice(&(36 + data_bytes).to_le_bytes());
    header[24..28].copy_from_slice(&RATE.to_le_bytes());
    header[28..32].copy_from_slice(&(RATE * 2).to_le_bytes());
    header[40..44].copy_from_slice(&data_bytes.to_le_bytes());
    header
}
