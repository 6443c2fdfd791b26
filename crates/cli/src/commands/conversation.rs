//! Conversations as the command line names them: by id, or by the other person's username.

use voxpost_client::{Client, ConversationKind, ConversationSummary, Uuid};

use crate::failure::Failure;

/// The name to show for a conversation: the title, or the other person.
pub(crate) fn name(summary: &ConversationSummary, me: Uuid) -> &str {
    let conversation = &summary.conversation;
    if let Some(title) = &conversation.title {
        return title;
    }
    let other = conversation.members.iter().find(|member| member.user.id != me);
    other
        .or(conversation.members.first())
        .map_or("(nobody)", |member| &member.user.username)
}

/// All conversations of the caller, newest activity first, at most `limit`.
pub(crate) async fn list(client: &Client, limit: usize) -> Result<Vec<ConversationSummary>, Failure> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.conversations(cursor.as_deref()).await?;
        all.extend(page.items);
        cursor = page.next;
        if all.len() >= limit || cursor.is_none() {
            all.truncate(limit);
            return Ok(all);
        }
    }
}

/// The conversation that `text` means: an id, or the username of whom there is a direct conversation with. Makes none.
pub(crate) async fn find(client: &Client, text: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let username = username(text);
    let mut cursor: Option<String> = None;
    loop {
        let page = client.conversations(cursor.as_deref()).await?;
        if let Some(found) = page
            .items
            .iter()
            .find(|summary| is_direct_with(summary, &username))
        {
            return Ok(found.conversation.id);
        }
        cursor = Some(
            page.next
                .ok_or_else(|| Failure::NotFound(format!("conversation with {text:?}")))?,
        );
    }
}

/// The conversation to send to: an id, or the direct one with a person, made when there is none.
pub(crate) async fn find_or_make(client: &Client, text: &str) -> Result<Uuid, Failure> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(client.direct_conversation(&username(text)).await?.id),
    }
}

/// `@Ana` is `ana`.
fn username(text: &str) -> String {
    text.strip_prefix('@').unwrap_or(text).to_lowercase()
}

fn is_direct_with(summary: &ConversationSummary, username: &str) -> bool {
    summary.conversation.kind == ConversationKind::Direct
        && summary
            .conversation
            .members
            .iter()
            .any(|member| member.user.username == username)
}
