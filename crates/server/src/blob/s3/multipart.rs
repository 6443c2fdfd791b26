//! Large objects, part by part; and what a killed process left of them.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use object_store::PutMultipartOptions;
use object_store::PutPayload;
use object_store::multipart::{MultipartStore, PartId};

use super::http::{fault, write_fault};
use super::{BlobError, PART, S3, attributes, read_at};
use crate::clock;

/// Stores `len` bytes of `file`. The parts go up one after the other: one part in memory, and others get their turn.
pub(super) async fn put(s3: &S3, key: &str, file: Arc<File>, len: u64) -> Result<(), BlobError> {
    let (inner, path) = (&s3.0, s3.path(key));
    let create = || async {
        let options = PutMultipartOptions {
            attributes: attributes(key),
            ..PutMultipartOptions::default()
        };
        let created = inner.store.create_multipart_opts(&path, options).await;
        created.map_err(write_fault)
    };
    let upload_id = inner.guard.run("create_multipart", create).await?;
    let note = Note::write(s3, key, &upload_id)?;
    let done = put_parts(s3, key, &upload_id, file, len).await;
    match done {
        Ok(()) => note.remove(),
        // What cannot be aborted now is aborted later, by the note.
        Err(_) if abort(s3, key, &upload_id).await.is_ok() => note.remove(),
        Err(_) => {}
    }
    done
}

async fn put_parts(s3: &S3, key: &str, upload_id: &str, file: Arc<File>, len: u64) -> Result<(), BlobError> {
    let (inner, path, upload_id) = (&s3.0, s3.path(key), upload_id.to_owned());
    let mut parts: Vec<PartId> = Vec::new();
    let mut at = 0;
    while at < len {
        let piece = PART.min(len - at);
        let _room = s3.room(piece).await?;
        let bytes = read_at(Arc::clone(&file), at, piece).await?;
        let number = parts.len();
        let put = || async {
            let payload = PutPayload::from_bytes(bytes.clone());
            let put = inner.store.put_part(&path, &upload_id, number, payload).await;
            put.map_err(write_fault)
        };
        parts.push(inner.guard.run("put_part", put).await?);
        at += piece;
    }
    let complete = || async {
        let completed = inner
            .store
            .complete_multipart(&path, &upload_id, parts.clone())
            .await;
        completed.map(drop).map_err(fault)
    };
    match inner.guard.run("complete_multipart", complete).await {
        // The answer to an earlier attempt may have been lost on its way.
        Err(BlobError::NotFound) if s3.size(key).await? == Some(len) => Ok(()),
        Err(BlobError::NotFound) => Err(BlobError::Away {
            reason: "it forgot an upload in parts".to_owned(),
            retry_after: 1,
        }),
        other => other,
    }
}

async fn abort(s3: &S3, key: &str, upload_id: &str) -> Result<(), BlobError> {
    let (path, upload_id) = (s3.path(key), upload_id.to_owned());
    let abort = || async { s3.0.store.abort_multipart(&path, &upload_id).await.map_err(fault) };
    match s3.0.guard.run("abort_multipart", abort).await {
        Err(BlobError::NotFound) => Ok(()),
        other => other,
    }
}

/// Goes through the notes; an upload of before `before` is nobody's any more.
pub(super) async fn abort_unfinished(s3: &S3, before: SystemTime) -> Result<u64, BlobError> {
    let mut aborted = 0;
    for file in fs::read_dir(&s3.0.multiparts)? {
        let file = file?;
        if file.metadata()?.modified()? >= before {
            continue;
        }
        let text = fs::read_to_string(file.path())?;
        if let Some((key, upload_id)) = text.split_once('\n') {
            abort(s3, key, upload_id).await?;
            aborted += 1;
        }
        fs::remove_file(file.path())?;
    }
    Ok(aborted)
}

/// A file that says which upload is under way. Not every store can list them. It need not survive a power cut: then the
/// store's own rule for unfinished uploads is left.
struct Note(PathBuf);

impl Note {
    fn write(s3: &S3, key: &str, upload_id: &str) -> io::Result<Self> {
        let path = s3.0.multiparts.join(clock::new_id().to_string());
        fs::write(&path, format!("{key}\n{upload_id}"))?;
        Ok(Self(path))
    }

    fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, "the note of an upload in parts was not removed");
        }
    }
}
