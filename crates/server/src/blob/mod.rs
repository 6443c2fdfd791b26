//! The objects: one canonical sound per message and what is made of it, durable before any row names them.
//!
//! They are kept on the local disk or in a store that speaks S3; nobody outside of this module can tell which.

mod error;
mod guard;
mod local;
mod pending;
mod s3;
#[cfg(test)]
mod tests;
mod wait;

use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{Stream, stream};
use uuid::Uuid;

use crate::config::S3Config;
use crate::domain::breaker::Condition;
pub(crate) use error::BlobError;
use local::Local;
use pending::Data;
pub(crate) use pending::{FinishedObject, PendingObject};
use s3::S3;

/// How much of an object is in memory while it is sent or stored piece by piece.
const CHUNK: u64 = 256 << 10;

/// How long a link for an upload is good, in seconds: a large file over a slow line has to *begin* within it.
pub(crate) const PUT_WITHIN_S: u32 = 15 * 60;

/// How much is asked for at once of a store over the network.
const PIECE: u64 = 1 << 20;

/// The object store; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Blobs(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Local(Local),
    S3(S3),
}

/// An object as a listing shows it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// Milliseconds since the Unix epoch, by the clock of the store.
    pub(crate) modified_at: i64,
}

/// What an upload by a link is said to be.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    pub(crate) media_type: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: [u8; 32],
}

/// A link by which one thing can be done, with the headers that have to be sent just so.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
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
    /// Opens the store that is configured: a bucket, or the data directory. Asks nothing of a store over the network yet.
    pub(crate) fn open(data_dir: &FilePath, s3: &S3Config) -> io::Result<Self> {
        let backend = match &s3.s3_bucket {
            None => Backend::Local(Local::open(data_dir)?),
            Some(bucket) => Backend::S3(S3::open(data_dir, s3, bucket)?),
        };
        Ok(Self(backend))
    }

    /// The store when it is a disk of this machine.
    fn local(&self) -> Option<&Local> {
        match &self.0 {
            Backend::Local(local) => Some(local),
            Backend::S3(_) => None,
        }
    }

    /// Whether writing takes a disk of this machine and no network.
    pub(crate) fn is_local(&self) -> bool {
        self.local().is_some()
    }

    async fn put(&self, key: &str, data: Data, len: u64) -> Result<(), BlobError> {
        match &self.0 {
            Backend::S3(s3) => s3.put(key, data, len).await,
            Backend::Local(local) => {
                let (local, key) = (local.clone(), key.to_owned());
                let work = move || match data {
                    Data::Memory(bytes) => local.put_blocking(&key, bytes),
                    Data::File(file) => {
                        let mut file = &*file;
                        file.rewind()?;
                        local.put_file_blocking(&key, &mut file)
                    }
                };
                let done = tokio::task::spawn_blocking(work).await;
                done.map_err(io::Error::other)?
            }
        }
    }

    /// Stores what an unnamed file of this many bytes holds. It is durable when this returns.
    pub(crate) async fn put_file(&self, key: &str, file: Arc<fs::File>, len: u64) -> Result<(), BlobError> {
        self.put(key, Data::File(file), len).await
    }

    /// Stores bytes, as a message's lane would.
    #[cfg(test)]
    pub(crate) async fn put_bytes(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        let len = bytes.len() as u64;
        self.put(key, Data::Memory(Bytes::copy_from_slice(bytes)), len)
            .await
    }

    /// A part of an object.
    pub(crate) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        match &self.0 {
            Backend::Local(local) => local.read(key, range).await,
            Backend::S3(s3) => s3.read(key, range).await,
        }
    }

    /// A part of an object, piece by piece, with at most one piece in memory.
    pub(crate) fn stream(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
        let (blobs, key) = (self.clone(), key.to_owned());
        let piece = if self.is_local() { CHUNK } else { PIECE };
        stream::try_unfold(range, move |range| {
            let (blobs, key) = (blobs.clone(), key.clone());
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let end = range.end.min(range.start + piece);
                let piece = blobs.read(&key, range.start..end).await?;
                Ok(Some((piece, end..range.end)))
            }
        })
    }

    /// Opens an object for reading. Blocks: for threads of a lane only. A large one from over the network comes to an unnamed
    /// file first.
    pub(crate) fn open_blocking(&self, key: &str) -> Result<BlobReader, BlobError> {
        match &self.0 {
            Backend::Local(local) => local.open_blocking(key),
            Backend::S3(s3) => s3.open_blocking(key),
        }
    }

    /// Whether the object is there.
    pub(crate) async fn exists(&self, key: &str) -> Result<bool, BlobError> {
        Ok(self.size(key).await?.is_some())
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match &self.0 {
            Backend::Local(local) => local.delete(key).await,
            Backend::S3(s3) => s3.delete(key).await,
        }
    }

    /// The objects of one folder, for the search for orphans.
    pub(crate) async fn list(&self, shard: u8) -> Result<Vec<Listed>, BlobError> {
        self.list_folder(&format!("messages/{shard:02x}")).await
    }

    /// What was put into the store by links and is not a message's.
    pub(crate) async fn list_uploads(&self) -> Result<Vec<Listed>, BlobError> {
        self.list_folder(UPLOADS).await
    }

    async fn list_folder(&self, folder: &str) -> Result<Vec<Listed>, BlobError> {
        match &self.0 {
            Backend::Local(local) => local.list(folder).await,
            Backend::S3(s3) => s3.list(folder).await,
        }
    }

    /// Removes what writers that were killed left half-written before `before`; returns how much.
    pub(crate) async fn remove_partial(&self, before: SystemTime) -> Result<u64, BlobError> {
        match &self.0 {
            Backend::Local(local) => {
                let local = local.clone();
                let work = tokio::task::spawn_blocking(move || local.remove_partial_blocking(before));
                Ok(work.await.map_err(io::Error::other)??)
            }
            Backend::S3(s3) => s3.abort_unfinished(before).await,
        }
    }

    /// A link by which a listener fetches an object from the store itself, good for a minute; None when the store gives none,
    /// or is not to. `name` is what the file is called.
    ///
    /// # Errors
    /// When there are no keys to sign with right now.
    pub(crate) async fn redirect(&self, key: &str, name: &str) -> Result<Option<String>, BlobError> {
        match &self.0 {
            Backend::Local(_) => Ok(None),
            Backend::S3(s3) => s3.redirect(key, name).await,
        }
    }

    /// A link by which somebody puts an upload into the store; None when the store gives none.
    ///
    /// # Errors
    /// When there are no keys to sign with right now.
    pub(crate) async fn upload_link(&self, id: Uuid, what: &Announced) -> Result<Option<Link>, BlobError> {
        match &self.0 {
            Backend::Local(_) => Ok(None),
            Backend::S3(s3) => s3.upload_link(&upload_key(id), what).await.map(Some),
        }
    }

    /// How large an object is; None when there is none.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        match &self.0 {
            Backend::Local(local) => local.size(key).await,
            Backend::S3(s3) => s3.size(key).await,
        }
    }

    /// The installation that the store belongs to: `ours` when it was nobody's until now. Orphans are looked for by who owns
    /// the store alone, so that two installations with one bucket by mistake do not delete each other's sounds.
    pub(crate) async fn owner(&self, ours: &str) -> Result<String, BlobError> {
        match &self.0 {
            Backend::Local(_) => Ok(ours.to_owned()),
            Backend::S3(s3) => s3.owner(ours).await,
        }
    }

    /// The origin (`https://host:port`) that links of the store lead to.
    pub(crate) fn origin_of_links(&self) -> Option<String> {
        match &self.0 {
            Backend::Local(_) => None,
            Backend::S3(s3) => s3.redirects().then(|| s3.origin_of_links()),
        }
    }

    /// Whether the store takes writes, for the operator.
    pub(crate) async fn probe(&self) -> Result<(), BlobError> {
        match &self.0 {
            Backend::Local(local) => local.probe().await,
            Backend::S3(s3) => s3.probe().await,
        }
    }

    /// What the circuit breaker before the store is like; a local disk has none.
    pub(crate) fn breaker(&self) -> Option<Condition> {
        match &self.0 {
            Backend::Local(_) => None,
            Backend::S3(s3) => Some(s3.breaker()),
        }
    }

    /// Returns when the store can be asked again: at once, unless its circuit breaker is open.
    pub(crate) async fn until_back(&self) {
        if let Backend::S3(s3) = &self.0 {
            s3.until_back().await;
        }
    }
}

/// Where uploads by links go. Nothing is ever served from there.
const UPLOADS: &str = "uploads";

/// The key of an upload by a link.
pub(crate) fn upload_key(id: Uuid) -> String {
    format!("{UPLOADS}/{id}")
}

/// The upload that has this key.
pub(crate) fn upload_of(key: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(key.strip_prefix(UPLOADS)?.strip_prefix('/')?).ok()?;
    (upload_key(id) == key).then_some(id)
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
