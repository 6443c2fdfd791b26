//! `GET /v1/config`: what this server can do.

use axum::extract::State;
use voxpost_proto::api::ServerConfig;

use crate::app::App;
use crate::render;
use crate::socket::CHUNK_BYTES;

/// What the audio crate takes in, by the names that browsers and systems give it. The bytes decide, not the name.
const ACCEPTED_TYPES: &[&str] = &[
    "audio/ogg",
    "audio/webm",
    "video/webm",
    "audio/mp4",
    "audio/x-m4a",
    "video/mp4",
    "audio/mpeg",
    "audio/aac",
    "audio/flac",
    "audio/wav",
    "audio/x-caf",
    "audio/aiff",
    "audio/amr",
    "audio/amr-wb",
    "audio/3gpp",
    "video/3gpp",
    #[cfg(feature = "silk")]
    "audio/silk",
];

/// Optional parts that are there.
const FEATURES: &[&str] = &[
    "direct",
    "drafts",
    "groups",
    "read",
    "recording",
    "delivered",
    "people_search",
    "live",
    "multipart",
    "playback",
    "played",
    "socket",
    "socket_uploads",
    "sync",
    "tus",
    "uploads",
    "waveform",
];

/// Public: limits, formats and features of this very server.
#[utoipa::path(get, path = "/v1/config", tag = "server", security(()), responses((status = 200, body = ServerConfig)))]
pub(crate) async fn get(State(app): State<App>) -> axum::Json<ServerConfig> {
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    axum::Json(ServerConfig {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        max_audio_bytes: app.config.max_audio_bytes,
        max_multipart_bytes: app.config.max_multipart_bytes,
        max_duration_ms: app.config.max_duration_ms,
        chunk_bytes: CHUNK_BYTES as u64,
        sign_up: app.config.sign_up_policy().as_str().to_owned(),
        renditions: render::formats(),
        accepted_types: list(ACCEPTED_TYPES),
        features: {
            let mut features = list(FEATURES);
            features.extend((!app.blobs.is_local()).then(|| "presign".to_owned()));
            features
        },
    })
}
