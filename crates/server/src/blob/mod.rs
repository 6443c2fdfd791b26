//! The objects: one canonical sound per message and what is made of it, durable before any row names them.

mod error;
mod pending;
mod wait;

use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt, PutPayload};
use uuid::Uuid;

pub(crate) use error::BlobError;
pub(crate) use pending::{PendingObject, StoredObject};
use wait::wait;

/// How much of an object is in memory while it is sent or stored piece by piece.
const CHUNK: u64 = 256 << 10;

/// The object store.
#[derive(Debug)]
pub(crate) struct Blobs {
    store: LocalFileSystem,
    root: PathBuf,
}

/// An object as a listing shows it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) modified_at: i64,
}

/// An object that is read.
#[derive(Debug)]
pub(crate) enum BlobReader {
    File(fs::File),
    Memory(Cursor<Bytes>),
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(bytes) => bytes.seek(to),
        }
    }
}

impl Blobs {
    /// Opens the store below a data directory, and makes it when it is not there.
    pub(crate) fn open(data_dir: &FilePath) -> io::Result<Self> {
        let root = data_dir.join("objects");
        fs::create_dir_all(&root)?;
        fs::File::open(data_dir)?.sync_all()?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(io::Error::other)?
            .with_fsync(true);
        let root = root.canonicalize()?;
        Ok(Self { store, root })
    }

    /// Writes a whole object; it is durable when this returns. Blocks: for threads of a lane only.
    pub(crate) fn put_blocking(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        wait(self.store.put(&Path::from(key), PutPayload::from_bytes(bytes)))?;
        Ok(())
    }

    /// Writes a whole object from a file, piece by piece; otherwise as [`put_blocking`](Self::put_blocking).
    pub(crate) fn put_file_blocking(&self, key: &str, source: &mut dyn Read) -> Result<(), BlobError> {
        wait(async {
            let mut upload = self.store.put_multipart(&Path::from(key)).await?;
            let written: Result<(), BlobError> = async {
                loop {
                    let mut piece = Vec::new();
                    if source.take(CHUNK).read_to_end(&mut piece)? == 0 {
                        break;
                    }
                    upload.put_part(piece.into()).await?;
                }
                upload.complete().await?;
                Ok(())
            }
            .await;
            if written.is_err() {
                let _ = upload.abort().await;
            }
            written
        })
    }

    /// A part of an object.
    pub(crate) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        Ok(self.store.get_range(&Path::from(key), range).await?)
    }

    /// A part of an object, piece by piece, with at most one piece in memory.
    pub(crate) fn stream(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
        let store = self.store.clone();
        let path = Path::from(key);
        stream::try_unfold(range, move |range| {
            let (store, path) = (store.clone(), path.clone());
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let end = range.end.min(range.start + CHUNK);
                let piece = store.get_range(&path, range.start..end).await?;
                Ok(Some((piece, end..range.end)))
            }
        })
    }

    /// Opens an object for reading; blocks, see [`put_blocking`](Self::put_blocking).
    pub(crate) fn open_blocking(&self, key: &str) -> Result<BlobReader, BlobError> {
        wait(async {
            let got = self.store.get(&Path::from(key)).await?;
            Ok(match got.payload {
                GetResultPayload::File(file, _) => BlobReader::File(file),
                _ => BlobReader::Memory(Cursor::new(got.bytes().await?)),
            })
        })
    }

    /// Whether the object is there.
    #[cfg(test)]
    pub(crate) async fn exists(&self, key: &str) -> Result<bool, BlobError> {
        match self.store.head(&Path::from(key)).await.map_err(BlobError::from) {
            Ok(_) => Ok(true),
            Err(BlobError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.store.delete(&Path::from(key)).await.map_err(BlobError::from) {
            Err(BlobError::NotFound) => Ok(()),
            other => other,
        }
    }

    /// The objects of one folder, for the search for orphans.
    pub(crate) async fn list(&self, shard: u8) -> Result<Vec<Listed>, BlobError> {
        let prefix = Path::from(format!("messages/{shard:02x}"));
        self.store
            .list(Some(&prefix))
            .map_err(BlobError::from)
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
    /// Blocks.
    pub(crate) fn remove_partial_blocking(&self, before: SystemTime) -> io::Result<u64> {
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
}

/// The message whose canonical object or rendition has this key.
pub(crate) fn message_of(key: &str) -> Option<Uuid> {
    let (name, format) = key.rsplit('/').next()?.split_once('.')?;
    let id = Uuid::try_parse(name).ok()?;
    (rendition_key(id, format) == key).then_some(id)
}

/// The key of a message's canonical object. The last byte of a UUIDv7 is random, so the folders fill evenly.
pub(crate) fn message_key(id: Uuid) -> String {
    rendition_key(id, "ogg")
}

/// The key of a message in another format: beside the canonical object.
pub(crate) fn rendition_key(id: Uuid, format: &str) -> String {
    format!("messages/{:02x}/{id}.{format}", id.as_bytes()[15])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        (dir, blobs)
    }

    #[tokio::test]
    async fn an_object_is_read_as_it_was_written_whole_and_in_parts() {
        let (_dir, blobs) = blobs();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 7) as u8).collect();
        let key = message_key(Uuid::from_u128(0xab));
        assert_eq!(key, "messages/ab/00000000-0000-0000-0000-0000000000ab.ogg");
        blobs.put_file_blocking(&key, &mut bytes.as_slice()).unwrap();
        let mut whole = Vec::new();
        blobs
            .open_blocking(&key)
            .unwrap()
            .read_to_end(&mut whole)
            .unwrap();
        assert_eq!(whole, bytes);
        assert_eq!(blobs.read(&key, 10..20).await.unwrap(), bytes[10..20]);
        let streamed: Vec<Bytes> = blobs.stream(&key, 5..900_000).try_collect().await.unwrap();
        assert!(streamed.iter().all(|piece| piece.len() as u64 <= CHUNK));
        assert_eq!(streamed.concat(), bytes[5..900_000]);
        assert_eq!(blobs.list(0xab).await.unwrap()[0].key, key);
        assert_eq!(message_of(&key), Some(Uuid::from_u128(0xab)));
        let other = rendition_key(Uuid::from_u128(0xab), "webm");
        assert_eq!(message_of(&other), Some(Uuid::from_u128(0xab)));
        assert_eq!(message_of(&other.replace("/ab/", "/ac/")), None);
        assert_eq!(message_of("messages/ab/notes.txt"), None);
    }

    #[tokio::test]
    async fn what_a_killed_writer_left_is_removed_when_it_is_old() {
        let (dir, blobs) = blobs();
        let key = message_key(Uuid::from_u128(1));
        blobs.put_blocking(&key, Bytes::from_static(b"sound")).unwrap();
        let partial = dir.path().join("objects").join(format!("{key}#1"));
        fs::write(&partial, b"so").unwrap();
        assert_eq!(blobs.remove_partial_blocking(SystemTime::UNIX_EPOCH).unwrap(), 0);
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(blobs.remove_partial_blocking(later).unwrap(), 1);
        assert!(!partial.exists() && blobs.exists(&key).await.unwrap());
    }

    #[tokio::test]
    async fn deleting_twice_is_no_error_and_leaves_nothing() {
        let (_dir, blobs) = blobs();
        let key = message_key(Uuid::from_u128(1));
        blobs.put_blocking(&key, Bytes::from_static(b"sound")).unwrap();
        assert!(blobs.exists(&key).await.unwrap());
        blobs.delete(&key).await.unwrap();
        blobs.delete(&key).await.unwrap();
        assert!(!blobs.exists(&key).await.unwrap());
        assert!(matches!(blobs.read(&key, 0..1).await, Err(BlobError::NotFound)));
    }
}
