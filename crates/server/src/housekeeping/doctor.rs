//! `voxpost doctor`: whether a data directory is whole. For a server that does not run.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::blob::{self, BlobError, Blobs};
use crate::config::S3Config;
use crate::serve::ServeError;
use crate::store::{Conn, Store, StoreError, check, presigned};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// What SQLite says is wrong with the database; empty when nothing is.
    pub database: Vec<String>,
    /// Messages that there are.
    pub messages: u64,
    /// Messages whose sound is missing. Nothing can repair that but a backup.
    pub without_object: Vec<String>,
    /// Objects that no message has: a process was killed between storing and publishing. Harmless.
    pub without_message: Vec<String>,
    /// Staged uploads that no message waits for. Harmless.
    pub leftovers: Vec<String>,
    /// Conversations whose sequence has gaps: (conversation, messages, last seq).
    pub gaps: Vec<String>,
    /// Whether the harmless ones were removed.
    pub repaired: bool,
}

impl DoctorReport {
    /// Whether something is wrong that a person has to look at.
    pub fn is_healthy(&self) -> bool {
        self.database.is_empty() && self.without_object.is_empty() && self.gaps.is_empty()
    }
}

/// Looks through a data directory; with `repair` it removes what nobody needs.
///
/// # Errors
/// When the directory or its database cannot be opened at all.
pub async fn doctor(data_dir: &Path, s3: &S3Config, repair: bool) -> Result<DoctorReport, ServeError> {
    let unusable = |error| ServeError::DataDir(data_dir.display().to_string(), error);
    if !data_dir.join("voxpost.db").is_file() {
        return Err(unusable(std::io::Error::from(std::io::ErrorKind::NotFound)));
    }
    let blobs = Blobs::open(data_dir, s3).map_err(ServeError::Objects)?;
    let store = Store::open(data_dir).await?;
    let mut report = DoctorReport::default();
    let examined = examine(&mut report, data_dir, &store, &blobs).await;
    store.close().await;
    examined?;
    if repair {
        for key in &report.without_message {
            blobs.delete(key).await.map_err(store_failed)?;
        }
        let now = std::time::SystemTime::now();
        blobs.remove_partial(now).await.map_err(store_failed)?;
        for name in &report.leftovers {
            fs::remove_file(data_dir.join("staging").join(name)).map_err(unusable)?;
        }
        report.repaired = true;
    }
    Ok(report)
}

async fn examine(
    report: &mut DoctorReport,
    data_dir: &Path,
    store: &Store,
    blobs: &Blobs,
) -> Result<(), ServeError> {
    let unusable = |error| ServeError::DataDir(data_dir.display().to_string(), error);
    let mut c = store.read().await?;
    report.database = check::integrity(&mut c).await.map_err(StoreError::from)?;
    report.gaps = check::gaps(&mut c).await.map_err(StoreError::from)?;
    let staged = objects_and_rows(report, &mut c, blobs).await?;
    for file in fs::read_dir(data_dir.join("staging")).into_iter().flatten() {
        let name = file.map_err(unusable)?.file_name().to_string_lossy().into_owned();
        if !staged.contains(&name) {
            report.leftovers.push(name);
        }
    }
    Ok(())
}

fn store_failed(error: BlobError) -> ServeError {
    ServeError::Objects(std::io::Error::other(error))
}

/// Compares both ways; returns what is staged for messages in processing.
async fn objects_and_rows(
    report: &mut DoctorReport,
    c: &mut Conn,
    blobs: &Blobs,
) -> Result<HashSet<String>, ServeError> {
    let ours = check::installation(c).await.map_err(StoreError::from)?;
    let owner = blobs.owner(&ours).await.map_err(store_failed)?;
    if owner != ours {
        return Err(ServeError::Objects(std::io::Error::other(
            "the bucket and prefix belong to another installation",
        )));
    }
    let mut keys = HashSet::new();
    for shard in 0..=u8::MAX {
        let listed = blobs.list(shard).await.map_err(store_failed)?;
        keys.extend(listed.into_iter().map(|object| object.key));
    }
    let mut staged = HashSet::new();
    for row in check::sounds(c).await.map_err(StoreError::from)? {
        report.messages += 1;
        staged.extend(row.staging);
        if let Some(key) = row.audio_key
            && !keys.remove(&key)
            && !row.in_log
        {
            report.without_object.push(row.id.to_string());
        }
    }
    for object in blobs.list_uploads().await.map_err(store_failed)? {
        let Some(id) = blob::upload_of(&object.key) else {
            continue;
        };
        if !presigned::exists(c, id).await.map_err(StoreError::from)? {
            report.without_message.push(object.key);
        }
    }
    // A rendition that is missing is made again when somebody asks for it.
    for key in check::renditions(c).await.map_err(StoreError::from)? {
        keys.remove(&key);
    }
    // What is left belongs to nobody, unless its deletion is only waiting.
    let waiting = check::deletions(c).await.map_err(StoreError::from)?;
    let orphans = keys
        .into_iter()
        .filter(|key| blob::message_of(key).is_some() && !waiting.contains(key));
    report.without_message.extend(orphans);
    report.without_message.sort();
    Ok(staged)
}
