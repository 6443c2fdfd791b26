//! Where people stopped: takes reports, and adds to messages what their viewers see of it.

use std::collections::HashMap;

use uuid::Uuid;
use voxpost_proto::api::{Message, Playback, PlaybackAnswer, PlaybackReport, PlaybackSummary, User};
use voxpost_proto::playback::HeardMap;
use voxpost_proto::{ErrorCode, Timestamp};

use crate::access;
use crate::domain::access::Action;
use crate::error::{ApiError, ApiResult};
use crate::keys::Keys;
use crate::seal::Sealed;
use crate::store::events::{self, EventType, NewEvent};
use crate::store::messages::MessageRow;
use crate::store::playback::{self, PlaybackRow, Played};
use crate::store::{Conn, accounts, members};

/// What became of a report.
pub(crate) struct Reported {
    pub(crate) answer: PlaybackAnswer,
    /// The person's other devices do not know it yet.
    pub(crate) changed: bool,
}

/// Takes a report of somebody, in the transaction that it is called in.
pub(crate) async fn report(
    c: &mut Conn,
    keys: &Keys,
    user_id: Uuid,
    message_id: Uuid,
    report: &PlaybackReport,
    now: Timestamp,
) -> ApiResult<Reported> {
    let (message, _) = access::message(c, user_id, message_id, Action::See).await?;
    let duration_ms = message.duration_ms.ok_or_else(|| {
        ApiError::new(
            ErrorCode::Conflict,
            "The message has no length yet. Keep the report and send it when the message is `ready`.",
        )
    })?;
    let mut map = load(c, keys, user_id, message_id).await?;
    let outcome = map
        .apply(report, duration_ms, now)
        .map_err(|invalid| ApiError::invalid(format!("{invalid}.")))?;
    if outcome.changed {
        let receipt = outcome.played_now && sends_receipt(c, user_id, &message).await?;
        let played = Played {
            at: outcome.played_now.then_some(now),
            receipt,
        };
        let plain = serde_json::to_vec(&map).map_err(ApiError::internal)?;
        let sealed = keys.playback.seal(user_id, message_id, &plain);
        playback::save(c, user_id, message_id, &sealed, played).await?;
        if receipt {
            tell_sender(c, user_id, &message, now).await?;
        }
    }
    Ok(Reported {
        answer: PlaybackAnswer {
            playhead_applied: outcome.playhead_applied,
            playback: map.playback(duration_ms),
        },
        changed: outcome.changed,
    })
}

/// Where somebody is in a message.
pub(crate) async fn get(c: &mut Conn, keys: &Keys, user_id: Uuid, message_id: Uuid) -> ApiResult<Playback> {
    let (message, _) = access::message(c, user_id, message_id, Action::See).await?;
    let map = load(c, keys, user_id, message_id).await?;
    Ok(map.playback(message.duration_ms.unwrap_or(0)))
}

/// A row as it travels; None when its key is gone, which the log tells.
pub(crate) fn opened(keys: &Keys, row: &PlaybackRow) -> Option<Playback> {
    match decrypt(keys, row.user_id, row.message_id, &row.state) {
        Ok(map) => Some(map.playback(row.duration_ms.unwrap_or(0))),
        Err(error) => {
            tracing::error!(%error, "a position is left out");
            None
        }
    }
}

/// Who played a message, as far as its sender may know.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Receipts {
    pub(crate) played_by: Vec<User>,
    pub(crate) played_count: i64,
}

/// What one viewer sees of the playback of messages.
#[derive(Default)]
pub(crate) struct Seen {
    own: HashMap<Uuid, PlaybackSummary>,
    receipts: HashMap<Uuid, Receipts>,
}

impl Seen {
    /// Looks it up for messages that `viewer` sees.
    pub(crate) async fn load<'r>(
        c: &mut Conn,
        keys: &Keys,
        viewer: Uuid,
        messages: impl IntoIterator<Item = &'r MessageRow>,
    ) -> sqlx::Result<Self> {
        let (mut all, mut sent) = (Vec::new(), Vec::new());
        for message in messages {
            all.push(message.id);
            if message.sender_id == viewer {
                sent.push(message.id);
            }
        }
        let rows = playback::of_person(c, viewer, &all).await?;
        let own = rows
            .iter()
            .filter_map(|row| Some((row.message_id, opened(keys, row)?.summary())));
        Ok(Self {
            own: own.collect(),
            receipts: receipts(c, &sent).await?,
        })
    }

    /// Adds it to a message.
    pub(crate) fn show(&self, message: &mut Message) {
        if let Some(own) = self.own.get(&message.id) {
            message.playback = *own;
        }
        if let Some(receipts) = self.receipts.get(&message.id) {
            message.played_by.clone_from(&receipts.played_by);
            message.played_count = receipts.played_count;
        }
    }
}

/// Who played these messages, by message.
pub(crate) async fn receipts(c: &mut Conn, messages: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Receipts>> {
    let mut by_message: HashMap<Uuid, Receipts> = HashMap::new();
    for (message, user, total) in playback::receipts(c, messages).await? {
        let receipts = by_message.entry(message).or_default();
        receipts.played_by.push(user);
        receipts.played_count = total;
    }
    Ok(by_message)
}

async fn load(c: &mut Conn, keys: &Keys, user_id: Uuid, message_id: Uuid) -> ApiResult<HeardMap> {
    match playback::state(c, user_id, message_id).await? {
        None => Ok(HeardMap::default()),
        Some(sealed) => decrypt(keys, user_id, message_id, &sealed).map_err(|error| {
            tracing::error!(%error, "a report waits");
            ApiError::unavailable("The position cannot be read right now. Keep the report and try again.")
        }),
    }
}

fn decrypt(keys: &Keys, user_id: Uuid, message_id: Uuid, sealed: &[u8]) -> Result<HeardMap, Sealed> {
    let plain = keys.playback.open_sealed(user_id, message_id, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| Sealed)
}

/// What one says oneself is never played by anybody; and whoever does not want it known is not told of.
async fn sends_receipt(c: &mut Conn, user_id: Uuid, message: &MessageRow) -> sqlx::Result<bool> {
    if message.sender_id == user_id {
        return Ok(false);
    }
    let listener = accounts::by_id(c, user_id).await?;
    Ok(listener.is_some_and(|listener| listener.sends_played_receipts))
}

/// Tells the sender, while they are in the conversation.
async fn tell_sender(c: &mut Conn, user_id: Uuid, message: &MessageRow, now: Timestamp) -> sqlx::Result<()> {
    let conversation_id = message.conversation_id;
    if members::standing(c, conversation_id, message.sender_id)
        .await?
        .is_none()
    {
        return Ok(());
    }
    let event = NewEvent {
        only: Some(message.sender_id),
        message_id: Some(message.id),
        subject_id: Some(user_id),
        seq: message.seq,
        ..NewEvent::new(EventType::Played, conversation_id)
    };
    events::append(c, event, now).await?;
    Ok(())
}
