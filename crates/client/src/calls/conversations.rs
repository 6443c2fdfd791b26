//! Conversations, their members and marks.

use reqwest::Method;
use voxpost_proto::Uuid;
use voxpost_proto::api::{
    Conversation, ConversationCreate, ConversationKind, ConversationSummary, ConversationUpdate, Mark,
    MembersAdd, Page,
};

use crate::client::{Client, Repeat};
use crate::error::Error;

impl Client {
    /// Makes a conversation. A `client_id` is filled in where there is none, so that a repetition is harmless.
    pub async fn create_conversation(&self, new: &ConversationCreate) -> Result<Conversation, Error> {
        let mut new = new.clone();
        new.client_id = Some(new.client_id.map_or_else(Self::new_id, Ok)?);
        let url = self.address(&["v1", "conversations"]);
        self.write(Method::POST, url, &new, Repeat::Always).await
    }

    /// The direct conversation with a person by username, made when there was none.
    pub async fn direct_conversation(&self, username: &str) -> Result<Conversation, Error> {
        let new = ConversationCreate {
            kind: ConversationKind::Direct,
            members: vec![username.to_owned()],
            title: None,
            live: None,
            client_id: None,
        };
        self.create_conversation(&new).await
    }

    /// A page of the caller's conversations, newest activity first; `before` is `next` of the page before.
    pub async fn conversations(&self, before: Option<&str>) -> Result<Page<ConversationSummary>, Error> {
        let mut url = self.address(&["v1", "conversations"]);
        if let Some(cursor) = before {
            url.query_pairs_mut().append_pair("before", cursor);
        }
        self.get(url).await
    }

    /// One conversation.
    pub async fn conversation(&self, id: Uuid) -> Result<Conversation, Error> {
        self.get(self.conversation_address(id, &[])).await
    }

    /// Changes title or settings; what is absent stays.
    pub async fn update_conversation(
        &self,
        id: Uuid,
        update: &ConversationUpdate,
    ) -> Result<Conversation, Error> {
        self.write(
            Method::PATCH,
            self.conversation_address(id, &[]),
            update,
            Repeat::Always,
        )
        .await
    }

    /// Adds people to a group.
    pub async fn add_members(&self, id: Uuid, add: &MembersAdd) -> Result<Conversation, Error> {
        self.write(
            Method::POST,
            self.conversation_address(id, &["members"]),
            add,
            Repeat::Always,
        )
        .await
    }

    /// Takes somebody out of a group; with one's own id: leaves it.
    pub async fn remove_member(&self, id: Uuid, user: Uuid) -> Result<(), Error> {
        self.delete(self.conversation_address(id, &["members", &user.to_string()]))
            .await
    }

    /// Marks everything up to and with `seq` as read.
    pub async fn mark_read(&self, id: Uuid, seq: i64) -> Result<(), Error> {
        self.write_empty(
            Method::PUT,
            self.conversation_address(id, &["read"]),
            &Mark { seq },
        )
        .await
    }

    pub(crate) fn conversation_address(&self, id: Uuid, below: &[&str]) -> reqwest::Url {
        let id = id.to_string();
        let mut segments = vec!["v1", "conversations", &id];
        segments.extend_from_slice(below);
        self.address(&segments)
    }
}
