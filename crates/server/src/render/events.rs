//! Durable events as text: rendered once for everybody, with the few bytes that differ filled in for each recipient.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use axum::extract::ws::Utf8Bytes;
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;
use voxpost_proto::Timestamp;
use voxpost_proto::api::{ConversationKind, PlaybackSummary, User};
use voxpost_proto::socket::{Change, Event};

use super::{URL_MS, audio_url};
use crate::hub::Tokens;
use crate::keys::Keys;
use crate::playback::{self, Receipts};
use crate::store::conversations::{self, ConversationRow};
use crate::store::events::{EventRow, EventType};
use crate::store::members::{self, MemberRow};
use crate::store::messages::{self, MessageRow};
use crate::store::{self, Conn, push_ids};

/// The kind of event that is about a message and shows none of it.
const PLAYED: &str = "played";

/// An event that can be written for anybody who sees it.
pub(crate) struct Rendered {
    /// Its place in the log.
    pub(crate) id: i64,
    /// For a message that was published: where, its `seq`, and who sent it.
    pub(crate) published: Option<Published>,
    text: Text,
}

/// What a delivered mark needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) conversation_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) sender_id: Uuid,
}

enum Text {
    /// The same for everybody.
    Same(Utf8Bytes),
    /// A message with sound: between the halves comes the path, signed for the recipient.
    Signed {
        message_id: Uuid,
        before: String,
        after: String,
        /// The part of `after` that tells of playback, and what the viewers for whom it differs get in its place.
        playback: Range<usize>,
        own: HashMap<Uuid, String>,
    },
    /// For present members alone: who has left must not learn how it goes on.
    Members { text: Utf8Bytes, members: HashSet<Uuid> },
    /// For each present member another.
    Each(Vec<(Uuid, Utf8Bytes)>),
}

impl Rendered {
    /// What `viewer` is sent; None when they have left since, so that it is none of their business any more.
    pub(crate) fn text(&self, keys: &Keys, viewer: Uuid, now: Timestamp) -> Option<Utf8Bytes> {
        match &self.text {
            Text::Same(text) => Some(text.clone()),
            Text::Signed {
                message_id,
                before,
                after,
                playback,
                own,
            } => {
                let url = audio_url(keys, viewer, *message_id, now.plus_millis(URL_MS));
                let playback_text = own.get(&viewer).map_or(&after[playback.clone()], String::as_str);
                let parts = [
                    before,
                    url.as_str(),
                    &after[..playback.start],
                    playback_text,
                    &after[playback.end..],
                ];
                Some(Utf8Bytes::from(parts.concat()))
            }
            Text::Members { text, members } => members.contains(&viewer).then(|| text.clone()),
            Text::Each(texts) => texts
                .iter()
                .find(|(person, _)| *person == viewer)
                .map(|(_, text)| text.clone()),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(id: i64) -> Self {
        Self {
            id,
            published: None,
            text: Text::Same(Utf8Bytes::from_static("{}")),
        }
    }
}

/// Renders events in the state that things have now. One whose subject is not there is left out.
pub(crate) async fn events(
    c: &mut Conn,
    keys: &Keys,
    tokens: Tokens,
    rows: &[EventRow],
) -> sqlx::Result<Vec<Rendered>> {
    let things = Things::load(c, keys, rows).await?;
    let mut rendered = Vec::with_capacity(rows.len());
    for row in rows {
        match things.render(c, keys, tokens, row).await? {
            Some(event) => rendered.push(event),
            None => tracing::debug!(id = row.id, kind = row.kind, "an event about nothing"),
        }
    }
    Ok(rendered)
}

/// What a batch of events speaks of, fetched in a few statements.
struct Things {
    messages: HashMap<Uuid, MessageRow>,
    conversations: HashMap<Uuid, ConversationRow>,
    members: HashMap<Uuid, Vec<MemberRow>>,
    people: HashMap<Uuid, User>,
    /// By message: how far each viewer is, of those who began.
    playback: HashMap<Uuid, Vec<(Uuid, PlaybackSummary)>>,
    receipts: HashMap<Uuid, Receipts>,
}

impl Things {
    async fn load(c: &mut Conn, keys: &Keys, rows: &[EventRow]) -> sqlx::Result<Self> {
        let conversations = ids(rows, |row| {
            row.kind
                .starts_with("conversation.")
                .then_some(row.conversation_id)
        });
        let messages = ids(rows, |row| row.message_id.filter(|_| row.kind != PLAYED));
        let people = ids(rows, |row| match row.message_id {
            Some(_) if row.kind != PLAYED => None,
            _ => row.subject_id,
        });
        let mut playback: HashMap<Uuid, Vec<_>> = HashMap::new();
        for row in store::playback::of_everybody(c, &messages).await? {
            if let Some(own) = playback::opened(keys, &row) {
                let all = playback.entry(row.message_id).or_default();
                all.push((row.user_id, own.summary()));
            }
        }
        Ok(Self {
            messages: by_id(load_messages(c, &messages).await?, |row| row.id),
            conversations: by_id(conversations::by_ids(c, &conversations).await?, |row| row.id),
            members: members::of(c, &conversations).await?,
            people: by_id(load_people(c, &people).await?, |user| user.id),
            playback,
            receipts: playback::receipts(c, &messages).await?,
        })
    }

    async fn render(
        &self,
        c: &mut Conn,
        keys: &Keys,
        tokens: Tokens,
        row: &EventRow,
    ) -> sqlx::Result<Option<Rendered>> {
        use EventType::*;
        let Some(kind) = EventType::parse(&row.kind) else {
            return Ok(None);
        };
        let token = tokens.write(row.id);
        let rendered = match kind {
            MessageCreated | MessageUpdated | MessageDeleted => self.message(keys, token, kind, row),
            ConversationCreated | ConversationUpdated => self.conversation(&token, kind, row),
            MemberJoined => match row.subject_id {
                None => None,
                Some(person) => members::newest_stay(c, row.conversation_id, person)
                    .await?
                    .map(|member| {
                        let member = super::member(&member);
                        same(row, token, Change::MemberJoined { member })
                    }),
            },
            MemberLeft => self
                .person(row)
                .map(|user| same(row, token, Change::MemberLeft { user })),
            ReadUpdated => self
                .mark(row)
                .map(|(user, seq)| same(row, token, Change::ReadUpdated { user, seq })),
            DeliveredUpdated => self
                .mark(row)
                .map(|(user, seq)| same(row, token, Change::DeliveredUpdated { user, seq })),
            Played => self
                .person(row)
                .zip(row.message_id)
                .map(|(user, message_id)| same(row, token, Change::Played { message_id, user })),
        };
        Ok(rendered)
    }

    fn message(&self, keys: &Keys, token: String, kind: EventType, row: &EventRow) -> Option<Rendered> {
        let message_row = self.messages.get(&row.message_id?)?;
        // Signed for nobody; what is signed for the recipient is put in its place.
        let message = Box::new(super::message(
            keys,
            message_row,
            Uuid::nil(),
            Timestamp::default(),
        ));
        let signed = message.audio.is_some();
        let change = match kind {
            EventType::MessageCreated => Change::MessageCreated { message },
            EventType::MessageUpdated => Change::MessageUpdated { message },
            _ => Change::MessageDeleted { message },
        };
        let text = json(token, row, change);
        let halves = if signed { around_url(&text) } else { None };
        let published = match (kind, message_row.seq) {
            (EventType::MessageCreated, Some(seq)) => Some(Published {
                conversation_id: row.conversation_id,
                seq,
                sender_id: message_row.sender_id,
            }),
            _ => None,
        };
        Some(Rendered {
            id: row.id,
            published,
            text: match halves {
                Some((before, after)) => Text::Signed {
                    message_id: message_row.id,
                    before: before.to_owned(),
                    playback: playback_part(after),
                    own: self.own_playback(message_row),
                    after: after.to_owned(),
                },
                None => Text::Same(text.into()),
            },
        })
    }

    /// What the viewers get whose playback is not that of somebody who has heard nothing: those who began, and the sender.
    fn own_playback(&self, message: &MessageRow) -> HashMap<Uuid, String> {
        let began = self.playback.get(&message.id).into_iter().flatten();
        let mut viewers: HashMap<Uuid, PlaybackSummary> = began.copied().collect();
        let receipts = self.receipts.get(&message.id);
        if receipts.is_some() {
            viewers.entry(message.sender_id).or_default();
        }
        let nobody = Receipts::default();
        let text = |(viewer, own): (Uuid, PlaybackSummary)| {
            let receipts = receipts
                .filter(|_| viewer == message.sender_id)
                .unwrap_or(&nobody);
            (viewer, playback_text(&own, receipts))
        };
        viewers.into_iter().map(text).collect()
    }

    fn conversation(&self, token: &str, kind: EventType, row: &EventRow) -> Option<Rendered> {
        let conversation = self.conversations.get(&row.conversation_id)?;
        let members = self
            .members
            .get(&row.conversation_id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let text_for = |viewer| {
            let conversation = Box::new(super::conversation(conversation, members, viewer));
            let change = match kind {
                EventType::ConversationCreated => Change::ConversationCreated { conversation },
                _ => Change::ConversationUpdated { conversation },
            };
            Utf8Bytes::from(json(token.to_owned(), row, change))
        };
        let people = members.iter().map(|member| member.user_id);
        let text = match members::kind(&conversation.kind) {
            // `can_send` differs.
            ConversationKind::Direct => Text::Each(people.map(|person| (person, text_for(person))).collect()),
            ConversationKind::Group => Text::Members {
                text: text_for(Uuid::nil()),
                members: people.collect(),
            },
        };
        Some(Rendered {
            id: row.id,
            published: None,
            text,
        })
    }

    fn person(&self, row: &EventRow) -> Option<User> {
        self.people.get(&row.subject_id?).cloned()
    }

    fn mark(&self, row: &EventRow) -> Option<(User, i64)> {
        Some((self.person(row)?, row.seq?))
    }
}

fn same(row: &EventRow, token: String, change: Change) -> Rendered {
    Rendered {
        id: row.id,
        published: None,
        text: Text::Same(json(token, row, change).into()),
    }
}

fn json(token: String, row: &EventRow, change: Change) -> String {
    let event = Event {
        token,
        conversation_id: row.conversation_id,
        change,
    };
    serde_json::to_string(&event).expect("an event has string keys and no number that JSON cannot hold")
}

/// What comes before and after the value of `audio.url`. The needle holds quotes, which JSON escapes within strings, so no
/// caption can contain it.
fn around_url(text: &str) -> Option<(&str, &str)> {
    const NEEDLE: &str = r#""audio":{"url":""#;
    let start = text.find(NEEDLE)? + NEEDLE.len();
    let length = text[start..].find('"')?;
    Some((&text[..start], &text[start + length..]))
}

/// Where [`playback_text`] stands in a message. As with the address, no caption can look like it.
fn playback_part(text: &str) -> Range<usize> {
    let start = text.find(r#""playback":{"version":"#);
    let end = start.and_then(|start| Some(start + text[start..].find(r#","transcript":"#)?));
    match (start, end) {
        (Some(start), Some(end)) => start..end,
        _ => text.len()..text.len(),
    }
}

fn playback_text(own: &PlaybackSummary, receipts: &Receipts) -> String {
    let json = |value: Result<String, serde_json::Error>| value.expect("string keys and whole numbers");
    let own = json(serde_json::to_string(own));
    let played_by = json(serde_json::to_string(&receipts.played_by));
    let played_count = receipts.played_count;
    format!(r#""playback":{own},"played_by":{played_by},"played_count":{played_count}"#)
}

fn ids(rows: &[EventRow], id: impl Fn(&EventRow) -> Option<Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = rows.iter().filter_map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn by_id<T>(things: Vec<T>, id: impl Fn(&T) -> Uuid) -> HashMap<Uuid, T> {
    things.into_iter().map(|thing| (id(&thing), thing)).collect()
}

async fn load_messages(c: &mut Conn, ids: &[Uuid]) -> sqlx::Result<Vec<MessageRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(messages::select!("WHERE m.id IN ("));
    push_ids(&mut query, ids);
    query.build_query_as().fetch_all(c).await
}

async fn load_people(c: &mut Conn, ids: &[Uuid]) -> sqlx::Result<Vec<User>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id, username, display_name FROM users WHERE id IN (");
    push_ids(&mut query, ids);
    let rows: Vec<(Uuid, String, String)> = query.build_query_as().fetch_all(c).await?;
    Ok(rows
        .into_iter()
        .map(|(id, username, display_name)| User {
            id,
            username,
            display_name,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEWER: Uuid = Uuid::from_u128(5);

    fn keys() -> Keys {
        Keys::open(tempfile::tempdir().unwrap().path()).unwrap()
    }

    fn things(caption: &str) -> (Things, EventRow) {
        let message = MessageRow {
            id: Uuid::from_u128(1),
            seq: Some(3),
            state: "ready".into(),
            audio_bytes: Some(7),
            audio_sha256: Some("00".into()),
            caption: Some(caption.into()),
            ..MessageRow::default()
        };
        let row = EventRow {
            id: 9,
            conversation_id: message.conversation_id,
            user_id: None,
            kind: "message.created".into(),
            message_id: Some(message.id),
            subject_id: None,
            seq: Some(3),
        };
        let things = Things {
            messages: HashMap::from([(message.id, message)]),
            conversations: HashMap::new(),
            members: HashMap::new(),
            people: HashMap::new(),
            playback: HashMap::new(),
            receipts: HashMap::new(),
        };
        (things, row)
    }

    #[test]
    fn a_message_is_signed_for_its_recipient_whatever_the_caption_says() {
        for caption in ["", r#""audio":{"url":"x""#, r#"\"audio\":{\"url\":\""#] {
            let (things, row) = things(caption);
            let keys = keys();
            let rendered = things
                .message(&keys, "t".into(), EventType::MessageCreated, &row)
                .unwrap();
            let now = Timestamp::from_millis(1_000);
            let text = rendered.text(&keys, VIEWER, now).unwrap();
            let event: Event = serde_json::from_str(&text).unwrap();
            let message = Box::new(super::super::message(
                &keys,
                &things.messages[&Uuid::from_u128(1)],
                VIEWER,
                now,
            ));
            assert_eq!(event.change, Change::MessageCreated { message });
        }
    }

    #[test]
    fn a_conversation_is_shown_to_its_present_members_alone() {
        let (mut things, mut row) = things("");
        row.kind = "conversation.updated".into();
        let member = |n: u128| MemberRow {
            conversation_id: row.conversation_id,
            user_id: Uuid::from_u128(n),
            username: format!("user{n}"),
            display_name: String::new(),
            role: "member".into(),
            read_seq: 0,
            delivered_seq: 0,
            accepts_voice: n != 5,
            deleted: false,
        };
        things
            .members
            .insert(row.conversation_id, vec![member(5), member(6)]);
        for (kind, other_may) in [("group", true), ("direct", false)] {
            let conversation = ConversationRow {
                id: row.conversation_id,
                kind: kind.into(),
                title: None,
                live: false,
                created_at: 0,
                last_activity_at: 0,
                last_seq: 0,
                version: 1,
            };
            things.conversations.insert(row.conversation_id, conversation);
            let rendered = things
                .conversation("t", EventType::ConversationUpdated, &row)
                .unwrap();
            let keys = keys();
            let can_send = |n| {
                let text = rendered.text(&keys, Uuid::from_u128(n), Timestamp::default())?;
                let event: Event = serde_json::from_str(&text).unwrap();
                match event.change {
                    Change::ConversationUpdated { conversation } => Some(conversation.can_send.voice),
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(can_send(5), Some(true), "{kind}");
            assert_eq!(can_send(6), Some(other_may), "{kind}");
            assert_eq!(can_send(7), None, "{kind}: who is not in it");
        }
    }
}
