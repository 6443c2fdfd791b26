//! Small files that are whole at every instant, and belong to one process at a time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Puts a file with these bytes at `place`: at every instant the old one or the new one is there, whole.
pub(crate) fn replace(place: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = || {
        let mut file = private(File::options().write(true).create(true).truncate(true)).open(beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, place)
    };
    let written = write();
    if written.is_err() {
        // A full disk needs the room; what is half-written is of no use.
        let _ = fs::remove_file(beside);
    }
    written?;
    sync_directory(place.parent().unwrap_or(Path::new(".")))
}

/// The lock file at `path`, locked: as long as it lives, nobody else has it.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`] when somebody else has it.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let lock = private(File::options().write(true).create(true).truncate(false)).open(path)?;
    match lock.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
        // A file system without locks has to do.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(lock),
    }
}

/// Reads at most `limit` bytes of a file.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a directory, and those above it, that only its owner enters.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

/// What is kept is nobody else's business.
fn private(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_dir: &Path) -> io::Result<()> {
    Ok(())
}
