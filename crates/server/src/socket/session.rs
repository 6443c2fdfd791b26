//! One open socket: hello, replay, live, goodbye.

use std::pin::{Pin, pin};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{FutureExt, SinkExt};
use serde_json::Value;
use tokio::time::{Duration, Instant, Sleep, sleep_until, timeout};
use voxpost_proto::api::User;
use voxpost_proto::socket::{ClientMessage, ServerMessage};
use voxpost_proto::{BinaryKind, BinaryMessage, ErrorCode};

use super::recordings::{Outgoing, SocketRecordings};
use super::requests::{self, TypingRate};
use super::streams::{Step, Streams};
use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::ApiError;
use crate::hub::catch_up::{self, CatchUpError};
use crate::hub::{Goodbye, Item, Next, Ticket};
use crate::render::Rendered;
use crate::store::accounts;

/// How long a client may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// How long one message may take to get out before the client counts as gone.
const SEND_WITHIN: Duration = Duration::from_secs(15);

/// How long the client may take to answer a goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Pings that may stay unanswered.
const MAX_UNANSWERED: u8 = 2;

/// Messages that make no sense, before the socket is closed.
const MAX_NONSENSE: u8 = 32;

/// Events of one step through the log.
const REPLAY_PAGE: i64 = 100;

/// After so many messages out the client is heard, however much there is to send.
const TURN: u8 = 32;

const NO_HELLO: Goodbye = Goodbye {
    code: 1008,
    reason: "say hello within 10 seconds",
};
const NONSENSE: Goodbye = Goodbye {
    code: 1008,
    reason: "too many messages that make no sense",
};
const TOO_BIG: Goodbye = Goodbye {
    code: 1009,
    reason: "a message is too big",
};
const BROKEN: Goodbye = Goodbye {
    code: 1002,
    reason: "that was no WebSocket frame",
};
const SILENT: Goodbye = Goodbye {
    code: 1008,
    reason: "two pings were not answered",
};
const TROUBLE: Goodbye = Goodbye {
    code: 1013,
    reason: "the server has trouble: come back later",
};

/// Work that is rare and big: on the heap, so that an idle socket does not keep the room for it.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, End>> + Send + 'a>>;

/// How a socket ends.
enum End {
    /// The other side is gone, or takes nothing any more.
    Gone,
    Close(Goodbye),
}

/// Serves a socket to its end.
pub(super) async fn run(app: App, caller: Caller, ticket: Ticket, socket: WebSocket) {
    let mut session = Session {
        app,
        caller,
        ticket,
        socket,
        cursor: 0,
        nonsense: 0,
        unanswered: 0,
        turn: 0,
        recordings: None,
    };
    let end = tokio::select! {
        end = session.serve() => end,
        () = expiry(caller) => End::Close(Goodbye::TOKEN_EXPIRED),
    };
    if let End::Close(goodbye) = end {
        session.say_goodbye(goodbye).await;
    }
}

struct Session {
    app: App,
    caller: Caller,
    ticket: Ticket,
    socket: WebSocket,
    /// Every event up to and with this one was sent, or was not for this person.
    cursor: i64,
    nonsense: u8,
    unanswered: u8,
    turn: u8,
    /// Made when the first recording is asked for.
    recordings: Option<Box<SocketRecordings>>,
}

/// The parts of a session that only a live one needs.
struct Live {
    user: User,
    typing: TypingRate,
    next_ping: Instant,
    streams: Streams,
}

/// What came from the client and is for the layer above.
enum Heard {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Session {
    async fn serve(&mut self) -> End {
        let greeting: Boxed<'_, User> = Box::pin(self.greet());
        let user = match greeting.await {
            Ok(user) => user,
            Err(end) => return end,
        };
        let now = Instant::now();
        let mut live = Live {
            user,
            typing: TypingRate::new(now),
            next_ping: now + self.heartbeat(),
            streams: Streams::new(self.app.clone(), self.caller),
        };
        // One for all waits: to set a timer anew for each event would take the timers' lock twice each time.
        let mut alarm = pin!(sleep_until(live.next_ping));
        loop {
            if let Err(end) = self.step(&mut live, alarm.as_mut()).await {
                return end;
            }
        }
    }

    /// From the first byte to `synced`.
    async fn greet(&mut self) -> Result<User, End> {
        let deadline = Instant::now() + HELLO_WITHIN;
        let (since, reference) = loop {
            let message = tokio::select! {
                message = self.socket.recv() => message,
                goodbye = self.ticket.mailbox.closed() => return Err(End::Close(goodbye)),
                () = sleep_until(deadline) => return Err(End::Close(NO_HELLO)),
            };
            let text = match self.heard(message)? {
                Some(Heard::Text(text)) => text,
                Some(Heard::Binary(_)) => {
                    let error = ApiError::invalid("say `hello` first");
                    self.refuse(None, &error).await?;
                    continue;
                }
                None => continue,
            };
            match requests::parse(&text) {
                Ok(request) => match request.message {
                    ClientMessage::Hello { since, device_id, .. } => {
                        if let Some(device_id) = device_id {
                            self.ticket.mailbox.set_device(device_id);
                        }
                        break (since, request.reference);
                    }
                    _ => {
                        let error = ApiError::invalid("say `hello` first");
                        self.refuse(request.reference, &error).await?;
                    }
                },
                Err(refused) => self.refuse(refused.reference, &refused.error).await?,
            }
        };

        let user = self.user().await?;
        self.say(&ServerMessage::Welcome {
            user: user.clone(),
            session_id: self.caller.session_id,
            heartbeat_ms: self.app.config.heartbeat_ms,
            reference,
        })
        .await?;
        match since.map(|since| self.app.hub.tokens.read(&since)) {
            None => self.cursor = self.newest().await?,
            Some(Some(event)) => self.cursor = event,
            Some(None) => self.resync().await?,
        }
        self.catch_up().await?;
        let token = self.app.hub.tokens.write(self.cursor);
        self.say(&ServerMessage::Synced { token }).await?;
        Ok(user)
    }

    /// One thing of a live socket: send what waits, or wait for either side.
    async fn step(&mut self, live: &mut Live, mut alarm: Pin<&mut Sleep>) -> Result<(), End> {
        if self.turn < TURN && self.send_recordings().await? {
            self.turn += 1;
            return Ok(());
        }
        match self.ticket.mailbox.next() {
            Next::Send(item) => {
                self.send_item(item).await?;
                self.turn += 1;
                if self.turn < TURN {
                    return Ok(());
                }
            }
            Next::CatchUp { from } => {
                self.cursor = self.cursor.max(from);
                let catching_up: Boxed<'_, ()> = Box::pin(self.catch_up());
                catching_up.await?;
                return Ok(());
            }
            Next::Close(goodbye) => return Err(End::Close(goodbye)),
            // There may be more of a recording.
            Next::Wait if self.turn >= TURN => {}
            Next::Wait => {
                self.flush().await?;
                self.turn = 0;
                if alarm.deadline() != live.next_ping {
                    alarm.as_mut().reset(live.next_ping);
                }
                // Nothing is read while what came before has no place yet: the client feels it and sends more slowly.
                let may_read = !live.streams.is_full() && self.may_read();
                let message = tokio::select! {
                    () = self.ticket.mailbox.changed() => return Ok(()),
                    step = live.streams.next() => return self.stream(step).await,
                    message = self.socket.recv(), if may_read => message,
                    () = paused(self.recordings.as_deref()), if !may_read => return Ok(()),
                    () = alarm => return self.tick(live).await,
                };
                return self.hear(live, message).await;
            }
        }
        self.give_turn(live).await
    }

    /// Much to send: flush, then hear the client and look at the clock all the same.
    async fn give_turn(&mut self, live: &mut Live) -> Result<(), End> {
        self.turn = 0;
        self.flush().await?;
        if let Some(step) = live.streams.next().now_or_never() {
            self.stream(step).await?;
        }
        if !live.streams.is_full()
            && self.may_read()
            && let Some(message) = self.socket.recv().now_or_never()
        {
            self.hear(live, message).await?;
        }
        if Instant::now() >= live.next_ping {
            self.tick(live).await?;
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        live: &mut Live,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), End> {
        match self.heard(message)? {
            None => Ok(()),
            Some(Heard::Binary(bytes)) => {
                let taken = match (BinaryMessage::parse(&bytes), &mut self.recordings) {
                    (Ok(message), Some(recordings)) if message.kind != BinaryKind::UploadChunk => {
                        recordings.packets(&self.app, self.caller, &bytes)
                    }
                    _ => live.streams.take(&bytes),
                };
                match taken {
                    Ok(()) => Ok(()),
                    Err(error) => self.refuse(None, &error).await,
                }
            }
            Some(Heard::Text(text)) => {
                let answer: Boxed<'_, ()> = Box::pin(self.answer(live, text));
                answer.await
            }
        }
    }

    /// What a stream has to say.
    async fn stream(&mut self, step: Step) -> Result<(), End> {
        match step {
            Step::Room => Ok(()),
            Step::Say(message) => self.say(&message).await,
        }
    }

    async fn answer(&mut self, live: &mut Live, text: Utf8Bytes) -> Result<(), End> {
        let request = match requests::parse(&text) {
            Ok(request) => request,
            Err(refused) => return self.refuse(refused.reference, &refused.error).await,
        };
        let request_reference = request.reference.clone();
        let done = match request.message {
            ClientMessage::Hello { .. } => Err(ApiError::invalid("`hello` was said already")),
            // It answers by itself, when it is done.
            ClientMessage::Upload(request) => match live.streams.upload(request) {
                Ok(()) => return Ok(()),
                Err(error) => return self.refuse(request_reference, &error).await,
            },
            ClientMessage::Typing {
                conversation_id,
                kind,
                ..
            } => {
                let rate = &mut live.typing;
                requests::typing(&self.app, self.caller, &live.user, rate, conversation_id, kind).await
            }
            message => return self.answer_recording(message, request.reference).await,
        };
        match (done, request.reference) {
            (Ok(()), None) => Ok(()),
            (Ok(()), reference) => {
                let message = None;
                self.say(&ServerMessage::Ok { reference, message }).await
            }
            // Whoever asks for no answer to something passing need not hear that it was too often.
            (Err(error), None) if error.code() == ErrorCode::RateLimited => Ok(()),
            (Err(error), reference) => self.refuse(reference, &error).await,
        }
    }

    /// A request about a recording that is made, or heard, on this socket.
    async fn answer_recording(
        &mut self,
        message: ClientMessage,
        reference: Option<Value>,
    ) -> Result<(), End> {
        let mailbox = &self.ticket.mailbox;
        let recordings = self
            .recordings
            .get_or_insert_with(|| Box::new(SocketRecordings::new(mailbox.clone())));
        match recordings.answer(&self.app, self.caller, message).await {
            Ok(answer) => self.say(&answer.with_reference(reference)).await,
            Err(error) => self.refuse(reference, &error).await,
        }
    }

    /// Sends what recordings have to say; whether that was anything.
    async fn send_recordings(&mut self) -> Result<bool, End> {
        let Some(recordings) = &mut self.recordings else {
            return Ok(false);
        };
        let next: Pin<Box<dyn Future<Output = Vec<Outgoing>> + Send + '_>> =
            Box::pin(recordings.next(&self.app));
        let outgoing = next.await;
        let any = !outgoing.is_empty();
        for message in outgoing {
            match message {
                Outgoing::Text(message) => self.say(&message).await?,
                Outgoing::Binary(bytes) => self.write(Message::Binary(bytes)).await?,
            }
        }
        Ok(any)
    }

    /// Whether the client may be read: who sends recordings too fast waits.
    fn may_read(&mut self) -> bool {
        match &mut self.recordings {
            Some(recordings) => recordings.may_read(),
            None => true,
        }
    }

    /// What came; None when it was something that is dealt with below.
    fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<Option<Heard>, End> {
        match message {
            None | Some(Ok(Message::Close(_))) => Err(End::Gone),
            Some(Err(error)) => Err(broken(error)),
            Some(Ok(message)) => {
                self.unanswered = 0;
                Ok(match message {
                    Message::Text(text) => Some(Heard::Text(text)),
                    Message::Binary(bytes) => Some(Heard::Binary(bytes)),
                    // Pings are answered below this layer.
                    Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
                })
            }
        }
    }

    async fn refuse(&mut self, reference: Option<Value>, error: &ApiError) -> Result<(), End> {
        if error.code() == ErrorCode::InvalidRequest || error.code() == ErrorCode::NotSupported {
            self.nonsense += 1;
            if self.nonsense > MAX_NONSENSE {
                return Err(End::Close(NONSENSE));
            }
        }
        let problem = error.problem().clone();
        self.say(&ServerMessage::Error { reference, problem }).await
    }

    /// Sends what the log has after the cursor, until the socket is where the dispatcher is, and live.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            match catch_up::page(&self.app, self.caller.user_id, self.cursor, REPLAY_PAGE).await {
                Ok(page) => {
                    for event in &page.events {
                        self.send_event(event).await?;
                    }
                    self.flush().await?;
                    self.cursor = page.upto;
                    if page.more {
                        continue;
                    }
                }
                Err(CatchUpError::ResyncRequired) => self.resync().await?,
                Err(CatchUpError::Store(error)) => {
                    tracing::warn!(%error, "a socket could not read the log");
                    return Err(End::Close(TROUBLE));
                }
            }
            if self.app.hub.go_live(&self.ticket.mailbox, self.cursor) {
                return Ok(());
            }
        }
    }

    /// Too much was missed: the client lists again and goes on from now.
    async fn resync(&mut self) -> Result<(), End> {
        self.cursor = self.newest().await?;
        let token = self.app.hub.tokens.write(self.cursor);
        self.say(&ServerMessage::ResyncRequired { token }).await
    }

    async fn newest(&mut self) -> Result<i64, End> {
        catch_up::newest(&self.app).await.map_err(|error| {
            tracing::warn!(%error, "a socket could not read the log");
            End::Close(TROUBLE)
        })
    }

    async fn user(&mut self) -> Result<User, End> {
        let found = async {
            let mut c = self.app.store.read().await?;
            Ok::<_, ApiError>(accounts::by_id(&mut c, self.caller.user_id).await?)
        };
        match found.await {
            Ok(Some(row)) => Ok(row.user()),
            Ok(None) => Err(End::Close(Goodbye::SESSION_ENDED)),
            Err(_) => Err(End::Close(TROUBLE)),
        }
    }

    async fn send_item(&mut self, item: Item) -> Result<(), End> {
        match item {
            Item::Event(event) => {
                self.send_event(&event).await?;
                self.cursor = event.id;
                Ok(())
            }
            Item::Passing(text) => self.write(Message::Text(text)).await,
        }
    }

    async fn send_event(&mut self, event: &Rendered) -> Result<(), End> {
        let viewer = self.caller.user_id;
        let Some(text) = event.text(&self.app.keys, viewer, clock::now()) else {
            return Ok(());
        };
        self.write(Message::Text(text)).await?;
        if let Some(published) = event.published {
            self.app.hub.delivered.note(published, viewer);
        }
        Ok(())
    }

    async fn say(&mut self, message: &ServerMessage) -> Result<(), End> {
        let text = serde_json::to_string(message).map_err(|error| {
            tracing::error!(%error, "a message of ours is no JSON");
            End::Close(TROUBLE)
        })?;
        self.write(Message::Text(text.into())).await?;
        self.flush().await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        let socket = &mut self.socket;
        let sent = timeout(SEND_WITHIN, socket.feed(message));
        unless_closed(&self.ticket, sent).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        let flushed = timeout(SEND_WITHIN, self.socket.flush());
        unless_closed(&self.ticket, flushed).await
    }

    /// A ping is due.
    async fn tick(&mut self, live: &mut Live) -> Result<(), End> {
        if self.unanswered >= MAX_UNANSWERED {
            return Err(End::Close(SILENT));
        }
        self.write(Message::Ping(axum::body::Bytes::new())).await?;
        self.flush().await?;
        self.unanswered += 1;
        live.next_ping = Instant::now() + self.heartbeat();
        Ok(())
    }

    fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.app.config.heartbeat_ms.max(1))
    }

    /// Says why, and gives the client a moment to answer, so that it learns the reason.
    async fn say_goodbye(&mut self, goodbye: Goodbye) {
        let frame = CloseFrame {
            code: goodbye.code,
            reason: Utf8Bytes::from_static(goodbye.reason),
        };
        let farewell = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() && goodbye != TOO_BIG {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        let _ = timeout(GOODBYE_WITHIN, farewell).await;
    }
}

/// Waits for something to go out, unless the server ends the socket before.
async fn unless_closed(
    ticket: &Ticket,
    sent: impl Future<Output = Result<Result<(), axum::Error>, tokio::time::error::Elapsed>>,
) -> Result<(), End> {
    tokio::select! {
        biased;
        sent = sent => match sent {
            Ok(Ok(())) => Ok(()),
            // A client that takes nothing will not take a goodbye either.
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        },
        goodbye = ticket.mailbox.closed() => Err(End::Close(goodbye)),
    }
}

/// Returns when a client that was too fast may be read again.
async fn paused(recordings: Option<&SocketRecordings>) {
    match recordings {
        Some(recordings) => recordings.paused().await,
        // It is an upload that is full, and that wakes by itself.
        None => std::future::pending().await,
    }
}

/// Returns when the token ends, if it does: by the wall clock, which may be set meanwhile.
async fn expiry(caller: Caller) {
    const LOOK_AGAIN: Duration = Duration::from_secs(60);
    loop {
        match caller.time_left() {
            None => std::future::pending().await,
            Some(left) if left.is_zero() => return,
            Some(left) => tokio::time::sleep(left.min(LOOK_AGAIN)).await,
        }
    }
}

/// What to answer to a frame that could not be read.
fn broken(error: axum::Error) -> End {
    match error
        .into_inner()
        .downcast::<tungstenite::Error>()
        .map(|error| *error)
    {
        Ok(tungstenite::Error::Capacity(_)) => End::Close(TOO_BIG),
        Ok(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => End::Close(BROKEN),
        _ => End::Gone,
    }
}
