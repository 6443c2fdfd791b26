//! What recordings have to say to one socket: acknowledgements, of which only the newest counts, and news.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use voxpost_proto::socket::ServerMessage;

use crate::hub::Mailbox;

/// News that wait at most; a socket that takes nothing misses the rest.
const CAPACITY: usize = 64;

pub(crate) struct Outlet {
    mailbox: Arc<Mailbox>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    acks: BTreeMap<u32, u32>,
    news: Vec<ServerMessage>,
}

impl Outlet {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            mailbox,
            waiting: Mutex::default(),
        }
    }

    pub(super) fn ack(&self, handle: u32, sequence: u32) {
        self.lock().acks.insert(handle, sequence);
        self.wake();
    }

    pub(super) fn say(&self, message: ServerMessage) {
        let mut waiting = self.lock();
        if waiting.news.len() < CAPACITY {
            waiting.news.push(message);
        }
        drop(waiting);
        self.wake();
    }

    /// Makes the socket look for what there is.
    pub(super) fn wake(&self) {
        self.mailbox.wake();
    }

    /// Everything that waits: first what is durable, then the news.
    pub(crate) fn take(&self) -> Vec<ServerMessage> {
        let Waiting { acks, news } = std::mem::take(&mut *self.lock());
        let acks = acks
            .into_iter()
            .map(|(handle, sequence)| ServerMessage::RecordingAck { handle, sequence });
        acks.chain(news).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
