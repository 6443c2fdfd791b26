//! From the log of events to open sockets.
//!
//! A [dispatcher](dispatch) follows the log and puts each event, rendered once, into the [mailboxes](mailbox) of those who
//! see it. A socket that is new, or too slow, reads the log by itself ([`catch_up`]) until it has reached the dispatcher, and
//! goes live in one step under the registry's lock: so there is no moment at which an event could slip between or be sent
//! twice. Only people with an open socket cost anything.

pub(crate) mod catch_up;
mod delivered;
mod dispatch;
mod mailbox;
mod prune;
mod revocations;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use voxpost_proto::socket::Ephemeral;

pub(crate) use self::mailbox::{Goodbye, Item, Mailbox, Next};
pub(crate) use self::token::Tokens;
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::store::{Store, StoreError, events};
use crate::supervise::keep_running;
use delivered::Delivered;

/// How long sockets may take to say goodbye when the server stops.
const GOODBYE: Duration = Duration::from_secs(3);

const SHUTTING_DOWN: Goodbye = Goodbye {
    code: 1001,
    reason: "the server is shutting down",
};

/// Who is connected.
pub(crate) struct Hub {
    pub(crate) tokens: Tokens,
    pub(crate) delivered: Delivered,
    registry: Mutex<Registry>,
    /// Tells when the last socket went.
    emptied: Notify,
    stopping: CancellationToken,
}

struct Registry {
    /// Events up to and with this one are in the mailboxes.
    position: i64,
    people: HashMap<Uuid, Vec<Arc<Mailbox>>>,
    sockets: usize,
}

impl Hub {
    /// Opens the log of a database. Nothing is dispatched before [`start`].
    pub(crate) async fn open(store: &Store) -> Result<Arc<Self>, StoreError> {
        let fresh = u64::from_be_bytes(clock::random());
        let epoch = store
            .write(move |c| Box::pin(async move { Ok::<_, StoreError>(events::epoch(c, fresh).await?) }))
            .await?;
        let (_, newest) = events::bounds(&mut *store.read().await?).await?;
        Ok(Arc::new(Self {
            tokens: Tokens::new(epoch),
            delivered: Delivered::default(),
            registry: Mutex::new(Registry {
                position: newest,
                people: HashMap::new(),
                sockets: 0,
            }),
            emptied: Notify::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// A mailbox for a person, until the ticket is dropped; None when they have `max` already (0: no bound) or the server
    /// stops. It is behind at first, see [`Self::go_live`].
    pub(crate) fn join(
        self: &Arc<Self>,
        user_id: Uuid,
        session_id: Option<Uuid>,
        max: usize,
    ) -> Option<Ticket> {
        if self.stopping.is_cancelled() {
            return None;
        }
        let mailbox = Arc::new(Mailbox::new(user_id, session_id));
        let mut registry = self.lock();
        let own = registry.people.entry(user_id).or_default();
        if max != 0 && own.len() >= max {
            return None;
        }
        own.push(Arc::clone(&mailbox));
        registry.sockets += 1;
        drop(registry);
        metrics::gauge!("voxpost_sockets_open").increment(1.0);
        Some(Ticket {
            hub: Arc::clone(self),
            mailbox,
        })
    }

    /// Lets a socket that has sent everything up to and with `cursor` go live; false when the dispatcher is further and the
    /// socket has to read on.
    pub(crate) fn go_live(&self, mailbox: &Mailbox, cursor: i64) -> bool {
        let registry = self.lock();
        let reached = registry.position <= cursor;
        if reached {
            mailbox.set_live(cursor);
        }
        reached
    }

    /// Tells all devices of a person something that does not last.
    pub(crate) fn tell(&self, user_id: Uuid, news: &Ephemeral) {
        self.tell_all(&[user_id], news);
    }

    /// As [`Self::tell`], for many people.
    pub(crate) fn tell_all(&self, people: &[Uuid], news: &Ephemeral) {
        let text = match serde_json::to_string(news) {
            Ok(text) => Utf8Bytes::from(text),
            Err(error) => return tracing::error!(%error, "an ephemeral message is no JSON"),
        };
        let registry = self.lock();
        for mailbox in people.iter().filter_map(|id| registry.people.get(id)).flatten() {
            mailbox.push_passing(text.clone());
        }
    }

    /// Tells a person's devices but the one that asks: the sockets of another device, or, where they did not say which they
    /// are of, of another session.
    pub(crate) fn tell_others(&self, caller: Caller, device_id: Uuid, news: &Ephemeral) {
        let text = match serde_json::to_string(news) {
            Ok(text) => Utf8Bytes::from(text),
            Err(error) => return tracing::error!(%error, "an ephemeral message is no JSON"),
        };
        let registry = self.lock();
        let devices = registry.people.get(&caller.user_id).into_iter().flatten();
        for mailbox in devices {
            let same = match mailbox.device_id() {
                Some(device) => device == device_id,
                None => caller.session_id.is_some() && mailbox.session_id == caller.session_id,
            };
            if !same {
                mailbox.push_passing(text.clone());
            }
        }
    }

    /// Ends the sockets for which `ended` is true of their person and session.
    fn cut(&self, goodbye: Goodbye, ended: impl Fn(Uuid, Option<Uuid>) -> bool) {
        let registry = self.lock();
        for mailbox in registry.people.values().flatten() {
            if ended(mailbox.user_id, mailbox.session_id) {
                mailbox.close(goodbye);
            }
        }
    }

    /// How many sockets are open.
    pub(crate) fn sockets(&self) -> usize {
        self.lock().sockets
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Ends all sockets and waits a little for their goodbyes.
    pub(crate) async fn stop(&self) {
        self.stopping.cancel();
        let mailboxes: Vec<_> = self.lock().people.values().flatten().cloned().collect();
        for mailbox in mailboxes {
            mailbox.close(SHUTTING_DOWN);
        }
        let gone = async {
            while self.sockets() > 0 {
                self.emptied.notified().await;
            }
        };
        let _ = tokio::time::timeout(GOODBYE, gone).await;
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // Nothing in here leaves it half-changed.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Goodbye {
    /// The token is not good any more.
    pub(crate) const SESSION_ENDED: Self = Self {
        code: 4401,
        reason: "the session has ended: sign in again",
    };

    /// The token of another issuer has reached its `exp`.
    pub(crate) const TOKEN_EXPIRED: Self = Self {
        code: 4401,
        reason: "the token has expired: connect again with a fresh one",
    };
}

/// A place in the registry.
pub(crate) struct Ticket {
    hub: Arc<Hub>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut registry = self.hub.lock();
        if let Some(own) = registry.people.get_mut(&self.mailbox.user_id) {
            own.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
            if own.is_empty() {
                registry.people.remove(&self.mailbox.user_id);
            }
        }
        registry.sockets -= 1;
        metrics::gauge!("voxpost_sockets_open").decrement(1.0);
        let last = registry.sockets == 0;
        drop(registry);
        if last {
            self.hub.emptied.notify_one();
        }
    }
}

/// Starts what runs beside the requests: the dispatcher, the delivered marks, the pruning of the log. All of it ends with
/// [`Hub::stop`].
pub(crate) fn start(app: &App) {
    let keep = |name, task: fn(App) -> BoxFuture<'static, ()>| {
        let owner = app.clone();
        keep_running(name, app.hub.stopping.clone(), move || task(owner.clone()));
    };
    keep("dispatch", |app| Box::pin(dispatch::run(app)));
    keep("delivered", |app| Box::pin(delivered::run(app)));
    keep("prune", |app| Box::pin(prune::run(app)));
    keep("revocations", |app| Box::pin(revocations::run(app)));
}
