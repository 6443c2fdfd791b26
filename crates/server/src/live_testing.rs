//! A whole server on a real port, people without the cost of passwords, and sockets: for tests of what is live.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tower::ServiceExt;
use uuid::Uuid;

use crate::app::App;
use crate::config::Config;
use crate::error::ApiError;
use crate::store::members;
use crate::store::messages::{self, MessageRow, Published};
use crate::{clock, serve};

/// Far more than anything takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    router: Router,
    _dir: TempDir,
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) session: Uuid,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further arguments of `voxpost serve`.
    pub(crate) async fn with(args: &[&str]) -> Self {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            config: Config,
        }
        let dir = tempfile::tempdir().unwrap();
        let line = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            dir.path().to_str().unwrap(),
        ];
        let line = <Line as clap::Parser>::try_parse_from(line.iter().chain(args)).unwrap();
        let app = serve::open(line.config).await.unwrap();
        let router = crate::http::router(app.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = axum::serve(listener, router.clone());
        tokio::spawn(async move { serving.await });
        Self {
            app,
            address,
            router,
            _dir: dir,
        }
    }

    pub(crate) async fn person(&self, name: &str) -> Person {
        let mut person = Person {
            id: Uuid::nil(),
            name: name.to_owned(),
            token: String::new(),
            session: Uuid::nil(),
        };
        let body = json!({"username": name, "password": "correct horse battery", "display_name": name.to_uppercase()});
        let (status, body) = self.call(&person, Method::POST, "/v1/accounts", body).await;
        assert_eq!(status, 201, "{body}");
        person.id = id(&body["user"]);
        person.token = body["token"].as_str().unwrap().to_owned();
        let sessions = self.get(&person, "/v1/sessions").await;
        person.session = id(&sessions["items"][0]);
        person
    }

    pub(crate) async fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.person(name).await);
        }
        people.try_into().unwrap()
    }

    pub(crate) async fn call(
        &self,
        who: &Person,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", who.token))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = patiently(path, self.router.clone().oneshot(request))
            .await
            .unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    #[track_caller]
    pub(crate) fn get(&self, who: &Person, path: &str) -> impl Future<Output = Value> {
        let at = std::panic::Location::caller();
        async move {
            let (status, body) = self.call(who, Method::GET, path, Value::Null).await;
            assert_eq!(status, 200, "GET {path} at {at}: {body}");
            body
        }
    }

    pub(crate) async fn direct(&self, who: &Person, other: &Person) -> Uuid {
        let body = json!({"kind": "direct", "members": [other.name]});
        let (status, body) = self.call(who, Method::POST, "/v1/conversations", body).await;
        assert!(status.is_success(), "{body}");
        id(&body)
    }

    pub(crate) async fn group(&self, owner: &Person, others: &[&Person]) -> Uuid {
        let names: Vec<_> = others.iter().map(|person| &person.name).collect();
        let body = json!({"kind": "group", "title": "a group", "members": names});
        let (status, body) = self.call(owner, Method::POST, "/v1/conversations", body).await;
        assert_eq!(status, 201, "{body}");
        id(&body)
    }

    /// Publishes a message as if its sound had been accepted; gives its `seq`.
    pub(crate) async fn say(&self, who: &Person, conversation: Uuid) -> i64 {
        let sender = who.id;
        self.app
            .store
            .write(move |c| {
                Box::pin(async move {
                    assert!(members::standing(c, conversation, sender).await?.is_some());
                    let mut row = MessageRow {
                        id: clock::new_id(),
                        conversation_id: conversation,
                        version: 1,
                        state: "ready".into(),
                        sender_id: sender,
                        created_at: clock::now().millis(),
                        duration_ms: Some(1_000),
                        audio_key: Some("key".into()),
                        audio_bytes: Some(1_234),
                        audio_sha256: Some("ab".repeat(32)),
                        source_type: Some("audio/ogg; codecs=opus".into()),
                        analysis: "none".into(),
                        ..MessageRow::default()
                    };
                    match messages::publish(c, &mut row, clock::now()).await? {
                        Published::At(seq) => Ok::<_, ApiError>(seq),
                        other => panic!("{other:?}"),
                    }
                })
            })
            .await
            .unwrap()
    }

    pub(crate) async fn socket(&self, who: &Person, since: Option<&str>) -> Socket {
        let mut socket = self.connect(&who.token).await;
        let hello = match since {
            None => json!({"type": "hello"}),
            Some(since) => json!({"type": "hello", "since": since}),
        };
        socket.say(&hello).await;
        let welcome = socket.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        assert_eq!(welcome["user"]["username"], who.name.as_str());
        socket
    }

    /// As [`Self::socket`], after `synced`; what was replayed before is in `replay`.
    pub(crate) async fn synced(&self, who: &Person, since: Option<&str>) -> Socket {
        let mut socket = self.socket(who, since).await;
        loop {
            let message = socket.next().await;
            if message["type"] == "synced" {
                return socket;
            }
            socket.replay.push(message);
        }
    }

    pub(crate) async fn connect(&self, token: &str) -> Socket {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("sec-websocket-protocol", "voxpost.v1"),
        ];
        self.knock(&headers)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
            .0
    }

    /// A handshake with these headers; gives the socket and the subprotocol that was chosen.
    pub(crate) async fn knock(&self, headers: &[(&'static str, &str)]) -> Result<(Socket, String), Error> {
        let mut request = format!("ws://{}/v1/socket", self.address)
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (stream, answer) = patiently("a handshake", connect_async(request)).await?;
        let protocol = answer.headers().get("sec-websocket-protocol");
        let socket = Socket {
            stream,
            replay: Vec::new(),
            token: String::new(),
        };
        Ok((
            socket,
            protocol.map_or_else(String::new, |p| p.to_str().unwrap().to_owned()),
        ))
    }
}

pub(crate) fn id(body: &Value) -> Uuid {
    body["id"].as_str().unwrap().parse().unwrap()
}

pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) replay: Vec<Value>,
    /// The newest token that was seen.
    pub(crate) token: String,
}

impl Socket {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.stream
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next JSON message.
    pub(crate) async fn next(&mut self) -> Value {
        self.read()
            .await
            .unwrap_or_else(|goodbye| panic!("closed with {goodbye:?}"))
    }

    /// The next JSON message, or the code of the goodbye (0 without one).
    pub(crate) async fn read(&mut self) -> Result<Value, u16> {
        loop {
            match patiently("a message", self.stream.next()).await {
                Some(Ok(Message::Text(text))) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    if let Some(token) = value["token"].as_str() {
                        self.token = token.to_owned();
                    }
                    return Ok(value);
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(0),
            }
        }
    }

    /// Reads on until a message of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Reads on until the server ends the socket; gives the code.
    pub(crate) async fn goodbye(&mut self) -> u16 {
        loop {
            if let Err(code) = self.read().await {
                return code;
            }
        }
    }
}
