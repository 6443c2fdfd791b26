//! The socket as a client sees it: hello, welcome, replay, synced, live.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message as Frame, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use voxpost_proto::socket::{Event, SUBPROTOCOL, ServerMessage};

use crate::patiently;

/// A connected socket that is live.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<ServerMessage>,
    /// What was replayed between `welcome` and `synced`.
    pub replay: Vec<Event>,
    /// The newest token: of `synced`, or of the last durable event that arrived.
    pub token: String,
    /// How often the server pings.
    pub heartbeat_ms: u64,
    /// Binary messages that came while something else was awaited, in order.
    pub binary: Vec<Vec<u8>>,
}

/// How a socket ended: the close code and reason, when there were any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// The code of the close frame.
    pub code: Option<u16>,
    /// Its reason.
    pub reason: String,
}

impl Socket {
    /// Connects with a bearer token, says hello, reads the replay until `synced`.
    pub async fn connect(base: &str, token: &str, since: Option<&str>) -> Self {
        match patiently("the socket to be live", Self::try_connect(base, token, since)).await {
            Ok(socket) => socket,
            Err(error) => panic!("no socket at {base}: {error}"),
        }
    }

    /// As [`Socket::connect`], for servers that may refuse or be gone.
    pub async fn try_connect(base: &str, token: &str, since: Option<&str>) -> Result<Self, Error> {
        let bearer = format!("Bearer {token}");
        let request = request(
            base,
            &[
                ("authorization", &bearer),
                ("sec-websocket-protocol", SUBPROTOCOL),
            ],
        );
        let (stream, _) = connect_async(request).await?;
        let mut socket = Self {
            stream,
            waiting: VecDeque::new(),
            replay: Vec::new(),
            token: String::new(),
            heartbeat_ms: 0,
            binary: Vec::new(),
        };
        let hello = match since {
            None => serde_json::json!({"type": "hello"}),
            Some(since) => serde_json::json!({"type": "hello", "since": since}),
        };
        socket.stream.send(Frame::text(hello.to_string())).await?;
        loop {
            match socket.receive().await?.ok_or(Error::ConnectionClosed)? {
                ServerMessage::Welcome { heartbeat_ms, .. } => socket.heartbeat_ms = heartbeat_ms,
                ServerMessage::Event(event) => socket.replay.push(event),
                ServerMessage::Synced { token } => {
                    socket.token = token;
                    return Ok(socket);
                }
                other => panic!("between hello and synced came {other:?}"),
            }
        }
    }

    /// Knocks with these headers alone: the subprotocol that was chosen, or the status of the refusal.
    pub async fn knock(base: &str, headers: &[(&str, &str)]) -> Result<String, u16> {
        match patiently("an answer to a handshake", connect_async(request(base, headers))).await {
            Ok((_, response)) => {
                let chosen = response.headers().get("sec-websocket-protocol");
                Ok(chosen.map_or_else(String::new, |value| value.to_str().expect("ASCII").to_owned()))
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no answer to a handshake: {error}"),
        }
    }

    /// Sends a JSON message.
    pub async fn say(&mut self, message: &serde_json::Value) {
        self.stream
            .send(Frame::text(message.to_string()))
            .await
            .expect("the socket is open");
    }

    /// Sends a frame as it is.
    pub async fn send_frame(&mut self, frame: Frame) -> Result<(), Error> {
        self.stream.send(frame).await
    }

    /// The next message that `wanted` gives a value for. Others before it stay for later calls, in order.
    pub async fn wait_for<T>(&mut self, what: &str, wanted: impl FnMut(&ServerMessage) -> Option<T>) -> T {
        match self.try_wait_for(what, wanted).await {
            Ok(Some(value)) => value,
            Ok(None) => panic!("the socket closed before {what}"),
            Err(error) => panic!("the socket broke before {what}: {error}"),
        }
    }

    /// As [`Socket::wait_for`], over networks that break; `None` when the socket closed.
    ///
    /// # Errors
    /// How it broke.
    pub async fn try_wait_for<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&ServerMessage) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        for index in 0..self.waiting.len() {
            if let Some(value) = wanted(&self.waiting[index]) {
                self.waiting.remove(index);
                return Ok(Some(value));
            }
        }
        loop {
            let Some(message) = patiently(what, self.receive()).await? else {
                return Ok(None);
            };
            match wanted(&message) {
                Some(value) => return Ok(Some(value)),
                None => self.waiting.push_back(message),
            }
        }
    }

    /// The next durable event that `wanted` gives a value for.
    pub async fn wait_for_event<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.wait_for(what, |message| match message {
            ServerMessage::Event(event) => wanted(event),
            _ => None,
        })
        .await
    }

    /// The next durable event; ephemeral messages before it are dropped. `None` when the socket closed.
    pub async fn next_event(&mut self) -> Option<Event> {
        loop {
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None => patiently("the next event", self.receive()).await.ok().flatten()?,
            };
            if let ServerMessage::Event(event) = message {
                return Some(event);
            }
        }
    }

    /// Reads until the server ends the socket; gives how.
    pub async fn closed(&mut self) -> Goodbye {
        patiently("the server to close the socket", async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Frame::Close(frame))) => {
                        return Goodbye {
                            code: frame.as_ref().map(|frame| frame.code.into()),
                            reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
                        };
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => {
                        return Goodbye {
                            code: None,
                            reason: String::new(),
                        };
                    }
                }
            }
        })
        .await
    }

    /// Drops the connection without a word, as a lost network does; gives the newest token.
    pub fn vanish(self) -> String {
        self.token
    }

    async fn receive(&mut self) -> Result<Option<ServerMessage>, Error> {
        loop {
            match self.stream.next().await {
                None => return Ok(None),
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => return Ok(None),
                Some(Err(error)) => return Err(error),
                Some(Ok(Frame::Close(_))) => return Ok(None),
                Some(Ok(Frame::Text(text))) => match serde_json::from_str::<ServerMessage>(&text) {
                    Ok(message) => {
                        if let ServerMessage::Event(event) = &message {
                            self.token.clone_from(&event.token);
                        }
                        return Ok(Some(message));
                    }
                    Err(error) => panic!("the server said what the contract does not know ({error}): {text}"),
                },
                Some(Ok(Frame::Binary(bytes))) => self.binary.push(bytes.to_vec()),
                Some(Ok(_)) => {}
            }
        }
    }
}

fn request(base: &str, headers: &[(&str, &str)]) -> http::Request<()> {
    let url = format!("{}/v1/socket", base.replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a socket's address");
    for (name, value) in headers {
        let name = http::HeaderName::try_from(*name).expect("a header's name");
        request
            .headers_mut()
            .insert(name, http::HeaderValue::try_from(*value).expect("visible ASCII"));
    }
    request
}
