//! What this server can do.

use serde::{Deserialize, Serialize};

/// `GET /v1/config`: public, and true for this very build.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerConfig {
    /// The server's version.
    pub version: String,
    /// The largest source file of any kind of upload.
    pub max_audio_bytes: u64,
    /// The largest file in one multipart request.
    pub max_multipart_bytes: u64,
    /// The longest message; a recording is sent when it gets there.
    pub max_duration_ms: u64,
    /// The largest chunk of an upload over the socket.
    pub chunk_bytes: u64,
    /// `open`, `invite` or `closed`.
    pub sign_up: String,
    /// Formats that `GET …/audio?format=` makes.
    pub renditions: Vec<String>,
    /// Media types that are taken in.
    pub accepted_types: Vec<String>,
    /// Optional parts that are there, such as `groups`.
    pub features: Vec<String>,
}
