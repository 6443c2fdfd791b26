//! Where an upload is kept while it comes in: in memory while it is small, beyond that in an unnamed file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::blob::BlobError;

/// What one upload may hold in memory.
const MEMORY: usize = 256 << 10;
/// What one upload holds when all uploads together have used up their share.
const LITTLE: usize = 32 << 10;
/// What all uploads together may hold beyond [`LITTLE`] each, in units of [`UNIT`].
const SHARED_UNITS: usize = 1024;
const UNIT: usize = 16 << 10;

/// Makes spools that share a bound on memory.
pub(crate) struct Spooler {
    temporary: PathBuf,
    memory: Arc<Semaphore>,
}

impl Spooler {
    /// Files are made in `temporary`.
    pub(crate) fn new(temporary: PathBuf) -> Self {
        Self {
            temporary,
            memory: Arc::new(Semaphore::new(SHARED_UNITS)),
        }
    }

    /// A spool for one upload of about `expected` bytes.
    pub(crate) fn spool(&self, expected: usize) -> Spool {
        let wanted = expected.clamp(UNIT, MEMORY);
        let units = u32::try_from(wanted.div_ceil(UNIT)).unwrap_or(1);
        let permit = self.memory.clone().try_acquire_many_owned(units).ok();
        let capacity = if permit.is_some() { wanted } else { LITTLE };
        Spool {
            temporary: self.temporary.clone(),
            buffer: Vec::with_capacity(capacity),
            capacity,
            file: None,
            hash: Sha256::new(),
            len: 0,
            permit,
        }
    }
}

/// An upload that is coming in.
pub(crate) struct Spool {
    temporary: PathBuf,
    buffer: Vec<u8>,
    capacity: usize,
    file: Option<File>,
    hash: Sha256,
    len: u64,
    permit: Option<OwnedSemaphorePermit>,
}

impl Spool {
    /// How much came in.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Takes what came in.
    pub(crate) async fn write(&mut self, chunk: &[u8]) -> Result<(), BlobError> {
        self.hash.update(chunk);
        self.len += chunk.len() as u64;
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.buffer.len() == self.capacity {
                self.flush().await?;
            }
            let (now, later) = rest.split_at(rest.len().min(self.capacity - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// The upload is whole.
    pub(crate) async fn finish(mut self) -> Result<Upload, BlobError> {
        let data = if self.file.is_some() {
            self.flush().await?;
            self.permit = None;
            match self.file {
                Some(file) => Data::File(file),
                None => Data::Memory(Bytes::new()),
            }
        } else {
            Data::Memory(self.buffer.into())
        };
        Ok(Upload {
            data: Arc::new(data),
            len: self.len,
            sha256: self.hash.finalize().into(),
            _permit: self.permit.map(Arc::new),
        })
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let file = self.file.take();
        let temporary = self.temporary.clone();
        let done = tokio::task::spawn_blocking(move || -> io::Result<(Vec<u8>, File)> {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile_in(temporary)?,
            };
            file.write_all(&buffer)?;
            buffer.clear();
            Ok((buffer, file))
        });
        let (buffer, file) = done.await.map_err(io::Error::other)??;
        self.buffer = buffer;
        self.file = Some(file);
        Ok(())
    }
}

/// A whole upload. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upload {
    data: Arc<Data>,
    pub(crate) len: u64,
    /// SHA-256 of the bytes as they were sent.
    pub(crate) sha256: [u8; 32],
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

enum Data {
    Memory(Bytes),
    File(File),
    /// One that has a name and does not change any more.
    Named(File, PathBuf),
}

impl Upload {
    /// One that was staged in a file before.
    pub(crate) fn staged(path: &Path, sha256: [u8; 32]) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self {
            data: Arc::new(Data::Named(file, path.to_owned())),
            len,
            sha256,
            _permit: None,
        })
    }

    /// A reader of its own, from the beginning.
    pub(crate) fn reader(&self) -> UploadReader {
        UploadReader {
            data: self.data.clone(),
            len: self.len,
            at: 0,
        }
    }

    /// Keeps it durably in a file. Blocks.
    pub(crate) fn stage(&self, path: &Path) -> io::Result<()> {
        if let Data::Named(file, name) = &*self.data {
            // The bytes are on the disk once; they get a second name, which outlives the first.
            file.sync_all()?;
            fs::hard_link(name, path)?;
        } else {
            let mut file = File::create_new(path)?;
            io::copy(&mut self.reader(), &mut file)?;
            file.sync_all()?;
        }
        match path.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Reads an [`Upload`].
pub(crate) struct UploadReader {
    data: Arc<Data>,
    len: u64,
    at: u64,
}

impl Read for UploadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &*self.data {
            Data::Memory(bytes) => {
                let start = usize::try_from(self.at.min(self.len)).unwrap_or(bytes.len());
                (&bytes[start..]).read(buffer)?
            }
            Data::File(file) | Data::Named(file, _) => file.read_at(buffer, self.at)?,
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for UploadReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(spooler: &Spooler, bytes: &[u8]) -> Upload {
        let mut spool = spooler.spool(bytes.len());
        for chunk in bytes.chunks(10_007) {
            spool.write(chunk).await.unwrap();
        }
        spool.finish().await.unwrap()
    }

    #[tokio::test]
    async fn what_came_in_is_read_back_whether_it_was_small_or_large() {
        let dir = tempfile::tempdir().unwrap();
        let spooler = Spooler::new(dir.path().to_owned());
        for len in [0, 1, 30_000, MEMORY, MEMORY + 1, 3 * MEMORY + 17] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
            let upload = spooled(&spooler, &bytes).await;
            let mut back = Vec::new();
            upload.reader().read_to_end(&mut back).unwrap();
            assert_eq!(back, bytes);
            assert_eq!(upload.sha256[..], Sha256::digest(&bytes)[..]);
            let mut reader = upload.reader();
            reader.seek(SeekFrom::End(-(len as i64 / 2))).unwrap();
            back.clear();
            reader.read_to_end(&mut back).unwrap();
            assert_eq!(back, bytes[len - len / 2..]);
        }
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "files have no name"
        );
    }

    #[tokio::test]
    async fn a_staged_upload_is_the_same_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let spooler = Spooler::new(dir.path().to_owned());
        let upload = spooled(&spooler, &[5; 400_000]).await;
        let path = dir.path().join("staged");
        upload.stage(&path).unwrap();
        assert!(upload.stage(&path).is_err(), "never over another one");
        let again = Upload::staged(&path, upload.sha256).unwrap();
        let mut back = Vec::new();
        again.reader().read_to_end(&mut back).unwrap();
        assert_eq!(back, vec![5; 400_000]);
    }

    #[tokio::test]
    async fn when_memory_is_used_up_uploads_go_to_files() {
        let dir = tempfile::tempdir().unwrap();
        let spooler = Spooler::new(dir.path().to_owned());
        let held: Vec<Spool> = (0..SHARED_UNITS * UNIT / MEMORY)
            .map(|_| spooler.spool(MEMORY))
            .collect();
        let mut late = spooler.spool(MEMORY);
        assert_eq!(late.capacity, LITTLE);
        late.write(&[1; MEMORY]).await.unwrap();
        assert!(late.file.is_some());
        drop(held);
        assert_eq!(spooler.spool(MEMORY).capacity, MEMORY);
    }
}
