//! One at a time for each key: who comes second waits for the first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Locks by key. Holds as many as there are requests with one in their hands.
pub(crate) struct KeyedLocks<K: Eq + Hash + Clone>(Arc<Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>>);

/// Held for one key; the next one goes on when it is dropped.
pub(crate) struct KeyedGuard<K: Eq + Hash + Clone> {
    key: K,
    locks: KeyedLocks<K>,
    held: Option<OwnedMutexGuard<()>>,
}

impl<K: Eq + Hash + Clone> KeyedLocks<K> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) async fn lock(&self, key: K) -> KeyedGuard<K> {
        let lock = self.map().entry(key.clone()).or_default().clone();
        // Made before waiting, so that a caller who goes away while it waits cleans up too.
        let mut guard = KeyedGuard {
            key,
            locks: Self(self.0.clone()),
            held: None,
        };
        guard.held = Some(lock.lock_owned().await);
        guard
    }

    fn map(&self) -> MutexGuard<'_, HashMap<K, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Drop for KeyedGuard<K> {
    fn drop(&mut self) {
        self.held = None;
        let mut map = self.locks.map();
        // One reference is the map's; others are held by who waits or works.
        if map
            .get(&self.key)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_others_do_not() {
        let locks = KeyedLocks::new();
        let first = locks.lock(1).await;
        let mut second = Box::pin(locks.lock(1));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(locks.lock(2).now_or_never().is_some());
        drop(first);
        drop(second.await);
        assert!(locks.map().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing() {
        let locks = KeyedLocks::new();
        let first = locks.lock(1).await;
        let mut second = Box::pin(locks.lock(1));
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(locks.map().is_empty());
    }
}
