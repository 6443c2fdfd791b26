//! What was delivered already, so that it is not delivered again.

use std::collections::{HashMap, VecDeque};

use voxpost_proto::Uuid;
use voxpost_proto::socket::{Change, Event};

/// How many things are remembered. A thing that was forgotten could be delivered twice, but only when a replay brings it
/// again after this many others.
const CAPACITY: usize = 16_384;

/// The newest version of each thing that events spoke of.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    versions: HashMap<Thing, i64>,
    order: VecDeque<Thing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Thing {
    Message(Uuid),
    Conversation(Uuid),
    Read(Uuid, Uuid),
    Delivered(Uuid, Uuid),
    /// An event that happens once has no version but its place in the log.
    Place(String),
}

impl Seen {
    /// Whether an event tells something new; if so, it is not new the next time.
    pub(crate) fn is_news(&mut self, event: &Event) -> bool {
        let (thing, version) = thing(event);
        if let Some(known) = self.versions.get_mut(&thing) {
            let newer = version > *known;
            *known = version.max(*known);
            return newer;
        }
        if self.order.len() == CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.versions.remove(&oldest);
        }
        self.order.push_back(thing.clone());
        self.versions.insert(thing, version);
        true
    }
}

fn thing(event: &Event) -> (Thing, i64) {
    let place = event.conversation_id;
    match &event.change {
        Change::MessageCreated { message }
        | Change::MessageUpdated { message }
        | Change::MessageDeleted { message } => (Thing::Message(message.id), message.version),
        Change::ConversationCreated { conversation } | Change::ConversationUpdated { conversation } => {
            (Thing::Conversation(conversation.id), conversation.version)
        }
        Change::ReadUpdated { user, seq } => (Thing::Read(place, user.id), *seq),
        Change::DeliveredUpdated { user, seq } => (Thing::Delivered(place, user.id), *seq),
        Change::MemberJoined { .. } | Change::MemberLeft { .. } | Change::Played { .. } => {
            (Thing::Place(event.token.clone()), 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use voxpost_proto::api::User;

    use super::*;

    fn read(user: u128, seq: i64) -> Event {
        let user = User {
            id: Uuid::from_u128(user),
            username: "u".into(),
            display_name: "U".into(),
        };
        Event {
            token: "t".into(),
            conversation_id: Uuid::nil(),
            change: Change::ReadUpdated { user, seq },
        }
    }

    #[test]
    fn only_a_higher_version_is_news() {
        let mut seen = Seen::default();
        let news: Vec<bool> = [3, 3, 2, 4, 3].map(|seq| seen.is_news(&read(1, seq))).into();
        assert_eq!(news, [true, false, false, true, false]);
        assert!(seen.is_news(&read(2, 1)), "somebody else");
    }

    #[test]
    fn an_event_without_a_version_is_news_once_for_each_place_in_the_log() {
        let mut seen = Seen::default();
        let left = |token: &str| {
            let user = User {
                id: Uuid::nil(),
                username: "u".into(),
                display_name: "U".into(),
            };
            Event {
                token: token.into(),
                conversation_id: Uuid::nil(),
                change: Change::MemberLeft { user },
            }
        };
        assert!(seen.is_news(&left("1")));
        assert!(!seen.is_news(&left("1")));
        assert!(seen.is_news(&left("2")), "came back and left again");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut seen = Seen::default();
        for user in 0..CAPACITY as u128 + 1 {
            assert!(seen.is_news(&read(user, 1)));
        }
        assert_eq!((seen.versions.len(), seen.order.len()), (CAPACITY, CAPACITY));
        assert!(seen.is_news(&read(0, 1)));
        assert!(!seen.is_news(&read(CAPACITY as u128, 1)));
    }
}
