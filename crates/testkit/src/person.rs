//! Somebody with an account and a token, who talks over HTTP.

use std::sync::OnceLock;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use uuid::Uuid;
use voxpost_proto::api::{Conversation, Message, MessageState, Page, SessionCreated, User};
use voxpost_proto::socket::SyncPage;

use crate::{Answer, Clip, Socket, eventually, patiently};

/// The password of everybody in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    /// `http://127.0.0.1:PORT` of the server that they talk to.
    pub base: String,
    /// Who they are.
    pub user: User,
    /// Their session token.
    pub token: String,
    /// The device of that session.
    pub device_id: Uuid,
}

impl Person {
    /// The password that [`Person::sign_up`] chooses.
    pub const PASSWORD: &str = PASSWORD;

    /// Signs up at the server `base`.
    pub async fn sign_up(base: &str, username: &str) -> Self {
        let body = serde_json::json!({"username": username, "password": PASSWORD});
        let answer = exchange(client().post(format!("{base}/v1/accounts")).json(&body)).await;
        Self::from_session(base, &answer.expect(201))
    }

    /// Signs in once more, as on another device.
    pub async fn sign_in(&self, device_name: &str) -> Self {
        let body = serde_json::json!({
            "username": self.user.username, "password": PASSWORD, "device_name": device_name,
        });
        let answer = exchange(client().post(format!("{}/v1/sessions", self.base)).json(&body)).await;
        Self::from_session(&self.base, &answer.expect(201))
    }

    /// The same person and token at another address, such as after a restart.
    pub fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    fn from_session(base: &str, answer: &Answer) -> Self {
        let SessionCreated {
            user,
            token,
            device_id,
        } = answer.json();
        Self {
            base: base.to_owned(),
            user,
            token,
            device_id,
        }
    }

    /// A request with this person's token; `path` begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        client()
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        exchange(self.request(Method::GET, path)).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        exchange(self.request(Method::POST, path).json(body)).await
    }

    /// `PUT path` with a JSON body.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Answer {
        exchange(self.request(Method::PUT, path).json(body)).await
    }

    /// `PATCH path` with a JSON body.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Answer {
        exchange(self.request(Method::PATCH, path).json(body)).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Answer {
        exchange(self.request(Method::DELETE, path)).await
    }

    /// The direct conversation with somebody, made if there is none.
    pub async fn talk_to(&self, other: &Person) -> Conversation {
        let body = serde_json::json!({"kind": "direct", "members": [other.user.username]});
        let answer = self.post("/v1/conversations", &body).await;
        assert!(
            matches!(answer.status, 200 | 201),
            "{}: {}",
            answer.request,
            answer.text()
        );
        answer.json()
    }

    /// A new group with these others in it.
    pub async fn group(&self, title: &str, others: &[&Person]) -> Conversation {
        let members: Vec<_> = others.iter().map(|person| &person.user.username).collect();
        let body = serde_json::json!({"kind": "group", "title": title, "members": members});
        self.post("/v1/conversations", &body).await.expect(201).json()
    }

    /// Sends a voice message and gives whatever the server answers.
    pub async fn send(&self, conversation: Uuid, voice: &Voice) -> Answer {
        patiently(
            "the answer to a voice message",
            self.try_send(conversation, voice),
        )
        .await
        .expect("an answer")
    }

    /// As [`Person::send`]; a connection that breaks is an error.
    pub async fn try_send(&self, conversation: Uuid, voice: &Voice) -> Result<Answer, reqwest::Error> {
        let path = format!("/v1/conversations/{conversation}/messages");
        try_exchange(self.request(Method::POST, &path).multipart(voice.form())).await
    }

    /// Sends a clip that must be accepted; waits for it where the server says that it is still working on it.
    pub async fn say(&self, conversation: Uuid, clip: &Clip) -> Message {
        let answer = self.send(conversation, &Voice::of(clip)).await;
        if answer.status != 202 {
            return answer.expect(201).json();
        }
        let accepted: serde_json::Value = answer.json();
        let path = format!("/v1/messages/{}", accepted["id"].as_str().expect("an id"));
        eventually("a slow message to be ready", || async {
            let message: Message = self.get(&path).await.expect(200).json();
            (message.state == MessageState::Ready).then_some(message)
        })
        .await
    }

    /// All messages of a conversation that this person sees, by `seq`, page by page.
    pub async fn messages(&self, conversation: Uuid) -> Vec<Message> {
        let mut all: Vec<Message> = Vec::new();
        loop {
            let after = all.last().and_then(|message| message.seq).unwrap_or(0);
            let path = format!("/v1/conversations/{conversation}/messages?after={after}&limit=200");
            let page: Page<Message> = self.get(&path).await.expect(200).json();
            if page.items.is_empty() {
                return all;
            }
            all.extend(page.items);
        }
    }

    /// The sound of a message, by this person's token.
    pub async fn audio(&self, message: Uuid) -> Answer {
        self.get(&format!("/v1/messages/{message}/audio")).await
    }

    /// One page of durable events since `token`; waits up to `wait_ms` for the first.
    pub async fn sync(&self, token: &str, wait_ms: u64) -> SyncPage {
        let path = format!("/v1/sync?since={token}&wait_ms={wait_ms}");
        self.get(&path).await.expect(200).json()
    }

    /// A socket that has said hello and is live.
    pub async fn socket(&self) -> Socket {
        Socket::connect(&self.base, &self.token, None).await
    }

    /// A socket that goes on after `token`.
    pub async fn socket_since(&self, token: &str) -> Socket {
        Socket::connect(&self.base, &self.token, Some(token)).await
    }
}

/// What goes into a voice message.
#[derive(Clone)]
pub struct Voice {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The file's name, which the server must not trust.
    pub file_name: String,
    /// The declared type, which the server must not trust.
    pub content_type: String,
    /// The sender's id for the message.
    pub client_id: Option<Uuid>,
    /// Words beside it.
    pub caption: Option<String>,
    /// What it answers.
    pub reply_to: Option<Uuid>,
}

impl Voice {
    /// A clip with a fresh client id.
    pub fn of(clip: &Clip) -> Self {
        Self {
            bytes: clip.bytes.clone(),
            file_name: "voice".into(),
            content_type: "application/octet-stream".into(),
            client_id: Some(fresh_id()),
            caption: None,
            reply_to: None,
        }
    }

    fn form(&self) -> Form {
        let mut form = Form::new();
        if let Some(id) = self.client_id {
            form = form.text("client_id", id.to_string());
        }
        if let Some(id) = self.reply_to {
            form = form.text("reply_to", id.to_string());
        }
        if let Some(caption) = &self.caption {
            form = form.text("caption", caption.clone());
        }
        let file = Part::bytes(self.bytes.clone()).file_name(self.file_name.clone());
        form.part("audio", file.mime_str(&self.content_type).expect("a media type"))
    }
}

/// An id such as a client makes: random, version 4.
pub fn fresh_id() -> Uuid {
    let mut bytes = [0; 16];
    std::io::Read::read_exact(
        &mut std::fs::File::open("/dev/urandom").expect("Linux"),
        &mut bytes,
    )
    .expect("random bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The one HTTP client of a test process; follows no redirects.
pub fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Each test has a runtime of its own, and a pooled connection dies with the runtime that made it.
            .pool_max_idle_per_host(0)
            .build()
            .expect("an HTTP client")
    })
}

/// Sends a request that somebody built and reads the whole answer.
pub async fn exchange(request: RequestBuilder) -> Answer {
    patiently("an answer over HTTP", try_exchange(request))
        .await
        .expect("an answer over HTTP")
}

/// As [`exchange`]; a connection that breaks is an error.
pub async fn try_exchange(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let request = request.build()?;
    let line = format!("{} {}", request.method(), request.url());
    Answer::read(line, client().execute(request).await?).await
}
