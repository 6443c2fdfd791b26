//! What can be configured.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Settings of `voxpost serve`.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Where to listen.
    #[arg(long, env = "VOXPOST_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where everything is kept; made when it is not there.
    #[arg(long, env = "VOXPOST_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// The largest file in one multipart request, in bytes.
    #[arg(long, env = "VOXPOST_MAX_MULTIPART_BYTES", default_value_t = 10 << 20)]
    pub max_multipart_bytes: u64,

    /// The largest source file of any kind of upload, in bytes.
    #[arg(long, env = "VOXPOST_MAX_AUDIO_BYTES", default_value_t = 512 << 20)]
    pub max_audio_bytes: u64,

    /// The longest message, in milliseconds.
    #[arg(long, env = "VOXPOST_MAX_DURATION_MS", default_value_t = 2 * 60 * 60 * 1000)]
    pub max_duration_ms: u64,

    /// How long a sender waits until the sound is ready, in milliseconds; then the message is kept and finished later (202).
    #[arg(long, env = "VOXPOST_PATIENCE_MS", default_value_t = 2000)]
    pub patience_ms: u64,

    /// How long an event can be replayed, in days.
    #[arg(long, env = "VOXPOST_EVENT_DAYS", default_value_t = 30)]
    pub event_days: u32,
}
