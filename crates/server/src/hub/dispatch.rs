//! The one task that follows the log and fills the mailboxes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Hub;
use crate::app::App;
use crate::render::{self, Rendered};
use crate::store::events::{self, EventRow};
use crate::store::members::{self, Stay};
use crate::store::{Conn, StoreError};

/// How many events are read at once.
const BATCH: i64 = 64;

/// A commit wakes the dispatcher; it looks by itself this often too, so that no lost wake-up costs more.
const POLL: Duration = Duration::from_secs(1);

/// Memberships that are remembered, over all conversations; 40 bytes each.
const REMEMBERED: usize = 100_000;

pub(super) async fn run(app: App) {
    let mut commits = app.store.commits();
    let mut audience = Audience::default();
    loop {
        commits.mark_unchanged();
        match dispatch(&app, &mut audience).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "events wait: the log could not be read"),
        }
        // A writer that is gone wakes nobody, and the poll goes on until the server stops.
        let _ = tokio::time::timeout(POLL, commits.changed()).await;
        if commits.has_changed().is_err() {
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Dispatches one batch; true when there may be more.
async fn dispatch(app: &App, audience: &mut Audience) -> Result<bool, StoreError> {
    let hub = &app.hub;
    let position = hub.lock().position;
    let mut c = app.store.read().await?;
    let rows = events::after(&mut c, position, BATCH).await?;
    let Some(last) = rows.last().map(|row| row.id) else {
        return Ok(false);
    };
    let more = rows.len() as i64 == BATCH;
    if hub.sockets() == 0 {
        audience.forget_all();
        hub.lock().position = last;
        return Ok(more);
    }
    let mut heard: Vec<EventRow> = Vec::new();
    let mut listeners: Vec<Vec<Uuid>> = Vec::new();
    for row in rows {
        let people = connected(hub, &audience.of(&mut c, &row).await?);
        if !people.is_empty() {
            heard.push(row);
            listeners.push(people);
        }
    }
    let rendered = render::events(&mut c, &app.keys, hub.tokens, &heard).await?;
    drop(c);
    deliver(hub, rendered, &heard, &listeners, last);
    Ok(more)
}

fn connected(hub: &Hub, people: &[Uuid]) -> Vec<Uuid> {
    let registry = hub.lock();
    people
        .iter()
        .copied()
        .filter(|person| registry.people.contains_key(person))
        .collect()
}

/// In one step for the whole batch, so that whoever goes live is before it or after it and never within.
fn deliver(hub: &Hub, rendered: Vec<Rendered>, rows: &[EventRow], listeners: &[Vec<Uuid>], last: i64) {
    metrics::counter!("voxpost_events_dispatched_total").increment(rendered.len() as u64);
    let mut rendered = rendered.into_iter().peekable();
    let mut registry = hub.lock();
    for (row, people) in rows.iter().zip(listeners) {
        let Some(event) = rendered.next_if(|event| event.id == row.id) else {
            continue;
        };
        let event = Arc::new(event);
        for mailbox in people
            .iter()
            .filter_map(|person| registry.people.get(person))
            .flatten()
        {
            mailbox.push_event(&event);
        }
    }
    registry.position = last;
}

/// Who sees what: the stays of conversations that were active lately.
#[derive(Default)]
struct Audience {
    conversations: HashMap<Uuid, Vec<Stay>>,
    remembered: usize,
}

impl Audience {
    /// The people who see an event.
    async fn of(&mut self, c: &mut Conn, row: &EventRow) -> sqlx::Result<Vec<Uuid>> {
        let conversation = row.conversation_id;
        if changes_members(&row.kind) {
            self.forget(conversation);
        }
        if let Some(only) = row.user_id {
            return Ok(vec![only]);
        }
        if !self.conversations.contains_key(&conversation) {
            let stays = members::stays_from(c, conversation, row.id).await?;
            if self.remembered + stays.len() > REMEMBERED {
                self.forget_all();
            }
            self.remembered += stays.len();
            self.conversations.insert(conversation, stays);
        }
        let stays = &self.conversations[&conversation];
        let message_seq = row.message_id.and(row.seq);
        Ok(members::audience(stays, row.id, message_seq))
    }

    fn forget(&mut self, conversation: Uuid) {
        if let Some(stays) = self.conversations.remove(&conversation) {
            self.remembered -= stays.len();
        }
    }

    fn forget_all(&mut self) {
        self.conversations.clear();
        self.remembered = 0;
    }
}

/// Every membership begins or ends with one of these, in the same transaction.
fn changes_members(kind: &str) -> bool {
    matches!(kind, "conversation.created" | "member.joined" | "member.left")
}
