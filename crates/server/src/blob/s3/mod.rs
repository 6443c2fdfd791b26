//! Objects in a store that speaks S3.
//!
//! Nothing here rests on conditional writes, which some stores ignore: a key is written by one message alone, and always with
//! the same bytes.

mod http;
mod links;
mod multipart;
mod presign;
mod setup;

use std::fs::File;
use std::io::{self, Cursor, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutOptions, PutPayload,
};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use voxpost_audio::Rendition;

use super::guard::Guard;
use super::pending::Data;
use super::{BlobError, BlobReader, Listed, PIECE};
use crate::config::S3Config;
use crate::domain::breaker::Condition;
use http::fault;
use presign::Presigner;

/// An object up to this size goes up in one request; beyond that in parts of this size. S3 takes no smaller parts, some
/// stores want all parts but the last to be equally long, and there may be 10,000.
const PART: u64 = 5 << 20;

/// The object that tells whose store it is.
const OWNER: &str = "voxpost-installation";

/// It holds a UUID.
const MAX_OWNER_BYTES: u64 = 64;

/// What all uploads together hold in memory, in units of [`UNIT`]: three parts, or many small objects.
const BUFFER_UNITS: u32 = 256;
const UNIT: u64 = 64 << 10;

/// The store; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct S3(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: AmazonS3,
    presigner: Presigner,
    prefix: String,
    /// Whether listeners are sent to the store itself.
    redirect: bool,
    guard: Guard,
    /// For threads that belong to no runtime.
    runtime: Handle,
    buffers: Semaphore,
    /// For large objects that are read.
    temporary: PathBuf,
    /// One file for each multipart upload under way.
    multiparts: PathBuf,
}

impl S3 {
    /// To be called within a runtime. Asks nothing of the store yet.
    pub(super) fn open(data_dir: &FilePath, config: &S3Config, bucket: &str) -> io::Result<Self> {
        let temporary = data_dir.join("tmp");
        let multiparts = data_dir.join("multiparts");
        std::fs::create_dir_all(&temporary)?;
        std::fs::create_dir_all(&multiparts)?;
        let (store, presigner) = setup::connect(config, bucket).map_err(io::Error::other)?;
        let s3 = Self(Arc::new(Inner {
            store,
            presigner,
            prefix: config.s3_prefix.clone(),
            redirect: config.s3_redirect,
            guard: Guard::new(setup::limits(config)),
            runtime: Handle::current(),
            buffers: Semaphore::new(BUFFER_UNITS as usize),
            temporary,
            multiparts,
        }));
        s3.ask_while_away();
        Ok(s3)
    }

    /// While the breaker is open somebody has to ask, whether anybody wants something or not: what waits goes on by itself.
    fn ask_while_away(&self) {
        let weak = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                let Some(inner) = weak.upgrade() else { return };
                tokio::select! {
                    () = inner.guard.until_away() => {}
                    () = tokio::time::sleep(std::time::Duration::from_secs(5)) => continue,
                }
                let s3 = Self(inner);
                let wait = match s3.probe().await {
                    Err(BlobError::Away { retry_after, .. }) => retry_after,
                    _ => 1,
                };
                let pause = std::time::Duration::from_millis(if wait > 1 { 500 } else { 100 });
                drop(s3);
                tokio::time::sleep(pause).await;
            }
        });
    }

    pub(super) async fn put(&self, key: &str, data: Data, len: u64) -> Result<(), BlobError> {
        match data {
            Data::Memory(bytes) => self.put_bytes(key, bytes).await,
            Data::File(file) if len <= PART => {
                let _room = self.room(len).await?;
                let bytes = read_at(file, 0, len).await?;
                self.put_bytes(key, bytes).await
            }
            Data::File(file) => multipart::put(self, key, file, len).await,
        }
    }

    async fn put_bytes(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let path = self.path(key);
        let put = || async {
            let options = PutOptions {
                attributes: attributes(key),
                ..PutOptions::default()
            };
            let payload = PutPayload::from_bytes(bytes.clone());
            let put = self.0.store.put_opts(&path, payload, options).await;
            put.map(drop).map_err(http::write_fault)
        };
        self.0.guard.run("put", put).await
    }

    /// Room in memory for so many bytes of an upload.
    async fn room(&self, len: u64) -> Result<SemaphorePermit<'_>, BlobError> {
        let units = u32::try_from(len.div_ceil(UNIT)).unwrap_or(BUFFER_UNITS);
        let room = self.0.buffers.acquire_many(units.min(BUFFER_UNITS)).await;
        room.map_err(|error| BlobError::Unavailable(error.to_string()))
    }

    pub(super) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        let path = self.path(key);
        let expected = range.end - range.start;
        let read = || async {
            let bytes = self
                .0
                .store
                .get_range(&path, range.clone())
                .await
                .map_err(fault)?;
            http::whole(&bytes, expected)?;
            Ok(bytes)
        };
        self.0.guard.run("get", read).await
    }

    pub(super) fn open_blocking(&self, key: &str) -> Result<BlobReader, BlobError> {
        self.0.runtime.block_on(self.open_object(key))
    }

    async fn open_object(&self, key: &str) -> Result<BlobReader, BlobError> {
        let path = self.path(key);
        let first = || async {
            let options = GetOptions {
                range: Some(GetRange::Bounded(0..PIECE)),
                ..GetOptions::default()
            };
            let got = self.0.store.get_opts(&path, options).await.map_err(fault)?;
            let size = got.meta.size;
            let bytes = got.bytes().await.map_err(fault)?;
            http::whole(&bytes, size.min(PIECE))?;
            Ok((size, bytes))
        };
        let (size, first) = self.0.guard.run("get", first).await?;
        if size <= PIECE {
            return Ok(BlobReader::Memory(Cursor::new(first)));
        }
        let mut file = tempfile::tempfile_in(&self.0.temporary)?;
        file.write_all(&first)?;
        let mut at = first.len() as u64;
        while at < size {
            let piece = self.read(key, at..size.min(at + PIECE)).await?;
            at += piece.len() as u64;
            file.write_all(&piece)?;
        }
        io::Seek::rewind(&mut file)?;
        Ok(BlobReader::File(file))
    }

    /// None when there is no such object.
    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        let path = self.path(key);
        let head = || async { self.0.store.head(&path).await.map_err(fault) };
        match self.0.guard.run("head", head).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(BlobError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let path = self.path(key);
        let delete = || async { self.0.store.delete(&path).await.map_err(fault) };
        match self.0.guard.run("delete", delete).await {
            Err(BlobError::NotFound) => Ok(()),
            other => other,
        }
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>, BlobError> {
        let path = self.path(folder);
        let list = || async {
            let found = self.0.store.list(Some(&path)).map_err(fault);
            found
                .map(|meta| {
                    let meta = meta?;
                    Ok(self.key(&meta.location).map(|key| Listed {
                        key,
                        modified_at: meta.last_modified.timestamp_millis(),
                    }))
                })
                .try_filter_map(|listed| async { Ok(listed) })
                .try_collect()
                .await
        };
        match self.0.guard.run("list", list).await {
            // Some stores say so of a folder without objects.
            Err(BlobError::NotFound) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Who is told to own this store by an object in it; that is written when there is none.
    pub(super) async fn owner(&self, ours: &str) -> Result<String, BlobError> {
        let found = match self.size(OWNER).await? {
            Some(len) if len <= MAX_OWNER_BYTES => self.read(OWNER, 0..len).await?,
            Some(_) => return Ok(String::new()),
            None => {
                self.put_bytes(OWNER, Bytes::copy_from_slice(ours.as_bytes()))
                    .await?;
                self.read(OWNER, 0..ours.len() as u64).await?
            }
        };
        Ok(String::from_utf8_lossy(&found).into_owned())
    }

    /// Aborts multipart uploads that were begun before `before` and came to no end.
    pub(super) async fn abort_unfinished(&self, before: SystemTime) -> Result<u64, BlobError> {
        multipart::abort_unfinished(self, before).await
    }

    /// Whether the store answers for this bucket with our keys.
    pub(super) async fn probe(&self) -> Result<(), BlobError> {
        let path = self.path("messages");
        let probe = || async {
            let mut listed = self
                .0
                .store
                .list_with_offset(Some(&path), &self.path("messages/ff/g"));
            match listed.next().await {
                None | Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(http::write_fault(error)),
            }
        };
        self.0.guard.run("probe", probe).await
    }

    pub(super) fn breaker(&self) -> Condition {
        self.0.guard.condition()
    }

    pub(super) async fn until_back(&self) {
        self.0.guard.until_there().await;
    }

    /// A key of ours as the store has it.
    fn path(&self, key: &str) -> Path {
        Path::from(if self.0.prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{}/{key}", self.0.prefix)
        })
    }

    /// The way back; None for what is not ours.
    fn key(&self, path: &Path) -> Option<String> {
        let path = path.as_ref();
        if self.0.prefix.is_empty() {
            return Some(path.to_owned());
        }
        Some(path.strip_prefix(&self.0.prefix)?.strip_prefix('/')?.to_owned())
    }
}

/// The media type, for those who fetch it from the store itself.
fn attributes(key: &str) -> Attributes {
    let media_type = key
        .rsplit_once('.')
        .and_then(|(_, format)| Rendition::by_name(format))
        .map_or("application/octet-stream", |rendition| rendition.media_type());
    Attributes::from_iter([(Attribute::ContentType, media_type)])
}

/// A piece of a file; shorter is an error, since the file is ours.
async fn read_at(file: Arc<File>, at: u64, len: u64) -> Result<Bytes, BlobError> {
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, at)?;
        Ok::<_, io::Error>(Bytes::from(bytes))
    });
    Ok(read.await.map_err(io::Error::other)??)
}
