//! Files that the last process left: staged uploads of messages that have come to an end, temporary files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use crate::app::App;
use crate::blob::BlobError;
use crate::error::{ApiError, ApiResult};
use crate::store::messages;

/// Removes them. To be called before the first request.
pub(super) async fn remove(app: &App) -> ApiResult<()> {
    let needed: HashSet<OsString> = {
        let mut c = app.store.read().await?;
        let rows = messages::in_processing(&mut c).await?;
        rows.into_iter()
            .filter_map(|row| row.staging)
            .map(OsString::from)
            .collect()
    };
    let owner = app.clone();
    let removed = tokio::task::spawn_blocking(move || {
        let ingest = &owner.ingest;
        let removed = empty(&ingest.temporary, &HashSet::new())? + empty(ingest.staging.folder(), &needed)?;
        ingest.staging.recount()?;
        Ok::<_, io::Error>(removed)
    })
    .await
    .map_err(ApiError::internal)?
    .map_err(BlobError::from)?;
    if removed > 0 {
        tracing::info!(removed, "files of the last process were removed");
    }
    Ok(())
}

fn empty(folder: &Path, but: &HashSet<OsString>) -> io::Result<u64> {
    let mut removed = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        if file.file_type()?.is_file() && !but.contains(&file.file_name()) {
            fs::remove_file(file.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}
