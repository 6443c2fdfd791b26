//! One upload by tus 1.0.0, over whatever the network does.
//!
//! The machine that says which bytes are next is [`Sender`]; here are the requests. The server has the only truth about what
//! arrived: after every break it is asked, and only what it lacks is sent.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use voxpost_proto::api::{UploadState, UploadStatus};
use voxpost_proto::upload::Sender;
use voxpost_proto::{ErrorCode, Problem, Uuid};

use super::{Sound, Unsent};
use crate::calls::{Outgoing, Sent};
use crate::client::{Client, Repeat, refusal};
use crate::error::Error;
use crate::retry::{self, RetryPolicy};

/// How much goes in one request. The server keeps what came of a request that broke, so this is no measure of what is lost.
const CHUNK_BYTES: u64 = 5 << 20;

/// An upload that vanishes so often is not begun again.
const MAX_UPLOADS: u32 = 3;

/// How long to wait before the server is asked again whether the message is made.
const ASK_AFTER: Duration = Duration::from_millis(200);
const ASK_AT_MOST_AFTER: Duration = Duration::from_secs(2);

/// What a step came to.
enum Step {
    /// The server has so many bytes.
    At(u64),
    /// It made a message of them.
    Sent(Uuid),
}

#[derive(Serialize)]
struct SendUpload<'a> {
    upload_id: Uuid,
    client_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
}

impl Client {
    /// Sends a sound piece by piece.
    pub(crate) async fn send_resumably(
        &self,
        conversation: Uuid,
        message: &Outgoing,
        sound: &Sound<'_>,
        unsent: &mut Unsent,
    ) -> Result<Sent, Error> {
        let mut begun = 0;
        loop {
            let upload_id = match unsent.upload_id {
                Some(id) => id,
                None => {
                    let id = self.begin_upload(conversation, message, sound, unsent).await?;
                    unsent.upload_id = Some(id);
                    unsent.save();
                    id
                }
            };
            begun += 1;
            let outcome = self.send_pieces(upload_id, message, sound).await;
            match outcome {
                Ok(Some(id)) => return self.message(id).await.map(sent),
                Ok(None) => {
                    return self
                        .outcome(conversation, message, unsent.client_id, upload_id)
                        .await;
                }
                Err(error) if is_gone(&error) && begun < MAX_UPLOADS => unsent.upload_id = None,
                Err(error) => return Err(error),
            }
        }
    }

    async fn begin_upload(
        &self,
        conversation: Uuid,
        message: &Outgoing,
        sound: &Sound<'_>,
        unsent: &Unsent,
    ) -> Result<Uuid, Error> {
        let url = self.address(&["v1", "uploads"]);
        let metadata = metadata(conversation, message, unsent.client_id);
        // Begun twice, the first of them is empty and expires.
        let answer = self
            .repeat(Repeat::Always, async || {
                let request = self.request(Method::POST, url.clone());
                Ok(tus(request)
                    .header("Upload-Length", sound.length())
                    .header("Upload-Metadata", &metadata))
            })
            .await?;
        let place = answer
            .headers()
            .get(LOCATION)
            .and_then(|place| place.to_str().ok());
        let place = place.and_then(|place| answer.url().join(place).ok());
        let id = place.and_then(|place: Url| place.path_segments()?.next_back()?.parse().ok());
        id.ok_or_else(|| Error::unexpected(&url, "it does not say where the upload is"))
    }

    /// Sends what the server lacks; the message, unless the server must be asked what became of it.
    async fn send_pieces(
        &self,
        upload_id: Uuid,
        message: &Outgoing,
        sound: &Sound<'_>,
    ) -> Result<Option<Uuid>, Error> {
        let url = self.upload_address(upload_id);
        let patience = self.upload_patience();
        let mut sender = Sender::new(sound.length(), CHUNK_BYTES, CHUNK_BYTES);
        let mut asked = false;
        let mut failures = 0;
        loop {
            let before = sender.acked();
            let step = if asked {
                self.send_piece(&url, message, sound, &mut sender).await
            } else {
                self.ask(&url).await
            };
            let error = match step {
                Ok(Step::Sent(id)) => return Ok(Some(id)),
                Ok(Step::At(offset)) => {
                    asked = true;
                    sender
                        .resume(offset)
                        .map_err(|error| Error::unexpected(&url, error.to_string()))?;
                    if let Some(progress) = &message.progress {
                        progress(offset);
                    }
                    if sender.is_done() {
                        return Ok(None);
                    }
                    if offset > before {
                        failures = 0;
                    }
                    continue;
                }
                Err(error) => error,
            };
            let elsewhere = error.code() == Some(ErrorCode::UploadOffsetMismatch);
            failures += 1;
            let pause = patience.pause(failures, error.retry_after(), retry::jitter());
            let Some(pause) = pause.filter(|_| elsewhere || error.is_temporary()) else {
                return Err(error);
            };
            tracing::debug!(%error, failures, "going on from what the server has");
            asked = false;
            if !elsewhere {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Asks what the server has.
    async fn ask(&self, url: &Url) -> Result<Step, Error> {
        let request = tus(self.request(Method::HEAD, url.clone()));
        let answer = request
            .send()
            .await
            .map_err(|error| Error::from_http(url, &error))?;
        // The answer has no body that would say more than its status.
        let code = match answer.status() {
            status if status.is_success() => return step(&answer),
            StatusCode::UNAUTHORIZED => ErrorCode::Unauthenticated,
            StatusCode::NOT_FOUND => ErrorCode::NotFound,
            StatusCode::GONE => ErrorCode::UploadExpired,
            _ => return Err(refusal(answer).await),
        };
        Err(Error::Refused {
            problem: Box::new(Problem::new(code, code.advice())),
            retry_after: None,
        })
    }

    async fn send_piece(
        &self,
        url: &Url,
        message: &Outgoing,
        sound: &Sound<'_>,
        sender: &mut Sender,
    ) -> Result<Step, Error> {
        let Some(range) = sender.next_chunk() else {
            return Ok(Step::At(sender.acked()));
        };
        let request = tus(self.request(Method::PATCH, url.clone()))
            .header("Upload-Offset", range.start)
            .header(CONTENT_TYPE, "application/offset+octet-stream")
            .header(CONTENT_LENGTH, range.end - range.start)
            .body(sound.body(range, message.progress.as_ref()).await?);
        step(&self.once(request).await?)
    }

    /// What became of an upload that the server has whole.
    async fn outcome(
        &self,
        conversation: Uuid,
        message: &Outgoing,
        client_id: Uuid,
        upload_id: Uuid,
    ) -> Result<Sent, Error> {
        let mut pause = ASK_AFTER;
        loop {
            let status: UploadStatus = self.get(self.upload_address(upload_id)).await?;
            match (status.state, status.message_id, status.failure) {
                (UploadState::Failed, _, Some(problem)) => {
                    let problem = Box::new(problem);
                    return Err(Error::Refused {
                        problem,
                        retry_after: None,
                    });
                }
                (UploadState::Sent, Some(id), _) => return self.message(id).await.map(sent),
                (UploadState::Ingesting, Some(id), _) => return Ok(Sent::Processing { id }),
                (UploadState::Ingesting, None, _) => {}
                // Whole, and not sent: sent now, or it is said why not.
                _ => {
                    return self
                        .send_upload(conversation, message, client_id, upload_id)
                        .await;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ASK_AT_MOST_AFTER);
        }
    }

    async fn send_upload(
        &self,
        conversation: Uuid,
        message: &Outgoing,
        client_id: Uuid,
        upload_id: Uuid,
    ) -> Result<Sent, Error> {
        let url = self.conversation_address(conversation, &["messages"]);
        let body = SendUpload {
            upload_id,
            client_id,
            reply_to: message.reply_to,
            caption: message.caption.as_deref(),
        };
        let answer = self
            .repeat(Repeat::Always, async || {
                Ok(self.request(Method::POST, url.clone()).json(&body))
            })
            .await?;
        self.sent(answer).await
    }

    fn upload_address(&self, id: Uuid) -> Url {
        self.address(&["v1", "uploads", &id.to_string()])
    }

    /// As patient as the client was told to be, and at least until a train has left its tunnel; one that never repeats does not.
    fn upload_patience(&self) -> RetryPolicy {
        let own = self.retry_policy();
        if own.attempts > 1 && own.attempts < RetryPolicy::PATIENT.attempts {
            RetryPolicy::PATIENT
        } else {
            own
        }
    }
}

fn tus(request: RequestBuilder) -> RequestBuilder {
    request.header("Tus-Resumable", "1.0.0")
}

/// `Upload-Metadata`: pairs of a key and a value in Base64.
fn metadata(conversation: Uuid, message: &Outgoing, client_id: Uuid) -> String {
    let pairs = [
        ("conversation_id", Some(conversation.to_string())),
        ("client_id", Some(client_id.to_string())),
        ("reply_to", message.reply_to.map(|id| id.to_string())),
        ("caption", message.caption.clone()),
    ];
    let pairs = pairs
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key} {}", BASE64.encode(value?))));
    pairs.collect::<Vec<_>>().join(",")
}

fn step(answer: &Response) -> Result<Step, Error> {
    let headers = answer.headers();
    let message = number(headers, "voxpost-message-id", |text| text.parse().ok());
    let offset = number(headers, "upload-offset", |text| text.parse().ok());
    match (message, offset) {
        (Some(id), _) => Ok(Step::Sent(id)),
        (None, Some(offset)) => Ok(Step::At(offset)),
        (None, None) => Err(Error::unexpected(
            answer.url(),
            "it does not say how much of the upload it has",
        )),
    }
}

fn number<T>(headers: &HeaderMap, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .and_then(|text| parse(text.trim()))
}

/// Whether the upload is not there any more. (A conversation that is not there was said when it began.)
fn is_gone(error: &Error) -> bool {
    matches!(error.code(), Some(ErrorCode::NotFound | ErrorCode::UploadExpired))
}

fn sent(message: voxpost_proto::api::Message) -> Sent {
    use voxpost_proto::api::MessageState;
    match message.state {
        MessageState::Processing => Sent::Processing { id: message.id },
        _ => Sent::Ready(Box::new(message)),
    }
}
