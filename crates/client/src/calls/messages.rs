//! Sending, listing and deleting voice messages.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, StatusCode};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use voxpost_proto::Uuid;
use voxpost_proto::api::{Message, MessageState, Page};

use crate::client::{Client, Repeat, read_json};
use crate::error::Error;

/// How much of a file is read and handed to the network at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where the sound of a message comes from. It is read anew for every try.
#[derive(Clone, Debug)]
pub enum AudioSource {
    /// A file, streamed from the disk.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Bytes),
}

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
    /// Is told how many bytes of the sound are on their way; begins at 0 again when it is sent again.
    pub progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
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
    /// Sends a message in one request, streaming the sound. When the network breaks or the server asks to wait, the same
    /// message is sent again under the same `client_id`.
    ///
    /// # Errors
    /// [`Error::File`] when the sound cannot be read; [`Error::Refused`] with a code that says what is wrong with it.
    pub async fn send_message(&self, conversation: Uuid, message: &Outgoing) -> Result<Sent, Error> {
        let url = self.conversation_address(conversation, &["messages"]);
        let answer = self
            .repeat(Repeat::Always, async || {
                let form = form(message).await?;
                Ok(self.request(Method::POST, url.clone()).multipart(form))
            })
            .await?;
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

/// The text fields come before the file: the server decides by them before it takes the sound.
async fn form(message: &Outgoing) -> Result<Form, Error> {
    let mut form = Form::new().text("client_id", message.client_id.to_string());
    if let Some(reply_to) = message.reply_to {
        form = form.text("reply_to", reply_to.to_string());
    }
    if let Some(caption) = &message.caption {
        form = form.text("caption", caption.clone());
    }
    let (length, chunks) = open(&message.audio).await?;
    let body = Body::wrap_stream(counted(chunks, message.progress.clone()));
    // The name is of no use to the server, which looks at the bytes; but a file field must have one.
    Ok(form.part("audio", Part::stream_with_length(body, length).file_name("audio")))
}

async fn open(source: &AudioSource) -> Result<(u64, BoxStream<'static, io::Result<Bytes>>), Error> {
    match source {
        AudioSource::Bytes(bytes) => {
            let chunks: Vec<Bytes> = (0..bytes.len())
                .step_by(CHUNK_BYTES)
                .map(|at| slice(bytes, at))
                .collect();
            Ok((
                bytes.len() as u64,
                stream::iter(chunks.into_iter().map(Ok)).boxed(),
            ))
        }
        AudioSource::File(path) => {
            let (length, file) = open_file(path).await.map_err(|source| Error::File {
                path: path.clone(),
                source,
            })?;
            // A file that grows meanwhile is cut where it ended when the length was announced.
            let limited = tokio::io::AsyncReadExt::take(file, length);
            Ok((length, ReaderStream::with_capacity(limited, CHUNK_BYTES).boxed()))
        }
    }
}

async fn open_file(path: &Path) -> io::Result<(u64, tokio::fs::File)> {
    let file = tokio::fs::File::open(path).await?;
    let metadata = file.metadata().await?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((metadata.len(), file))
}

fn slice(bytes: &Bytes, at: usize) -> Bytes {
    bytes.slice(at..bytes.len().min(at + CHUNK_BYTES))
}

fn counted(
    chunks: BoxStream<'static, io::Result<Bytes>>,
    progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
) -> BoxStream<'static, io::Result<Bytes>> {
    let Some(progress) = progress else { return chunks };
    progress(0);
    let mut sent = 0;
    chunks
        .inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                sent += chunk.len() as u64;
                progress(sent);
            }
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    async fn read(source: &AudioSource, progress: Option<Arc<dyn Fn(u64) + Send + Sync>>) -> (u64, Vec<u8>) {
        let (length, chunks) = open(source).await.unwrap();
        let chunks: Vec<io::Result<Bytes>> = counted(chunks, progress).collect().await;
        (
            length,
            chunks
                .into_iter()
                .flat_map(|chunk| chunk.unwrap().to_vec())
                .collect(),
        )
    }

    #[tokio::test]
    async fn bytes_and_files_are_streamed_whole_and_progress_ends_at_their_length() {
        let content: Vec<u8> = (0..150_000u32).map(|n| n as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        for source in [
            AudioSource::Bytes(content.clone().into()),
            AudioSource::File(file.path().to_path_buf()),
        ] {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let told = Arc::clone(&seen);
            let (length, read) = read(
                &source,
                Some(Arc::new(move |sent| told.lock().unwrap().push(sent))),
            )
            .await;
            assert_eq!(length, 150_000);
            assert_eq!(read, content);
            let seen = seen.lock().unwrap();
            assert_eq!((seen[0], seen[seen.len() - 1]), (0, 150_000));
            assert!(seen.is_sorted());
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_and_a_directory_are_named_in_the_error() {
        for path in ["/nowhere/voice.ogg", "/"] {
            let error = open(&AudioSource::File(path.into())).await.err().unwrap();
            assert!(matches!(&error, Error::File { .. }));
            assert!(error.to_string().starts_with(path));
        }
    }
}
