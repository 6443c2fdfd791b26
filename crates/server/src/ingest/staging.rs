//! Sounds that were accepted and wait on the local disk: until somebody has time for them, or until the object store is back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder, and how much of it may be used.
pub(crate) struct Staging {
    folder: PathBuf,
    max_bytes: u64,
    used: AtomicU64,
}

impl Staging {
    /// Makes the folder when it is not there.
    pub(super) fn open(folder: PathBuf, max_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let staging = Self {
            folder,
            max_bytes,
            used: AtomicU64::new(0),
        };
        staging.recount()?;
        Ok(staging)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Looks how much is there, after files were removed by other means than [`remove`](Self::remove). Blocks.
    pub(crate) fn recount(&self) -> io::Result<()> {
        let mut used = 0;
        for file in fs::read_dir(&self.folder)? {
            used += file?.metadata()?.len();
        }
        self.used.store(used, Ordering::Relaxed);
        self.tell(used);
        Ok(())
    }

    /// Takes room for so many bytes; false when there is not as much.
    pub(super) fn reserve(&self, len: u64) -> bool {
        let more = |used: u64| used.checked_add(len).filter(|used| *used <= self.max_bytes);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if let Ok(before) = taken {
            self.tell(before + len);
        }
        taken.is_ok()
    }

    /// Gives room back that was reserved and not used.
    pub(super) fn give_back(&self, len: u64) {
        let before = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used.saturating_sub(len))
            })
            .unwrap_or(0);
        self.tell(before.saturating_sub(len));
    }

    /// Removes a file and gives its room back. Blocks.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        let len = fs::metadata(&path)?.len();
        fs::remove_file(path)?;
        self.give_back(len);
        Ok(())
    }

    /// Whether there is room for anything at all.
    pub(crate) fn is_full(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.max_bytes
    }

    fn tell(&self, used: u64) {
        metrics::gauge!("voxpost_waiting_bytes").set(used as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_counted_anew_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("staging");
        let staging = Staging::open(folder.clone(), 100).unwrap();
        assert!(staging.reserve(60));
        assert!(!staging.reserve(41));
        assert!(staging.reserve(40));
        assert!(staging.is_full());
        staging.give_back(100);
        fs::write(staging.path("a"), [0; 70]).unwrap();
        let again = Staging::open(folder, 100).unwrap();
        assert!(!again.reserve(31));
        again.remove("a").unwrap();
        assert!(again.reserve(100));
    }
}
