//! Who writes which upload at present, within this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The present writers. Holds as many as there are.
#[derive(Clone, Default)]
pub(super) struct Holders(Arc<Mutex<HashMap<Uuid, Entry>>>);

struct Entry {
    serial: u64,
    stop: CancellationToken,
    gone: CancellationToken,
    /// The lease of who may touch the file; shared by all that ever held this upload at overlapping times.
    fence: Arc<AtomicU64>,
}

/// Somebody who writes an upload, or is about to. The next one is told when it is dropped.
pub(crate) struct Hold {
    id: Uuid,
    serial: u64,
    holders: Holders,
    stop: CancellationToken,
    gone: CancellationToken,
    fence: Arc<AtomicU64>,
}

impl Holders {
    /// Becomes the holder. The one before is told to stop; what is returned beside tells when it has.
    pub(super) fn hold(&self, id: Uuid) -> (Hold, Option<CancellationToken>) {
        let mut map = self.map();
        let before = map.get(&id);
        let hold = Hold {
            id,
            serial: before.map_or(0, |entry| entry.serial + 1),
            holders: self.clone(),
            stop: CancellationToken::new(),
            gone: CancellationToken::new(),
            fence: before.map_or_else(Arc::default, |entry| entry.fence.clone()),
        };
        let entry = Entry {
            serial: hold.serial,
            stop: hold.stop.clone(),
            gone: hold.gone.clone(),
            fence: hold.fence.clone(),
        };
        let before = map.insert(id, entry).map(|entry| {
            entry.stop.cancel();
            entry.gone
        });
        (hold, before)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Told when somebody else takes over.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// From now on only who has this lease may touch the file. To be called at the gate.
    pub(super) fn set_lease(&self, lease: u64) {
        self.fence.store(lease, Ordering::SeqCst);
    }

    /// Whether who has this lease may touch the file. To be asked at the gate.
    pub(super) fn has_lease(&self, lease: u64) -> bool {
        self.fence.load(Ordering::SeqCst) == lease
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut map = self.holders.map();
        if map.get(&self.id).is_some_and(|entry| entry.serial == self.serial) {
            map.remove(&self.id);
        }
        self.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_holder_stops_the_one_before_and_shares_its_fence() {
        let holders = Holders::default();
        let id = Uuid::from_u128(1);
        let (first, none) = holders.hold(id);
        assert!(none.is_none());
        first.set_lease(1);
        let (second, gone) = holders.hold(id);
        assert!(first.stop().is_cancelled() && !second.stop().is_cancelled());
        second.set_lease(2);
        assert!(!first.has_lease(1) && second.has_lease(2));
        drop(first);
        assert!(gone.is_some_and(|gone| gone.is_cancelled()));
        assert_eq!(holders.map().len(), 1, "the second still holds it");
        drop(second);
        assert!(holders.map().is_empty());
    }
}
