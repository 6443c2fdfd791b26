//! Sending, listing and deleting voice messages.

use std::sync::Arc;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use voxpost_proto::api::{Message, MessageState, Page};
use voxpost_proto::{ErrorCode, Uuid};

use crate::client::{Client, Repeat, read_json};
use crate::error::Error;
use crate::uploads::{AudioSource, Sound, Unsent, UploadJournals};

/// Sound up to this size goes in one request; what is larger goes piece by piece, and goes on where the network broke.
const MAX_AT_ONCE_BYTES: u64 = 1 << 20;

/// A message that is about to be sent.
pub struct Outgoing {
    /// The sound, in any format that the server takes.
    pub audio: AudioSource,
    /// The sender's own id for it: the same id with the same sound gives one message, however often it is sent.
    pub client_id: Uuid,
    /// The message it answers.
    pub reply_to: Option<Uuid>,
    /// Words beside the sound.
    pub caption: Option<String>,
    /// Is told how many bytes of the sound are on their way; goes back to what the server has when something was lost.
    pub progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
    /// Where it is kept what is on its way, so that the same file goes on after this process was killed.
    pub journals: Option<UploadJournals>,
}

impl Outgoing {
    /// A message of this sound and nothing else, with a fresh id.
    ///
    /// # Errors
    /// [`Error::Randomness`] when the operating system gives none for the id.
    pub fn new(audio: AudioSource) -> Result<Self, Error> {
        Ok(Self {
            audio,
            client_id: Client::new_id()?,
            reply_to: None,
            caption: None,
            progress: None,
            journals: None,
        })
    }
}

/// What became of a message that was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// It is published.
    Ready(Box<Message>),
    /// The server has it and is still working on it: see [`Client::wait_for_message`].
    Processing {
        /// The message's id.
        id: Uuid,
    },
}

#[derive(Deserialize)]
struct Accepted {
    id: Uuid,
}

impl Client {
    /// Sends a message. A small sound goes in one request, a larger one piece by piece; when the network breaks or the server
    /// asks to wait, it goes on from what the server has, under the same `client_id`.
    ///
    /// With [`Outgoing::journals`] a file that was not sent to its end by an earlier process goes on as the message that it was,
    /// under the id that it had.
    ///
    /// # Errors
    /// [`Error::File`] when the sound cannot be read or changes meanwhile; [`Error::Refused`] with a code that says what is
    /// wrong with it.
    pub async fn send_message(&self, conversation: Uuid, message: &Outgoing) -> Result<Sent, Error> {
        let sound = Sound::of(&message.audio).await?;
        let mut unsent = self.unsent(conversation, message, &sound);
        let mut at_once = None;
        if sound.length() <= MAX_AT_ONCE_BYTES {
            let outcome = self.send_at_once(conversation, message, &sound, &unsent).await;
            // A server may take less in one request than it takes in all.
            at_once = Some(outcome).filter(|outcome| code(outcome) != Some(ErrorCode::AudioTooLarge));
        }
        let outcome = match at_once {
            Some(outcome) => outcome,
            None => {
                self.send_resumably(conversation, message, &sound, &mut unsent)
                    .await
            }
        };
        unsent.settle(&outcome);
        outcome
    }

    fn unsent(&self, conversation: Uuid, message: &Outgoing, sound: &Sound<'_>) -> Unsent {
        let Some(journals) = &message.journals else {
            return Unsent::unkept(message.client_id);
        };
        let reply_to = message.reply_to.map(|id| id.to_string()).unwrap_or_default();
        let words = [reply_to.as_str(), message.caption.as_deref().unwrap_or_default()];
        let unsent = journals.take_up(self, conversation, sound, &words, message.client_id);
        unsent.save();
        unsent
    }

    async fn send_at_once(
        &self,
        conversation: Uuid,
        message: &Outgoing,
        sound: &Sound<'_>,
        unsent: &Unsent,
    ) -> Result<Sent, Error> {
        let url = self.conversation_address(conversation, &["messages"]);
        let answer = self
            .repeat(Repeat::Always, async || {
                let form = form(message, sound, unsent.client_id).await?;
                Ok(self.request(Method::POST, url.clone()).multipart(form))
            })
            .await?;
        self.sent(answer).await
    }

    /// What the answer to a request that sends says.
    pub(crate) async fn sent(&self, answer: Response) -> Result<Sent, Error> {
        if answer.status() == StatusCode::ACCEPTED {
            let Accepted { id } = read_json(answer).await?;
            return Ok(Sent::Processing { id });
        }
        Ok(Sent::Ready(Box::new(read_json(answer).await?)))
    }

    /// Waits until the server is done with a message: its state is then `ready` or `failed`.
    pub async fn wait_for_message(&self, id: Uuid) -> Result<Message, Error> {
        let mut pause = Duration::from_millis(100);
        loop {
            let message = self.message(id).await?;
            if !matches!(message.state, MessageState::Processing | MessageState::Recording) {
                return Ok(message);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// One message.
    pub async fn message(&self, id: Uuid) -> Result<Message, Error> {
        self.get(self.message_address(id, &[])).await
    }

    /// Messages of a conversation, ascending by `seq`: the newest `limit`, or those before the `seq` `before`.
    pub async fn messages(
        &self,
        conversation: Uuid,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<Message>, Error> {
        let mut url = self.conversation_address(conversation, &["messages"]);
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        if let Some(seq) = before {
            url.query_pairs_mut().append_pair("before", &seq.to_string());
        }
        self.get(url).await
    }

    /// Deletes a message for everybody.
    pub async fn delete_message(&self, id: Uuid) -> Result<(), Error> {
        self.delete(self.message_address(id, &[])).await
    }

    pub(crate) fn message_address(&self, id: Uuid, below: &[&str]) -> reqwest::Url {
        let id = id.to_string();
        let mut segments = vec!["v1", "messages", &id];
        segments.extend_from_slice(below);
        self.address(&segments)
    }
}

fn code(outcome: &Result<Sent, Error>) -> Option<ErrorCode> {
    outcome.as_ref().err().and_then(Error::code)
}

/// The text fields come before the file: the server decides by them before it takes the sound.
async fn form(message: &Outgoing, sound: &Sound<'_>, client_id: Uuid) -> Result<Form, Error> {
    let mut form = Form::new().text("client_id", client_id.to_string());
    if let Some(reply_to) = message.reply_to {
        form = form.text("reply_to", reply_to.to_string());
    }
    if let Some(caption) = &message.caption {
        form = form.text("caption", caption.clone());
    }
    let length = sound.length();
    let body = sound.body(0..length, message.progress.as_ref()).await?;
    // The name is of no use to the server, which looks at the bytes; but a file field must have one.
    Ok(form.part("audio", Part::stream_with_length(body, length).file_name("audio")))
}
