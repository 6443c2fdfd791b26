//! A recorder as an app has one: encoded packets, a sender that keeps them, a socket that may be lost.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;
use uuid::Uuid;
use voxpost_audio::packet;
use voxpost_proto::Problem;
use voxpost_proto::api::Message;
use voxpost_proto::live::LiveSender;
use voxpost_proto::socket::ServerMessage;

use crate::{Clip, Socket, fresh_id};

/// The packets of an Ogg Opus file that another program made.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// In order, with their play time in samples at 48 kHz.
    pub packets: Vec<(Vec<u8>, u32)>,
    /// Samples at 48 kHz to throw away at the start.
    pub pre_skip: u16,
    /// Play time without pre-skip, in samples at 48 kHz.
    pub samples: u64,
}

impl Encoded {
    /// A glide of so many seconds, encoded by ffmpeg's libopus.
    pub fn seconds(seconds: f32, hertz: u32) -> Self {
        let source =
            format!("aevalsrc='0.4*sin(2*PI*({hertz}+90*t)*t)+0.02*(random(0)-0.5)':s=48000:d={seconds}");
        let arguments = ["-c:a", "libopus", "-b:a", "24k", "-f", "ogg"];
        Self::of(&Clip::from_lavfi(&source, &arguments))
    }

    /// Takes an Ogg file (RFC 3533) apart.
    pub fn of(clip: &Clip) -> Self {
        let (mut packets, mut open, mut granule) = (Vec::new(), Vec::new(), 0);
        let mut rest = clip.bytes.as_slice();
        while rest.len() >= 27 {
            assert_eq!(&rest[..4], b"OggS", "an Ogg page");
            granule = u64::from_le_bytes(rest[6..14].try_into().expect("eight bytes"));
            let count = usize::from(rest[26]);
            let (lacing, mut body) = rest[27..].split_at(count);
            for &length in lacing {
                let (part, after) = body.split_at(length.into());
                open.extend_from_slice(part);
                body = after;
                if length < 255 {
                    packets.push(std::mem::take(&mut open));
                }
            }
            rest = body;
        }
        let pre_skip = u16::from_le_bytes([packets[0][10], packets[0][11]]);
        let played = |packet: &[u8]| packet::check(packet).expect("an Opus packet").samples_48k;
        Self {
            packets: packets
                .drain(2..)
                .map(|packet| (packet.clone(), played(&packet)))
                .collect(),
            pre_skip,
            samples: granule - u64::from(pre_skip),
        }
    }

    /// The payloads alone.
    pub fn payloads(&self) -> Vec<Vec<u8>> {
        self.packets.iter().map(|(packet, _)| packet.clone()).collect()
    }
}

/// One recording of somebody.
pub struct Recorder {
    /// The sender's own id for the message.
    pub client_id: Uuid,
    /// What is not acknowledged.
    pub sender: LiveSender,
    /// Once the server was ready.
    pub message_id: Uuid,
    /// As the server gave it.
    pub resume_token: String,
    /// On the newest connection.
    pub handle: u32,
    /// The highest acknowledged number.
    pub acknowledged: Option<u32>,
    pre_skip: u16,
}

impl Recorder {
    /// Nothing is sent yet.
    pub fn new(encoded: &Encoded, first_sequence: u32) -> Self {
        Self {
            client_id: fresh_id(),
            sender: LiveSender::new(7, first_sequence, 4_294_900_000),
            message_id: Uuid::nil(),
            resume_token: String::new(),
            handle: 0,
            acknowledged: None,
            pre_skip: encoded.pre_skip,
        }
    }

    /// `recording.start`.
    pub fn start_message(&self, conversation: Uuid, live: bool, first_sequence: u32) -> Value {
        json!({
            "type": "recording.start", "ref": "start", "conversation_id": conversation, "client_id": self.client_id,
            "codec": "opus", "channels": 1, "pre_skip": self.pre_skip, "frame_ms": 20, "live": live,
            "first_sequence": first_sequence,
        })
    }

    /// Opens the recording on a socket.
    ///
    /// # Errors
    /// What the server said.
    pub async fn start(
        &mut self,
        socket: &mut Socket,
        conversation: Uuid,
        live: bool,
    ) -> Result<u32, Problem> {
        let first = self.sender.forgettable();
        socket.say(&self.start_message(conversation, live, first)).await;
        self.ready(socket).await
    }

    /// Goes on with it on another socket.
    ///
    /// # Errors
    /// What the server said.
    pub async fn resume(&mut self, socket: &mut Socket) -> Result<u32, Problem> {
        let resumed = self.try_resume(socket).await;
        resumed.expect("the socket is open")
    }

    /// As [`Recorder::resume`], over networks that break; `None` when the socket is gone.
    pub async fn try_resume(&mut self, socket: &mut Socket) -> Option<Result<u32, Problem>> {
        self.sender.handle_disconnect();
        let message = json!({"type": "recording.resume", "ref": "resume", "message_id": self.message_id,
            "resume_token": self.resume_token});
        let sent = socket.send_frame(Frame::text(message.to_string())).await;
        sent.ok()?;
        self.try_ready(socket).await
    }

    async fn ready(&mut self, socket: &mut Socket) -> Result<u32, Problem> {
        self.try_ready(socket).await.expect("the socket is open")
    }

    async fn try_ready(&mut self, socket: &mut Socket) -> Option<Result<u32, Problem>> {
        let ready = socket.try_wait_for("recording.ready", |message| match message {
            ServerMessage::RecordingReady {
                message_id,
                handle,
                resume_token,
                next_sequence,
                ..
            } => Some(Ok((*message_id, *handle, resume_token.clone(), *next_sequence))),
            ServerMessage::Error {
                reference: Some(_),
                problem,
            } => Some(Err(problem.clone())),
            _ => None,
        });
        let (message_id, handle, resume_token, next_sequence) = match ready.await.ok()?? {
            Ok(ready) => ready,
            Err(problem) => return Some(Err(problem)),
        };
        self.message_id = message_id;
        self.handle = handle;
        self.resume_token = resume_token;
        // A journal that lost something is a case of its own; what is kept is sent all the same.
        let _ = self.sender.handle_ready(next_sequence);
        Some(Ok(next_sequence))
    }

    /// Sends what is recorded and not sent, in messages of about `max_bytes`; false when the connection is gone.
    pub async fn transmit(&mut self, socket: &mut Socket, max_bytes: usize) -> bool {
        while let Some(message) = self.sender.poll_transmit(self.handle, max_bytes) {
            if socket.send_frame(Frame::binary(message)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Waits until everything up to and with this number is durable.
    pub async fn durable(&mut self, socket: &mut Socket, sequence: u32) {
        let handle = self.handle;
        let acked = socket.wait_for("an acknowledgement", |message| match message {
            ServerMessage::RecordingAck {
                handle: of,
                sequence: acked,
            } if *of == handle && *acked >= sequence => Some(*acked),
            _ => None,
        });
        let acked = acked.await;
        self.acknowledged = Some(acked);
        self.sender.handle_ack(acked);
    }

    /// `recording.finish`.
    ///
    /// # Errors
    /// What the server said.
    pub async fn finish(
        &mut self,
        socket: &mut Socket,
        samples: Option<u64>,
        allow_gaps: bool,
    ) -> Result<Message, Problem> {
        let finished = self.try_finish(socket, samples, allow_gaps).await;
        finished.expect("the socket is open")
    }

    /// As [`Recorder::finish`], over networks that break; `None` when the socket is gone.
    pub async fn try_finish(
        &mut self,
        socket: &mut Socket,
        samples: Option<u64>,
        allow_gaps: bool,
    ) -> Option<Result<Message, Problem>> {
        let packets = self.sender.whole().packets;
        let message = json!({"type": "recording.finish", "ref": "finish", "handle": self.handle, "packets": packets,
            "samples": samples, "allow_gaps": allow_gaps});
        let sent = socket.send_frame(Frame::text(message.to_string())).await;
        sent.ok()?;
        socket
            .try_wait_for("the end of a recording", |message| match message {
                ServerMessage::Ok {
                    reference: Some(reference),
                    message: Some(message),
                } if reference == "finish" => Some(Ok((**message).clone())),
                ServerMessage::Error {
                    reference: Some(reference),
                    problem,
                } if reference == "finish" => Some(Err(problem.clone())),
                _ => None,
            })
            .await
            .ok()?
    }
}
