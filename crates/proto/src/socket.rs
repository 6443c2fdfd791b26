//! Text messages of the socket: JSON `{type, …}`, subprotocol `voxpost.v1`.

mod upload;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use upload::{UploadFinish, UploadReply, UploadRequest, UploadStart};

use crate::Problem;
use crate::api::{Conversation, Member, Message, PlaybackSummary, User};

/// The only subprotocol that the server echoes.
pub const SUBPROTOCOL: &str = "voxpost.v1";

/// A browser passes its token as a second subprotocol with this prefix.
pub const BEARER_PREFIX: &str = "bearer.";

/// What a client says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ClientMessage {
    /// The first message.
    #[serde(rename = "hello")]
    Hello {
        /// Go on after this token; nothing is replayed without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Which device it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device_id: Option<Uuid>,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Tells the others of a conversation that its sender is recording.
    #[serde(rename = "typing")]
    Typing {
        /// Where.
        conversation_id: Uuid,
        /// `recording`.
        kind: String,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Opens a recording: its packets follow as binary messages.
    #[serde(rename = "recording.start")]
    RecordingStart {
        /// What is recorded, and where.
        #[serde(flatten)]
        start: RecordingStart,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Goes on with a recording, on this connection.
    #[serde(rename = "recording.resume")]
    RecordingResume {
        /// Which.
        message_id: Uuid,
        /// As `recording.ready` gave it.
        resume_token: String,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// All of it was sent.
    #[serde(rename = "recording.finish")]
    RecordingFinish {
        /// Which, on this connection.
        handle: u32,
        /// Packets of the whole recording.
        packets: u32,
        /// Its play time without pre-skip, in samples at 48 kHz.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        samples: Option<u64>,
        /// Packets that are missing will not come any more.
        #[serde(default)]
        allow_gaps: bool,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Nobody shall hear it.
    #[serde(rename = "recording.cancel")]
    RecordingCancel {
        /// Which, on this connection.
        handle: u32,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Wants to hear a recording while it is made.
    #[serde(rename = "live.join")]
    LiveJoin {
        /// Which.
        message_id: Uuid,
        /// From where.
        from: LiveFrom,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Asks for packets again.
    #[serde(rename = "live.nack")]
    LiveNack {
        /// Which, on this connection.
        handle: u32,
        /// Extended sequence numbers.
        sequences: Vec<u32>,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// Has heard enough.
    #[serde(rename = "live.leave")]
    LiveLeave {
        /// Which, on this connection.
        handle: u32,
        /// Repeated in the answer.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// About an upload.
    #[serde(untagged)]
    Upload(UploadRequest),
}

/// `recording.start`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingStart {
    /// Where it shall be heard.
    pub conversation_id: Uuid,
    /// The sender's own id for the message.
    pub client_id: Uuid,
    /// `opus`.
    pub codec: String,
    /// 1 or 2.
    #[serde(default = "one")]
    pub channels: u8,
    /// Samples at 48 kHz that a decoder throws away at the start.
    #[serde(default = "pre_skip")]
    pub pre_skip: u16,
    /// How long a packet plays as a rule: 2.5, 5, 10, 20, 40, 60, 80, 100 or 120.
    #[serde(default = "frame_ms")]
    pub frame_ms: f32,
    /// The others hear it while it is made.
    #[serde(default)]
    pub live: bool,
    /// The extended sequence number of the first packet.
    #[serde(default)]
    pub first_sequence: u32,
    /// A message of the same conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Uuid>,
}

fn one() -> u8 {
    1
}

fn pre_skip() -> u16 {
    312
}

fn frame_ms() -> f32 {
    20.0
}

/// Where a listener begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveFrom {
    /// At the first packet, as fast as it can be read.
    Start,
    /// With the next packet.
    Edge,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ServerMessage {
    /// The answer to `hello`.
    #[serde(rename = "welcome")]
    Welcome {
        /// Whose socket it is.
        user: User,
        /// The session behind the token; null for a token of another issuer.
        session_id: Option<Uuid>,
        /// The server pings this often.
        heartbeat_ms: u64,
        /// As in the request.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
    },
    /// The replay is over; what follows is live.
    #[serde(rename = "synced")]
    Synced {
        /// Where the client is now.
        token: String,
    },
    /// The token is too old: list again, then go on from `token`.
    #[serde(rename = "resync_required")]
    ResyncRequired {
        /// The present.
        token: String,
    },
    /// A request was done.
    #[serde(rename = "ok")]
    Ok {
        /// As in the request.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
        /// What was made, where a message was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Box<Message>>,
    },
    /// A recording is durable, and its packets may come.
    #[serde(rename = "recording.ready")]
    RecordingReady {
        /// As in the request.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
        /// Which.
        message_id: Uuid,
        /// Its name on this connection.
        handle: u32,
        /// Opens it again on another one.
        resume_token: String,
        /// The first packet that is not durable, extended.
        next_sequence: u32,
    },
    /// Packets are durable.
    #[serde(rename = "recording.ack")]
    RecordingAck {
        /// Which recording.
        handle: u32,
        /// The highest contiguous durable sequence number, extended.
        sequence: u32,
    },
    /// Packets of a live recording will come.
    #[serde(rename = "live.ready")]
    LiveReady {
        /// As in the request.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
        /// Their name on this connection.
        handle: u32,
        /// The first that will come, extended.
        next_sequence: u32,
    },
    /// No more packets of a live recording will come.
    #[serde(rename = "live.ended")]
    LiveEnded {
        /// Which.
        handle: u32,
        /// Packets of the whole recording.
        packets: u32,
    },
    /// A request failed.
    #[serde(rename = "error")]
    Error {
        /// As in the request.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<serde_json::Value>,
        /// Why.
        problem: Problem,
    },
    /// About an upload.
    #[serde(untagged)]
    Upload(UploadReply),
    /// Something that does not last.
    #[serde(untagged)]
    Ephemeral(Ephemeral),
    /// Something that lasts, with its token.
    #[serde(untagged)]
    Event(Event),
}

impl ServerMessage {
    /// An answer with the `ref` of its request.
    pub fn with_reference(mut self, given: Option<serde_json::Value>) -> Self {
        match &mut self {
            Self::Welcome { reference, .. }
            | Self::Ok { reference, .. }
            | Self::Error { reference, .. }
            | Self::RecordingReady { reference, .. }
            | Self::LiveReady { reference, .. } => *reference = given,
            Self::Synced { .. }
            | Self::ResyncRequired { .. }
            | Self::RecordingAck { .. }
            | Self::LiveEnded { .. }
            | Self::Upload(_)
            | Self::Ephemeral(_)
            | Self::Event(_) => {}
        }
        self
    }
}

/// Without token and replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Ephemeral {
    /// Somebody is recording.
    #[serde(rename = "typing")]
    Typing {
        /// Where.
        conversation_id: Uuid,
        /// Who.
        user: User,
        /// `recording`.
        kind: String,
    },
    /// The sender's upload is being processed.
    #[serde(rename = "message.processing")]
    MessageProcessing {
        /// Which.
        message: Box<Message>,
    },
    /// The sender's upload was refused after all.
    #[serde(rename = "message.failed")]
    MessageFailed {
        /// Which.
        message: Box<Message>,
        /// Why.
        problem: Problem,
    },
    /// How a recording gets on: for the sender's devices, and for all members when it is live.
    #[serde(rename = "recording.progress")]
    RecordingProgress {
        /// Where.
        conversation_id: Uuid,
        /// Which.
        message_id: Uuid,
        /// Who records.
        user_id: Uuid,
        /// What it does.
        state: RecordingState,
        /// How long it is by now.
        duration_ms: i64,
    },
    /// The listener's other device moved the playhead.
    #[serde(rename = "playback.updated")]
    PlaybackUpdated {
        /// Which.
        message_id: Uuid,
        /// Where it is now.
        playback: PlaybackSummary,
    },
}

/// What a recording does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It grows.
    Recording,
    /// Its sender is gone; a private one is a draft now.
    Interrupted,
    /// It was cancelled.
    Cancelled,
}

/// A durable event: also in `GET /v1/sync`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Opaque; keep the last.
    pub token: String,
    /// Where it happened.
    pub conversation_id: Uuid,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Change {
    /// Published; once for each message, also to the sender's devices.
    #[serde(rename = "message.created")]
    MessageCreated {
        /// As this recipient sees it.
        message: Box<Message>,
    },
    /// Changed: analysed, or from `recording` to `ready`.
    #[serde(rename = "message.updated")]
    MessageUpdated {
        /// As this recipient sees it.
        message: Box<Message>,
    },
    /// A tombstone now.
    #[serde(rename = "message.deleted")]
    MessageDeleted {
        /// The tombstone.
        message: Box<Message>,
    },
    /// The recipient is in it.
    #[serde(rename = "conversation.created")]
    ConversationCreated {
        /// As this recipient sees it.
        conversation: Box<Conversation>,
    },
    /// Its title, settings, or whether one may send.
    #[serde(rename = "conversation.updated")]
    ConversationUpdated {
        /// As this recipient sees it.
        conversation: Box<Conversation>,
    },
    /// Somebody came.
    #[serde(rename = "member.joined")]
    MemberJoined {
        /// Who, with their marks.
        member: Member,
    },
    /// Somebody left or was removed; they learn it too.
    #[serde(rename = "member.left")]
    MemberLeft {
        /// Who.
        user: User,
    },
    /// Somebody read.
    #[serde(rename = "read.updated")]
    ReadUpdated {
        /// Who.
        user: User,
        /// Up to here.
        seq: i64,
    },
    /// It reached one of somebody's devices.
    #[serde(rename = "delivered.updated")]
    DeliveredUpdated {
        /// Who.
        user: User,
        /// Up to here.
        seq: i64,
    },
    /// Somebody played the recipient's message.
    #[serde(rename = "played")]
    Played {
        /// Which.
        message_id: Uuid,
        /// Who.
        user: User,
    },
}

/// `GET /v1/sync`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SyncPage {
    /// What happened since, in order.
    pub items: Vec<Event>,
    /// Pass it as `since` next time.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_needs_nothing_but_its_type() {
        let hello: ClientMessage = serde_json::from_str(r#"{"type":"hello"}"#).unwrap();
        assert_eq!(
            hello,
            ClientMessage::Hello {
                since: None,
                device_id: None,
                reference: None
            }
        );
    }

    #[test]
    fn an_event_is_flat() {
        let user = User {
            id: Uuid::nil(),
            username: "ana".into(),
            display_name: "Ana".into(),
        };
        let event = Event {
            token: "7".into(),
            conversation_id: Uuid::nil(),
            change: Change::ReadUpdated { user, seq: 3 },
        };
        let value = serde_json::to_value(ServerMessage::Event(event.clone())).unwrap();
        assert_eq!(value["type"], "read.updated");
        assert_eq!(value["token"], "7");
        assert_eq!(value["seq"], 3);
        assert_eq!(
            serde_json::from_value::<ServerMessage>(value).unwrap(),
            ServerMessage::Event(event)
        );
    }

    #[test]
    fn messages_about_uploads_stand_beside_the_others() {
        let id = Uuid::nil();
        let start: ClientMessage =
            serde_json::from_value(serde_json::json!({"type": "upload.start", "upload_id": id, "ref": 3}))
                .unwrap();
        let ClientMessage::Upload(UploadRequest::Start(start)) = start else {
            panic!("{start:?}");
        };
        assert_eq!((start.upload_id, start.reference), (Some(id), Some(3.into())));
        let ack = ServerMessage::Upload(UploadReply::Ack {
            upload_id: id,
            handle: 1,
            offset: 7,
        });
        let value = serde_json::to_value(&ack).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"type": "upload.ack", "upload_id": id, "handle": 1, "offset": 7})
        );
        assert_eq!(serde_json::from_value::<ServerMessage>(value).unwrap(), ack);
    }

    #[test]
    fn an_unknown_kind_of_message_is_an_error_and_no_panic() {
        assert!(serde_json::from_str::<ServerMessage>(r#"{"type":"news.of.tomorrow"}"#).is_err());
        assert!(serde_json::from_str::<ClientMessage>(r#"{"type":7}"#).is_err());
    }
}
