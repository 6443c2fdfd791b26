//! Objects as files below the data directory, each durable when its write returns.

use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt, PutPayload};

use super::wait::wait;
use super::{BlobError, BlobReader, CHUNK, Listed};

/// The store; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Local {
    store: LocalFileSystem,
    root: Arc<PathBuf>,
}

impl Local {
    /// Opens the store below a data directory, and makes it when it is not there.
    pub(super) fn open(data_dir: &FilePath) -> io::Result<Self> {
        let root = data_dir.join("objects");
        fs::create_dir_all(&root)?;
        fs::File::open(data_dir)?.sync_all()?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(io::Error::other)?
            .with_fsync(true);
        let root = Arc::new(root.canonicalize()?);
        Ok(Self { store, root })
    }

    pub(super) fn put_blocking(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        wait(self.store.put(&Path::from(key), PutPayload::from_bytes(bytes))).map_err(BlobError::local)?;
        Ok(())
    }

    /// From a file, piece by piece.
    pub(super) fn put_file_blocking(&self, key: &str, source: &mut dyn Read) -> Result<(), BlobError> {
        wait(async {
            let upload = self.store.put_multipart(&Path::from(key)).await;
            let mut upload = upload.map_err(BlobError::local)?;
            let written: Result<(), BlobError> = async {
                loop {
                    let mut piece = Vec::new();
                    if source.take(CHUNK).read_to_end(&mut piece)? == 0 {
                        break;
                    }
                    upload.put_part(piece.into()).await.map_err(BlobError::local)?;
                }
                upload.complete().await.map_err(BlobError::local)?;
                Ok(())
            }
            .await;
            if written.is_err() {
                let _ = upload.abort().await;
            }
            written
        })
    }

    pub(super) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        let read = self.store.get_range(&Path::from(key), range).await;
        read.map_err(BlobError::local)
    }

    pub(super) fn open_blocking(&self, key: &str) -> Result<BlobReader, BlobError> {
        wait(async {
            let got = self.store.get(&Path::from(key)).await.map_err(BlobError::local)?;
            Ok(match got.payload {
                GetResultPayload::File(file, _) => BlobReader::File(file),
                _ => BlobReader::Memory(io::Cursor::new(got.bytes().await.map_err(BlobError::local)?)),
            })
        })
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        match self.store.head(&Path::from(key)).await.map_err(BlobError::local) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(BlobError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self
            .store
            .delete(&Path::from(key))
            .await
            .map_err(BlobError::local)
        {
            Err(BlobError::NotFound) => Ok(()),
            other => other,
        }
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>, BlobError> {
        self.store
            .list(Some(&Path::from(folder)))
            .map_err(BlobError::local)
            .map(|found| {
                found.map(|meta| Listed {
                    key: meta.location.to_string(),
                    modified_at: meta.last_modified.timestamp_millis(),
                })
            })
            .try_collect()
            .await
    }

    /// Removes what writers that were killed left half-written and that is older than `before`; returns how many files.
    pub(super) fn remove_partial_blocking(&self, before: SystemTime) -> io::Result<u64> {
        let mut removed = 0;
        let messages = self.root.join("messages");
        if !messages.exists() {
            return Ok(0);
        }
        for folder in fs::read_dir(messages)? {
            for file in fs::read_dir(folder?.path())? {
                let file = file?;
                // The store writes to `KEY#NUMBER` and renames.
                let partial = file.file_name().to_string_lossy().contains('#');
                if partial && file.metadata()?.modified()? < before {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// Whether it takes writes.
    pub(super) async fn probe(&self) -> Result<(), BlobError> {
        let probe = self.root.join(".ready");
        let written = tokio::task::spawn_blocking(move || {
            fs::write(&probe, b"ready")?;
            fs::remove_file(&probe)
        });
        Ok(written.await.map_err(io::Error::other)??)
    }
}
