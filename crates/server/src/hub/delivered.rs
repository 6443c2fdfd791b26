//! Delivered marks: what went out to somebody's device, gathered for a moment and written together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::error::ApiError;
use crate::render::Published;
use crate::store::marks;

/// How long marks are gathered.
const GATHER: Duration = Duration::from_millis(200);

/// How many marks one write holds, so that a big group does not keep others waiting.
const BATCH: usize = 200;

/// What waits to be written: for each conversation and person the highest `seq`.
#[derive(Default)]
pub(crate) struct Delivered {
    waiting: Mutex<HashMap<(Uuid, Uuid), i64>>,
    news: Notify,
}

impl Delivered {
    /// A message went out to one of a person's devices. One's own count for nothing.
    pub(crate) fn note(&self, message: Published, user_id: Uuid) {
        if message.sender_id == user_id {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = waiting.entry((message.conversation_id, user_id)).or_default();
        *mark = message.seq.max(*mark);
        drop(waiting);
        self.news.notify_one();
    }

    fn take(&self) -> Vec<((Uuid, Uuid), i64)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting).into_iter().collect()
    }
}

/// Writes the marks, for ever.
pub(super) async fn run(app: App) {
    loop {
        app.hub.delivered.news.notified().await;
        tokio::time::sleep(GATHER).await;
        for batch in app.hub.delivered.take().chunks(BATCH) {
            let batch = batch.to_vec();
            let written: Result<(), ApiError> = app
                .store
                .write(move |c| {
                    Box::pin(async move {
                        let now = clock::now();
                        for ((conversation_id, user_id), seq) in batch {
                            marks::delivered(c, conversation_id, user_id, seq, now).await?;
                        }
                        Ok(())
                    })
                })
                .await;
            if let Err(error) = written {
                // A tick that comes with the next message is no loss worth a retry.
                tracing::warn!(code = error.code().as_str(), "delivered marks were not written");
            }
        }
    }
}
