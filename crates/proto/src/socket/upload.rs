//! Messages about uploads. The bytes themselves are binary messages: [`Chunk`](crate::upload::Chunk).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Problem;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum UploadRequest {
    /// Begins an upload, or goes on with one that was begun here or over HTTP.
    #[serde(rename = "upload.start")]
    Start(UploadStart),
    /// All bytes were sent: time to make the message.
    #[serde(rename = "upload.finish")]
    Finish(UploadFinish),
}

/// `upload.start`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UploadStart {
    /// Which one to go on with; a new one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<Uuid>,
    /// In bytes, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Where the message goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<Uuid>,
    /// The sender's own id for the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// A message of the same conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Uuid>,
    /// Words beside the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Repeated in the answer.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<Value>,
}

/// `upload.finish`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UploadFinish {
    /// Which.
    pub upload_id: Uuid,
    /// Of the whole sound, in hex; it is compared with what arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Repeated in the answer.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<Value>,
}

impl UploadRequest {
    /// What its answer repeats.
    pub fn reference(&self) -> Option<&Value> {
        match self {
            Self::Start(start) => start.reference.as_ref(),
            Self::Finish(finish) => finish.reference.as_ref(),
        }
    }
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum UploadReply {
    /// The answer to `upload.start`.
    #[serde(rename = "upload.ready")]
    Ready {
        /// Which.
        upload_id: Uuid,
        /// Of its chunks, on this connection.
        handle: u32,
        /// So many bytes are durable: go on from here.
        offset: u64,
        /// The largest chunk.
        chunk_bytes: u64,
        /// As in the request.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<Value>,
    },
    /// So many bytes are durable.
    #[serde(rename = "upload.ack")]
    Ack {
        /// Which.
        upload_id: Uuid,
        /// On this connection.
        handle: u32,
        /// All before this one.
        offset: u64,
    },
    /// Nothing more is taken on this handle. What was acknowledged stays: it may go on with a new `upload.start`, or over HTTP.
    #[serde(rename = "upload.failed")]
    Failed {
        /// Which.
        upload_id: Uuid,
        /// On this connection.
        handle: u32,
        /// Why.
        problem: Problem,
    },
}
