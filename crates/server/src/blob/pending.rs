//! An object while it is written.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
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

/// A whole object that is about to be stored, or is already.
pub(crate) struct FinishedObject {
    /// None once it is stored.
    data: Option<Data>,
    facts: StoredObject,
}

/// Where a whole object is before it is stored.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Memory(Bytes),
    File(Arc<File>),
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

    /// Nothing more will be written to it.
    pub(crate) fn finish(mut self) -> Result<FinishedObject, BlobError> {
        if self.file.is_some() {
            self.spill()?;
        }
        let data = match self.file {
            None => Data::Memory(self.buffer.into()),
            Some(file) => Data::File(Arc::new(file)),
        };
        Ok(FinishedObject {
            data: Some(data),
            facts: StoredObject {
                size_bytes: self.len,
                sha256: render::hex(&self.hash.finalize()),
            },
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

impl FinishedObject {
    /// Stores it durably right here when the store is a disk: a sound is then made, written and fsynced without a change of
    /// thread. Does nothing for a store over the network, which a thread of a lane must not wait for. Blocks.
    pub(crate) fn put_if_local(mut self, blobs: &Blobs, key: &str) -> Result<Self, BlobError> {
        if let Some(local) = blobs.local() {
            match self.data.take() {
                None => {}
                Some(Data::Memory(bytes)) => local.put_blocking(key, bytes)?,
                Some(Data::File(file)) => {
                    let mut file = &*file;
                    file.rewind()?;
                    local.put_file_blocking(key, &mut file)?;
                }
            }
        }
        Ok(self)
    }

    /// Stores it durably, unless it is already.
    pub(crate) async fn put(self, blobs: &Blobs, key: &str) -> Result<StoredObject, BlobError> {
        if let Some(data) = self.data {
            blobs.put(key, data, self.facts.size_bytes).await?;
        }
        Ok(self.facts)
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
