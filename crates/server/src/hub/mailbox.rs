//! What waits for one socket: a bounded queue, or the knowledge that it is behind and has to read the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::render::Rendered;

/// How many messages wait at most. Whoever is slower reads from the log instead: memory stays bounded, nothing is lost.
const CAPACITY: usize = 128;

/// Something to send.
#[derive(Clone)]
pub(crate) enum Item {
    /// A durable event.
    Event(Arc<Rendered>),
    /// Something ephemeral.
    Passing(Utf8Bytes),
}

/// Why the server ends a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

/// What a socket does next.
pub(crate) enum Next {
    Send(Item),
    /// Read the log, then ask to go live. What is up to and with `from` was sent, or was not for this person.
    CatchUp {
        from: i64,
    },
    Close(Goodbye),
    Wait,
}

pub(crate) struct Mailbox {
    pub(crate) user_id: Uuid,
    pub(crate) session_id: Option<Uuid>,
    device_id: OnceLock<Uuid>,
    state: Mutex<State>,
    news: Notify,
    cut: Notify,
}

struct State {
    /// Events come into the queue; else the socket reads the log.
    live: bool,
    /// Events up to and with this one are none of the queue's business.
    after: i64,
    queue: VecDeque<Item>,
    goodbye: Option<Goodbye>,
}

impl Mailbox {
    pub(super) fn new(user_id: Uuid, session_id: Option<Uuid>) -> Self {
        Self {
            user_id,
            session_id,
            device_id: OnceLock::new(),
            state: Mutex::new(State {
                live: false,
                after: 0,
                queue: VecDeque::new(),
                goodbye: None,
            }),
            news: Notify::new(),
            cut: Notify::new(),
        }
    }

    /// The device that the client said it is.
    pub(crate) fn device_id(&self) -> Option<Uuid> {
        self.device_id.get().copied()
    }

    /// A client says it once.
    pub(crate) fn set_device(&self, device_id: Uuid) {
        let _ = self.device_id.set(device_id);
    }

    /// From now on events after `after` come into the queue. Only the hub may say so, see [`super::Hub::go_live`].
    pub(super) fn set_live(&self, after: i64) {
        let mut state = self.lock();
        state.live = true;
        state.after = after;
    }

    pub(super) fn push_event(&self, event: &Arc<Rendered>) {
        let mut state = self.lock();
        if state.live && event.id > state.after {
            if state.queue.len() < CAPACITY {
                state.queue.push_back(Item::Event(Arc::clone(event)));
            } else {
                metrics::counter!("voxpost_sockets_behind_total").increment(1);
                // What was before the first event in the queue has been taken out, or was never for this person.
                let first = state.queue.iter().find_map(|item| match item {
                    Item::Event(event) => Some(event.id),
                    Item::Passing(_) => None,
                });
                state.after = first.unwrap_or(event.id) - 1;
                state.live = false;
                state.queue = VecDeque::new();
            }
        }
        drop(state);
        self.news.notify_one();
    }

    /// Dropped for whoever is busy: it would be stale by the time it arrived.
    pub(super) fn push_passing(&self, text: Utf8Bytes) {
        let mut state = self.lock();
        if !state.live || state.queue.len() >= CAPACITY / 2 {
            return;
        }
        state.queue.push_back(Item::Passing(text));
        drop(state);
        self.news.notify_one();
    }

    pub(crate) fn close(&self, goodbye: Goodbye) {
        self.lock().goodbye.get_or_insert(goodbye);
        self.news.notify_one();
        self.cut.notify_one();
    }

    pub(crate) fn next(&self) -> Next {
        let mut state = self.lock();
        if let Some(goodbye) = state.goodbye {
            return Next::Close(goodbye);
        }
        if let Some(item) = state.queue.pop_front() {
            if state.queue.is_empty() {
                // Ten thousand idle sockets must not keep the memory of their last busy moment.
                state.queue = VecDeque::new();
            }
            return Next::Send(item);
        }
        if state.live {
            Next::Wait
        } else {
            Next::CatchUp { from: state.after }
        }
    }

    /// Makes [`Self::changed`] return: something that is kept elsewhere waits for this socket.
    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    /// Returns when there may be something new.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// Returns when the server ends this socket, also while it cannot send.
    pub(crate) async fn closed(&self) -> Goodbye {
        loop {
            if let Some(goodbye) = self.lock().goodbye {
                return goodbye;
            }
            self.cut.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here leaves it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: i64) -> Arc<Rendered> {
        Arc::new(Rendered::for_test(id))
    }

    fn drain(mailbox: &Mailbox) -> (Vec<i64>, Option<i64>) {
        let mut ids = Vec::new();
        loop {
            match mailbox.next() {
                Next::Send(Item::Event(event)) => ids.push(event.id),
                Next::Send(Item::Passing(_)) => {}
                Next::CatchUp { from } => return (ids, Some(from)),
                Next::Wait | Next::Close(_) => return (ids, None),
            }
        }
    }

    #[test]
    fn a_live_mailbox_gives_what_came_in_order_and_nothing_twice() {
        let mailbox = Mailbox::new(Uuid::nil(), None);
        mailbox.push_event(&event(1));
        assert_eq!(drain(&mailbox), (vec![], Some(0)), "not live yet");
        mailbox.set_live(2);
        for id in 1..=5 {
            mailbox.push_event(&event(id));
        }
        assert_eq!(drain(&mailbox), (vec![3, 4, 5], None));
    }

    #[test]
    fn a_mailbox_that_overflows_goes_on_in_the_log_after_what_was_taken() {
        let mailbox = Mailbox::new(Uuid::nil(), None);
        mailbox.set_live(0);
        for id in 1..=CAPACITY as i64 {
            mailbox.push_event(&event(id));
        }
        assert!(matches!(mailbox.next(), Next::Send(Item::Event(event)) if event.id == 1));
        for id in CAPACITY as i64 + 1..=CAPACITY as i64 + 2 {
            mailbox.push_event(&event(id));
        }
        assert_eq!(drain(&mailbox), (vec![], Some(1)));
    }

    #[test]
    fn what_is_passing_never_drives_out_what_lasts() {
        let mailbox = Mailbox::new(Uuid::nil(), None);
        mailbox.set_live(0);
        for _ in 0..10 * CAPACITY {
            mailbox.push_passing(Utf8Bytes::from_static("{}"));
        }
        mailbox.push_event(&event(1));
        assert_eq!(drain(&mailbox), (vec![1], None));
    }
}
