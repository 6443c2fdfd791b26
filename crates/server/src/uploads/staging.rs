//! The file of an upload: appended to at explicit places, durable when it is said to be. Everything here blocks.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// How much is read at a time for hashing.
const PIECE: usize = 256 << 10;

/// Makes an empty file whose name outlives a power cut.
pub(super) fn create(path: &Path) -> io::Result<()> {
    File::create_new(path)?.sync_all()?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Opens a file to go on at `offset`: what is there beyond was never promised, and is cut.
pub(super) fn open(path: &Path, offset: u64) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    if len < offset {
        return Err(io::Error::other("an upload is shorter than was promised"));
    }
    if len > offset {
        file.set_len(offset)?;
    }
    Ok(file)
}

/// Writes at a place; not durable before [`sync`].
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Makes bytes and length durable.
pub(super) fn sync(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Removes a file; one that is not there is removed already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// SHA-256 of a file of exactly `len` bytes.
pub(super) fn hash(path: &Path, len: u64) -> io::Result<[u8; 32]> {
    let file = File::open(path)?;
    if file.metadata()?.len() != len {
        return Err(io::Error::other("an upload has another length than was promised"));
    }
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&piece[..read]);
        at += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_promised_is_cut_and_what_was_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("upload");
        create(&path).unwrap();
        let file = open(&path, 0).unwrap();
        write_at(&file, b"promised, and a tail", 0).unwrap();
        sync(&file).unwrap();
        let again = open(&path, 8).unwrap();
        write_at(&again, b"!", 8).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"promised!");
        assert_eq!(hash(&path, 9).unwrap()[..], Sha256::digest(b"promised!")[..]);
        assert!(hash(&path, 8).is_err() && open(&path, 10).is_err());
        remove(&path).unwrap();
        remove(&path).unwrap();
    }
}
