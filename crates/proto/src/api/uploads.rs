//! Uploads that can be resumed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Problem, Timestamp};

/// Where an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UploadState {
    /// Bytes are missing.
    Receiving,
    /// All bytes are there; the message is being made.
    Ingesting,
    /// It is a message now.
    Sent,
    /// It will not become a message; `failure` says why.
    Failed,
    /// All bytes are there, and no conversation that its owner may send to.
    Held,
}

/// `GET /v1/uploads/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadStatus {
    /// Which.
    pub upload_id: Uuid,
    /// Where it is.
    pub state: UploadState,
    /// So many bytes are durable.
    pub offset: u64,
    /// How many there will be; null while the sender has not said.
    pub length: Option<u64>,
    /// What it became, or is becoming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Uuid>,
    /// In state `failed`: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Problem>,
    /// When it is forgotten unless it grows or is sent.
    pub expires_at: Timestamp,
}
