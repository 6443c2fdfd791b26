//! Messages and their sound, through the whole server without a listener.

mod delete;
mod later;
mod list;
mod renditions;
mod send;
mod sound;
mod waveform;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;
use uuid::Uuid;
use voxpost_proto::api::{Message, Page, SessionCreated};

use crate::testing::{Answer, TestApp};

/// As Chromium's MediaRecorder writes it.
pub(in crate::http) const CHROMIUM: &[u8] =
    include_bytes!("../../../../../audio/fixtures/opus/chromium.webm");
/// As Firefox's MediaRecorder writes it.
pub(in crate::http) const FIREFOX: &[u8] = include_bytes!("../../../../../audio/fixtures/opus/firefox.ogg");
/// Has to be decoded.
pub(in crate::http) const MP3: &[u8] = include_bytes!("../../../../../audio/fixtures/sound/cbr-44k1.mp3");

const BOUNDARY: &str = "boundary";

/// Ana, Ben, and their conversation.
pub(in crate::http) struct Stage {
    pub(in crate::http) app: TestApp,
    pub(in crate::http) ana: SessionCreated,
    pub(in crate::http) ben: SessionCreated,
    pub(in crate::http) conversation: Uuid,
}

impl Stage {
    pub(in crate::http) async fn new() -> Self {
        Self::with(&[]).await
    }

    pub(in crate::http) async fn with(args: &[&str]) -> Self {
        // A slow machine is no reason for another answer.
        let patient = ["--patience-ms", "600000"];
        let args: Vec<&str> = if args.contains(&patient[0]) {
            args.to_vec()
        } else {
            [&patient, args].concat()
        };
        let app = TestApp::with(&args).await;
        let (ana, ben) = (app.person("ana").await, app.person("ben").await);
        let body = json!({"kind": "direct", "members": ["ben"]});
        let made = app.post("/v1/conversations", &ana.token, body).await.expect(201);
        let conversation = id(&made);
        Self {
            app,
            ana,
            ben,
            conversation,
        }
    }

    pub(in crate::http) async fn send(&self, fields: &[(&str, &[u8])]) -> Answer {
        self.send_as(&self.ana.token, self.conversation, fields).await
    }

    pub(in crate::http) async fn send_as(
        &self,
        token: &str,
        conversation: Uuid,
        fields: &[(&str, &[u8])],
    ) -> Answer {
        self.app.send(request(token, conversation, form(fields))).await
    }

    pub(in crate::http) async fn say(&self, sound: &[u8]) -> Message {
        self.send(&[("audio", sound)]).await.expect(201).parse()
    }

    pub(in crate::http) async fn list(&self, token: &str, query: &str) -> Page<Message> {
        let path = format!("/v1/conversations/{}/messages{query}", self.conversation);
        self.app.get(&path, token).await.expect(200).parse()
    }

    pub(in crate::http) async fn message(&self, token: &str, id: Uuid) -> Answer {
        self.app.get(&format!("/v1/messages/{id}"), token).await
    }

    /// Every object in the store.
    pub(in crate::http) async fn objects(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for shard in 0..=u8::MAX {
            let listed = self.app.app.blobs.list(shard).await.unwrap();
            keys.extend(listed.into_iter().map(|object| object.key));
        }
        keys
    }
}

pub(in crate::http) fn id(answer: &Answer) -> Uuid {
    answer.json()["id"].as_str().unwrap().parse().unwrap()
}

pub(in crate::http) fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let file = if *name == "audio" {
            "; filename=\"../a\""
        } else {
            ""
        };
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

pub(in crate::http) fn request(token: &str, conversation: Uuid, body: Vec<u8>) -> Request<Body> {
    Request::post(format!("/v1/conversations/{conversation}/messages"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(
            header::CONTENT_TYPE,
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .header(header::CONTENT_LENGTH, body.len())
        .body(Body::from(body))
        .unwrap()
}

/// 16-bit samples as a file.
pub(in crate::http) fn wav(rate: u32, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(len + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&len.to_le_bytes());
    file.extend_from_slice(data);
    file
}
