//! The driver of a subscription: it owns the WebSocket and the clock.

use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};
use voxpost_proto::Uuid;
use voxpost_proto::socket::{ClientMessage, SUBPROTOCOL};

use super::machine::{Action, Machine, Update};
use crate::client::{self, Client};
use crate::error::{self, Error};
use crate::retry::{self, RetryPolicy};

/// The longest message that is taken from a server.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What happens in the caller's conversations, each thing once, across lost connections.
pub struct Subscription {
    client: Client,
    machine: Machine,
    socket: Option<Socket>,
}

impl Client {
    /// Subscribes to what happens after `since` (the token of an event or of [`Update::Synced`]); without it, from now on.
    /// Nothing is connected before the first [`Subscription::next`].
    pub fn subscribe(&self, since: Option<String>) -> Subscription {
        self.subscribe_with(since, None, RetryPolicy::FOREVER)
    }

    /// Subscribes as a certain device, and gives up where the policy says so.
    pub fn subscribe_with(
        &self,
        since: Option<String>,
        device: Option<Uuid>,
        policy: RetryPolicy,
    ) -> Subscription {
        Subscription {
            client: self.clone(),
            machine: Machine::new(since, device, policy),
            socket: None,
        }
    }
}

impl Subscription {
    /// The token to go on from: keep it to subscribe again later and miss nothing.
    pub fn token(&self) -> Option<&str> {
        self.machine.token()
    }

    /// Waits for the next thing that happens. May be dropped at any await and called again: nothing is lost.
    ///
    /// # Errors
    /// [`Error::Refused`] when the session has ended or the policy allows no further try; the subscription is over then.
    pub async fn next(&mut self) -> Result<Update, Error> {
        loop {
            match self.machine.poll() {
                Some(Action::Connect) => self.connect().await?,
                Some(Action::Send(message)) => self.send(&message).await,
                Some(Action::Drop) => self.socket = None,
                Some(Action::Tell(update)) => return Ok(update),
                Some(Action::End(problem)) => {
                    self.socket = None;
                    return Err(Error::Refused {
                        problem,
                        retry_after: None,
                    });
                }
                None => self.wait().await?,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let request = self.handshake()?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let connector = Connector::Rustls(self.client.tls());
        let connecting =
            tokio_tungstenite::connect_async_tls_with_config(request, Some(config), true, Some(connector));
        let within = self.client.connect_within();
        let Ok(connected) = tokio::time::timeout(within, connecting).await else {
            self.lost(format!("no connection within {within:?}"));
            return Ok(());
        };
        match connected {
            Ok((socket, _)) => {
                self.socket = Some(socket);
                self.machine.handle_connected(Instant::now());
            }
            Err(tungstenite::Error::Http(answer)) => self.refused(&answer)?,
            Err(error) => {
                if let Some(reason) = error::certificate_problem(&error) {
                    return Err(Error::Untrusted {
                        url: self.client.url().to_owned(),
                        reason,
                    });
                }
                self.lost(error::innermost(&error));
            }
        }
        Ok(())
    }

    fn handshake(&self) -> Result<Request<()>, Error> {
        let mut url = self.client.address(&["v1", "socket"]);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        // Both are special schemes with the same rules, so that the change is always allowed.
        let _ = url.set_scheme(scheme);
        let invalid = |error: &dyn ToString| Error::unexpected(&self.client.url(), error.to_string());
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|error| invalid(&error))?;
        let headers = request.headers_mut();
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
        if let Some(token) = self.client.token() {
            let mut value =
                HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| invalid(&error))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// The server answered the handshake with something else than a socket.
    fn refused(&mut self, answer: &tungstenite::http::Response<Option<Vec<u8>>>) -> Result<(), Error> {
        let body = answer.body().as_deref().unwrap_or_default();
        let retry_after = client::retry_after(answer.headers());
        let error = client::refusal_from(&self.client.url(), answer.status(), retry_after, body);
        let temporary = error.is_temporary();
        match error {
            Error::Refused { problem, .. } if !temporary => self.machine.handle_refused(*problem),
            Error::Refused { problem, retry_after } => {
                let now = Instant::now();
                self.machine
                    .handle_disconnected(now, problem.detail, retry_after, retry::jitter());
            }
            other => return Err(other),
        }
        Ok(())
    }

    async fn send(&mut self, message: &ClientMessage) {
        let Some(socket) = &mut self.socket else { return };
        let sent = match serde_json::to_string(message) {
            Ok(text) => socket.send(Message::text(text)).await,
            Err(error) => return tracing::warn!(%error, "a message that is no JSON"),
        };
        if let Err(error) = sent {
            self.lost(error::innermost(&error));
        }
    }

    /// Waits for the server or the deadline, whichever is first.
    async fn wait(&mut self) -> Result<(), Error> {
        let deadline = self.machine.deadline().map(tokio::time::Instant::from_std);
        let received = match (&mut self.socket, deadline) {
            (Some(socket), Some(deadline)) => tokio::time::timeout_at(deadline, socket.next()).await.ok(),
            (Some(socket), None) => Some(socket.next().await),
            (None, Some(deadline)) => {
                tokio::time::sleep_until(deadline).await;
                None
            }
            (None, None) => return Err(Error::unexpected(&self.client.url(), "the subscription is over")),
        };
        let now = Instant::now();
        match received {
            None => self.machine.handle_deadline(now, retry::jitter()),
            Some(Some(Ok(Message::Text(text)))) => self.machine.handle_text(now, &text),
            Some(Some(Ok(Message::Close(frame)))) => {
                let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                self.lost(if reason.is_empty() {
                    "the server closed the connection".to_owned()
                } else {
                    reason
                });
            }
            Some(Some(Ok(_))) => self.machine.handle_alive(now),
            Some(Some(Err(error))) => self.lost(error::innermost(&error)),
            Some(None) => self.lost("the connection ended".to_owned()),
        }
        Ok(())
    }

    fn lost(&mut self, reason: String) {
        self.socket = None;
        self.machine
            .handle_disconnected(Instant::now(), reason, None, retry::jitter());
    }
}
