//! One recorder on a socket of its own: real packets at the pace at which they were spoken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message as Frame;
use voxpost_audio::{Limits, TimedPacket, opus_packets};
use voxpost_client::{Client, Uuid};
use voxpost_proto::live::LiveSender;
use voxpost_proto::socket::ServerMessage;

use super::super::clips::WEBM_10_S;
use super::super::sockets::Socket;
use crate::failure::Failure;
use crate::stats::Latencies;

/// What a packet of the clips plays.
pub(super) const FRAME: Duration = Duration::from_millis(20);

/// A message is never longer, in bytes.
const MAX_MESSAGE: usize = 60_000;

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Speech for everybody, over and over again.
#[derive(Clone)]
pub(super) struct Speech(Arc<Vec<TimedPacket>>);

impl Speech {
    pub(super) fn load() -> Result<Self, Failure> {
        let mut packets = Vec::new();
        for clip in WEBM_10_S {
            let (_, clip) = opus_packets(clip.to_vec(), &Limits::default()).map_err(Failure::other)?;
            packets.extend(clip);
        }
        Ok(Self(Arc::new(packets)))
    }

    fn packet(&self, number: u32) -> &TimedPacket {
        &self.0[number as usize % self.0.len()]
    }
}

/// A recording that goes on.
pub(super) struct Line {
    socket: Socket,
    speech: Speech,
    handle: u32,
    pub(super) message_id: Uuid,
    sender: LiveSender,
    /// The last packet of each message that is not acknowledged, and when it was sent.
    unacknowledged: VecDeque<(u32, Instant)>,
    pub(super) acks: Latencies,
}

impl Line {
    /// Opens a recording.
    pub(super) async fn open(
        socket: Socket,
        speech: &Speech,
        conversation: Uuid,
        live: bool,
    ) -> Result<Self, Failure> {
        let mut line = Self {
            socket,
            speech: speech.clone(),
            handle: 0,
            message_id: Uuid::nil(),
            sender: LiveSender::new(1, 0, 0),
            unacknowledged: VecDeque::new(),
            acks: Latencies::default(),
        };
        line.begin(conversation, live).await?;
        Ok(line)
    }

    /// Opens the next recording on the same socket.
    pub(super) async fn begin(&mut self, conversation: Uuid, live: bool) -> Result<(), Failure> {
        let start = json!({
            "type": "recording.start", "ref": 1, "conversation_id": conversation, "client_id": Client::new_id()?,
            "codec": "opus", "frame_ms": 20, "live": live,
        });
        self.say(&start).await?;
        let (message_id, handle) = self
            .wait_for(|message| match message {
                ServerMessage::RecordingReady {
                    message_id, handle, ..
                } => Some((*message_id, *handle)),
                _ => None,
            })
            .await?;
        self.message_id = message_id;
        self.handle = handle;
        self.sender = LiveSender::new(1, 0, 0);
        self.unacknowledged.clear();
        let whole = self.sender.handle_ready(0);
        whole.map_err(Failure::other)
    }

    /// Takes up what was spoken until now; sends nothing yet.
    pub(super) fn speak(&mut self, packets: u32) {
        for _ in 0..packets {
            let (payload, samples) = self.speech.packet(self.sender.next_sequence());
            self.sender.push(payload, *samples);
        }
    }

    /// Packets spoken so far.
    pub(super) fn spoken(&self) -> u32 {
        self.sender.next_sequence()
    }

    /// Sends what was spoken and is not sent.
    pub(super) async fn send(&mut self) -> Result<(), Failure> {
        while let Some(message) = self.sender.poll_transmit(self.handle, MAX_MESSAGE) {
            let last = self.sender.next_sequence() - 1;
            self.unacknowledged.push_back((last, Instant::now()));
            let sent = self.socket.send(Frame::binary(message)).await;
            sent.map_err(Failure::other)?;
        }
        Ok(())
    }

    /// Hears the server until `until`.
    pub(super) async fn hear(&mut self, until: tokio::time::Instant) -> Result<(), Failure> {
        loop {
            let message = tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                message = self.socket.next() => message,
            };
            if let Some(message) = read(message)? {
                self.handle(&message)?;
            }
        }
    }

    /// Ends the recording; returns when it is a message.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        let whole = self.sender.whole();
        let finish =
            json!({"type": "recording.finish", "ref": 2, "handle": self.handle, "packets": whole.packets});
        self.say(&finish).await?;
        self.wait_for(|message| matches!(message, ServerMessage::Ok { message: Some(_), .. }).then_some(()))
            .await
    }

    async fn say(&mut self, message: &serde_json::Value) -> Result<(), Failure> {
        let frame = Frame::text(message.to_string());
        self.socket.send(frame).await.map_err(Failure::other)
    }

    async fn wait_for<T>(&mut self, wanted: impl Fn(&ServerMessage) -> Option<T>) -> Result<T, Failure> {
        let waiting = async {
            loop {
                let Some(message) = read(self.socket.next().await)? else {
                    continue;
                };
                if let Some(value) = wanted(&message) {
                    return Ok(value);
                }
                self.handle(&message)?;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .map_err(|_| Failure::other("the server did not answer a recorder within a minute"))?
    }

    fn handle(&mut self, message: &ServerMessage) -> Result<(), Failure> {
        match message {
            ServerMessage::RecordingAck { handle, sequence } if *handle == self.handle => {
                while let Some((last, sent)) = self.unacknowledged.front()
                    && last <= sequence
                {
                    self.acks.add(sent.elapsed());
                    self.unacknowledged.pop_front();
                }
                self.sender.handle_ack(*sequence);
                Ok(())
            }
            ServerMessage::Error { problem, .. } => Err(Failure::other(format!(
                "a recorder was refused: {} ({})",
                problem.detail,
                problem.code.as_str()
            ))),
            _ => Ok(()),
        }
    }
}

/// A message of the server; None for what is no text.
pub(super) fn read(
    message: Option<Result<Frame, tokio_tungstenite::tungstenite::Error>>,
) -> Result<Option<ServerMessage>, Failure> {
    match message {
        Some(Ok(Frame::Text(text))) => serde_json::from_str(&text).map(Some).map_err(Failure::other),
        Some(Ok(Frame::Close(_))) | None => Err(Failure::other("the server closed a recorder's socket")),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(Failure::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clips_are_speech_in_packets_of_twenty_milliseconds() {
        let speech = Speech::load().unwrap();
        assert!(speech.0.len() >= 1_497, "{}", speech.0.len());
        assert!(speech.0.iter().all(|(_, samples)| *samples == 960));
        assert_eq!(speech.packet(speech.0.len() as u32), speech.packet(0));
    }
}
