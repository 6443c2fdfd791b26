//! An object while it is written.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{BlobError, Blobs};
use crate::render;

/// An object up to this size is put together in memory.
const MEMORY: usize = 256 << 10;

/// What is written to an object that is not stored yet: in memory while it is small, beyond that in an unnamed file.
pub(crate) struct PendingObject<'a> {
    temporary: &'a Path,
    buffer: Vec<u8>,
    file: Option<File>,
    hash: Sha256,
    len: u64,
}

/// What is known of an object that was stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredObject {
    pub(crate) size_bytes: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
}

impl<'a> PendingObject<'a> {
    /// With a folder for what does not fit into memory.
    pub(crate) fn new(temporary: &'a Path) -> Self {
        Self {
            temporary,
            buffer: Vec::new(),
            file: None,
            hash: Sha256::new(),
            len: 0,
        }
    }

    /// Stores it durably. Blocks: for threads of a lane only.
    pub(crate) fn put(mut self, blobs: &Blobs, key: &str) -> Result<StoredObject, BlobError> {
        if self.file.is_some() {
            self.spill()?;
        }
        match self.file {
            None => blobs.put_blocking(key, self.buffer.into())?,
            Some(mut file) => {
                file.rewind()?;
                blobs.put_file_blocking(key, &mut file)?;
            }
        }
        Ok(StoredObject {
            size_bytes: self.len,
            sha256: render::hex(&self.hash.finalize()),
        })
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(self.temporary)?),
        };
        file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for PendingObject<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > MEMORY {
            self.spill()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
