//! Session tokens in memory, and the news of those that ended.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use uuid::Uuid;
use voxpost_proto::Timestamp;

use super::{Caller, token_hash};
use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::sessions;

/// Sessions that are remembered; about 150 bytes each, twice.
const CACHED: usize = 16_384;

/// How often a session's use is written down: often enough for a list that people read.
const TOUCH_MS: i64 = 5 * 60 * 1000;

/// Which sessions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// One.
    Session(Uuid),
    /// All of a person but the one that asked for it.
    Others { user_id: Uuid, keep: Option<Uuid> },
    /// All of a person, tokens of other issuers too: the account is gone.
    User(Uuid),
}

impl Revoked {
    pub(crate) fn hits(self, user_id: Uuid, session_id: Option<Uuid>) -> bool {
        match self {
            Self::Session(id) => session_id == Some(id),
            // A token of another issuer has no session that could be ended here.
            Self::Others { user_id: whose, keep } => {
                whose == user_id && session_id.is_some() && session_id != keep
            }
            Self::User(whose) => whose == user_id,
        }
    }
}

/// The sessions that were used lately, and a way to hear of those that end.
pub(crate) struct Sessions {
    cache: Mutex<Cache>,
    revoked: broadcast::Sender<Revoked>,
}

/// Two generations: what is used moves to the young one; when that is full, it becomes the old one and the old one goes.
#[derive(Default)]
struct Cache {
    young: HashMap<Vec<u8>, Entry>,
    old: HashMap<Vec<u8>, Entry>,
    /// Counts revocations: what was read before one must not be remembered after it.
    epoch: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    session_id: Uuid,
    user_id: Uuid,
    /// The use that is, or is about to be, in the database.
    touched_ms: i64,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            cache: Mutex::default(),
            revoked: broadcast::channel(256).0,
        }
    }

    /// To be called once the end of these sessions is committed: from now on their tokens open nothing, and
    /// whoever [watches](Self::subscribe) learns it.
    pub(crate) fn revoke(&self, revoked: Revoked) {
        let mut cache = self.lock();
        cache.epoch += 1;
        let stays = |_: &Vec<u8>, entry: &mut Entry| !revoked.hits(entry.user_id, Some(entry.session_id));
        cache.young.retain(stays);
        cache.old.retain(stays);
        drop(cache);
        let _ = self.revoked.send(revoked);
    }

    /// The news of all that end.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Revoked> {
        self.revoked.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // Nothing in here leaves it half-changed.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom a session token stands for; None when it stands for nobody.
pub(super) async fn authenticate(app: &App, token: &str) -> ApiResult<Option<Caller>> {
    let hash = token_hash(token);
    let now = clock::now();
    let (found, epoch) = app.sessions.lock().get(&hash);
    let entry = match found {
        Some(entry) => entry,
        None => {
            let mut c = app.store.read().await?;
            let Some(row) = sessions::by_token(&mut c, &hash).await? else {
                return Ok(None);
            };
            Entry {
                session_id: row.id,
                user_id: row.user_id,
                touched_ms: row.last_used_at,
            }
        }
    };
    let idle_ms = app.config.session_idle_ms();
    if idle_ms > 0 && now.millis() - entry.touched_ms > idle_ms {
        return Ok(None);
    }
    let due = now.millis() - entry.touched_ms >= TOUCH_MS;
    let entry = Entry {
        touched_ms: if due { now.millis() } else { entry.touched_ms },
        ..entry
    };
    if found.is_none() || due {
        app.sessions.lock().put(hash, entry, epoch);
    }
    if due {
        touch(app.clone(), entry.session_id, now);
    }
    Ok(Some(Caller {
        user_id: entry.user_id,
        session_id: Some(entry.session_id),
        expires_at: None,
    }))
}

/// Writes the use down, without anybody waiting for it.
fn touch(app: App, session_id: Uuid, now: Timestamp) {
    tokio::spawn(async move {
        let written: ApiResult<()> = app
            .store
            .write(move |c| {
                Box::pin(async move { sessions::touch(c, session_id, now).await.map_err(ApiError::from) })
            })
            .await;
        if written.is_err() {
            tracing::debug!("the use of a session was not written down");
        }
    });
}

impl Cache {
    fn get(&mut self, hash: &[u8]) -> (Option<Entry>, u64) {
        if let Some(entry) = self.young.get(hash) {
            return (Some(*entry), self.epoch);
        }
        let found = self.old.remove_entry(hash);
        let entry = found.map(|(hash, entry)| {
            self.young.insert(hash, entry);
            entry
        });
        (entry, self.epoch)
    }

    fn put(&mut self, hash: Vec<u8>, entry: Entry, epoch: u64) {
        if epoch != self.epoch {
            return;
        }
        if self.young.len() >= CACHED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u128) -> Entry {
        Entry {
            session_id: Uuid::from_u128(n),
            user_id: Uuid::from_u128(n % 2),
            touched_ms: 0,
        }
    }

    #[test]
    fn a_revoked_session_is_forgotten_and_what_was_read_before_is_not_remembered() {
        let sessions = Sessions::new();
        let (_, epoch) = sessions.lock().get(b"a");
        sessions.lock().put(b"a".to_vec(), entry(1), epoch);
        sessions.lock().put(b"b".to_vec(), entry(2), epoch);
        sessions.revoke(Revoked::Session(Uuid::from_u128(1)));
        assert!(sessions.lock().get(b"a").0.is_none());
        assert!(sessions.lock().get(b"b").0.is_some());
        // Read from the database before the revocation, put away after it.
        sessions.lock().put(b"a".to_vec(), entry(1), epoch);
        assert!(sessions.lock().get(b"a").0.is_none());
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut cache = Cache::default();
        cache.put(b"used".to_vec(), entry(0), 0);
        for n in 0..10 * CACHED {
            cache.put(n.to_be_bytes().to_vec(), entry(n as u128), 0);
            assert!(cache.get(b"used").0.is_some());
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * CACHED + 1);
    }

    #[test]
    fn a_revocation_hits_whom_it_names() {
        let (ana, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (phone, laptop) = (Some(Uuid::from_u128(3)), Some(Uuid::from_u128(4)));
        let others = Revoked::Others {
            user_id: ana,
            keep: phone,
        };
        assert!(others.hits(ana, laptop) && !others.hits(ana, phone) && !others.hits(ben, laptop));
        assert!(!others.hits(ana, None));
        assert!(Revoked::User(ana).hits(ana, None) && !Revoked::User(ana).hits(ben, phone));
    }
}
