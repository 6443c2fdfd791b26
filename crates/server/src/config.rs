//! What can be configured. The flags are the one definition: the environment, the [file] and the [reference] follow from
//! them.

pub(crate) mod file;
mod origins;
mod proxies;
mod reference;
mod s3;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub use self::file::ConfigFileError;
pub(crate) use self::origins::AllowedOrigin;
pub(crate) use self::proxies::{TrustedProxy, client_address};
pub use self::s3::S3Config;
use crate::auth::JwtIssuer;
use crate::telemetry::LogFormat;

/// Settings of `voxpost serve`. A flag wins over the environment, the environment over the file, the file over the default.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Listening")]
pub struct Config {
    /// Read settings from this TOML file; `--example-config` prints one with every key and its default.
    #[arg(long, env = "VOXPOST_CONFIG_FILE", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print a configuration file with every key and its default, and end.
    #[arg(long)]
    pub example_config: bool,

    /// Where to listen.
    #[arg(long, env = "VOXPOST_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// An address or network of a reverse proxy, whose `X-Forwarded-For` is believed. Comma-separated, or several times.
    #[arg(
        long,
        env = "VOXPOST_TRUSTED_PROXY",
        value_delimiter = ',',
        value_name = "NETWORK"
    )]
    pub(crate) trusted_proxy: Vec<TrustedProxy>,

    /// A site whose pages may use this server, such as `https://app.example`; `*` for every site. Comma-separated, or several
    /// times. The server's own page always may.
    #[arg(
        long,
        env = "VOXPOST_ALLOWED_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub(crate) allowed_origin: Vec<AllowedOrigin>,

    /// How many connections may be open; more are closed at once. 0 = no bound but what the system has.
    #[arg(long, env = "VOXPOST_MAX_CONNECTIONS", default_value_t = 16_384)]
    pub max_connections: usize,

    /// Serve HTTPS with a certificate of our own, made in the data directory on the first start.
    #[arg(long, env = "VOXPOST_TLS", value_enum, conflicts_with = "tls_cert")]
    pub tls: Option<TlsMode>,

    /// Serve HTTPS with this certificate chain (PEM).
    #[arg(long, env = "VOXPOST_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of the certificate (PEM).
    #[arg(long, env = "VOXPOST_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// How long requests may take to end once the server is told to stop, in milliseconds; a second signal stops at once.
    #[arg(long, env = "VOXPOST_SHUTDOWN_GRACE_MS", default_value_t = 10_000)]
    pub shutdown_grace_ms: u64,

    /// Where everything is kept; made when it is not there.
    #[arg(
        long,
        help_heading = "Storage",
        env = "VOXPOST_DATA_DIR",
        default_value = "data"
    )]
    pub data_dir: PathBuf,

    /// How long an event can be replayed, in days.
    #[arg(
        long,
        help_heading = "Storage",
        env = "VOXPOST_EVENT_DAYS",
        default_value_t = 30
    )]
    pub event_days: u32,

    /// How many bytes of accepted sounds may wait on the local disk, until somebody has time for them or the object store is back;
    /// more are told to wait (503).
    #[arg(long, help_heading = "Storage", env = "VOXPOST_MAX_WAITING_BYTES", default_value_t = 4 << 30)]
    pub max_waiting_bytes: u64,

    #[command(flatten)]
    pub s3: S3Config,

    /// Who may sign up: `auto` is open on a loopback address and by invite on any other.
    #[arg(
        long,
        help_heading = "Accounts",
        env = "VOXPOST_SIGN_UP",
        value_enum,
        default_value = "auto"
    )]
    pub sign_up: SignUp,

    /// After how many days without use a session ends; 0 = never.
    #[arg(
        long,
        help_heading = "Accounts",
        env = "VOXPOST_SESSION_IDLE_DAYS",
        default_value_t = 90
    )]
    pub session_idle_days: u32,

    /// Take the tokens (JWT) of an issuer: `issuer=`, `audience=`, `algorithm=` (HS256, EdDSA, ES256, RS256) and one of
    /// `secret_file=` (HS256), `jwks_file=`, `jwks_url=`. For several issuers repeat it, or put `;` between them.
    #[arg(
        long,
        help_heading = "Accounts",
        env = "VOXPOST_JWT_ISSUER",
        value_delimiter = ';',
        value_name = "KEY=VALUE,…"
    )]
    pub(crate) jwt_issuer: Vec<JwtIssuer>,

    /// The largest file in one multipart request, in bytes.
    #[arg(long, help_heading = "Messages", env = "VOXPOST_MAX_MULTIPART_BYTES", default_value_t = 10 << 20)]
    pub max_multipart_bytes: u64,

    /// The largest source file of any kind of upload, in bytes.
    #[arg(long, help_heading = "Messages", env = "VOXPOST_MAX_AUDIO_BYTES", default_value_t = 512 << 20)]
    pub max_audio_bytes: u64,

    /// The longest message, in milliseconds.
    #[arg(long, help_heading = "Messages", env = "VOXPOST_MAX_DURATION_MS", default_value_t = 2 * 60 * 60 * 1000)]
    pub max_duration_ms: u64,

    /// How long a sender waits until the sound is ready, in milliseconds; then the message is kept and finished later (202).
    #[arg(
        long,
        help_heading = "Messages",
        env = "VOXPOST_PATIENCE_MS",
        default_value_t = 2000
    )]
    pub patience_ms: u64,

    /// How long an upload may rest before it is given up, in milliseconds.
    #[arg(
        long,
        help_heading = "Uploads",
        env = "VOXPOST_UPLOAD_EXPIRY_MS",
        default_value_t = 24 * 60 * 60 * 1000
    )]
    pub upload_expiry_ms: u64,

    /// What all uploads that are under way may take on the disk, in bytes; more are told to wait (503). 0 = no limit but the disk.
    #[arg(
        long,
        help_heading = "Uploads",
        env = "VOXPOST_MAX_STAGING_BYTES",
        default_value_t = 0
    )]
    pub max_staging_bytes: u64,

    /// How many uploads of one person may be under way or held; 0 = no limit.
    #[arg(
        long,
        help_heading = "Uploads",
        env = "VOXPOST_MAX_UPLOADS_PER_USER",
        default_value_t = 1_000
    )]
    pub max_uploads_per_user: u64,

    /// What the sounds of one person may take in the store, in bytes; 0 = no limit.
    #[arg(
        long,
        help_heading = "Uploads",
        env = "VOXPOST_QUOTA_BYTES",
        default_value_t = 0
    )]
    pub quota_bytes: u64,

    /// How long the sounds of one person may be together, in seconds; 0 = no limit.
    #[arg(
        long,
        help_heading = "Uploads",
        env = "VOXPOST_QUOTA_SECONDS",
        default_value_t = 0
    )]
    pub quota_seconds: u64,

    /// How many recordings one person may have going on; 0 = no bound.
    #[arg(
        long,
        help_heading = "Recordings",
        env = "VOXPOST_MAX_RECORDINGS_PER_USER",
        default_value_t = 256
    )]
    pub max_recordings_per_user: u32,

    /// How long a recording may be without its sender before it counts as interrupted and becomes a draft, in milliseconds.
    #[arg(
        long,
        help_heading = "Recordings",
        env = "VOXPOST_INTERRUPTED_AFTER_MS",
        default_value_t = 60_000
    )]
    pub interrupted_after_ms: u64,

    /// How long a live recording may be without its sender before the server finishes it, in milliseconds.
    #[arg(
        long,
        help_heading = "Recordings",
        env = "VOXPOST_LIVE_ABANDONED_AFTER_MS",
        default_value_t = 600_000
    )]
    pub live_abandoned_after_ms: u64,

    /// How long a draft is kept, in days.
    #[arg(
        long,
        help_heading = "Recordings",
        env = "VOXPOST_DRAFT_DAYS",
        default_value_t = 7
    )]
    pub draft_days: u32,

    /// How often an open socket is pinged, in milliseconds.
    #[arg(
        long,
        help_heading = "Sockets",
        env = "VOXPOST_HEARTBEAT_MS",
        default_value_t = 30_000
    )]
    pub heartbeat_ms: u64,

    /// How many sockets and waiting syncs one person may have open; 0 = no bound.
    #[arg(
        long,
        help_heading = "Sockets",
        env = "VOXPOST_MAX_SOCKETS_PER_USER",
        default_value_t = 1_000
    )]
    pub max_sockets_per_user: usize,

    /// Sign-ups from one address in a minute; 0 = no limit.
    #[arg(
        long,
        help_heading = "Rates",
        env = "VOXPOST_RATE_SIGN_UPS",
        default_value_t = 30
    )]
    pub rate_sign_ups: u32,

    /// Failed logins from one address in a minute; 0 = no limit.
    #[arg(
        long,
        help_heading = "Rates",
        env = "VOXPOST_RATE_FAILED_LOGINS",
        default_value_t = 30
    )]
    pub rate_failed_logins: u32,

    /// Requests of one person in a second, three times as many at once; 0 = no limit.
    #[arg(
        long,
        help_heading = "Rates",
        env = "VOXPOST_RATE_REQUESTS",
        default_value_t = 100
    )]
    pub rate_requests: u32,

    /// Messages of one person in a second, six times as many at once; 0 = no limit.
    #[arg(
        long,
        help_heading = "Rates",
        env = "VOXPOST_RATE_MESSAGES",
        default_value_t = 10
    )]
    pub rate_messages: u32,

    /// Packets of one person's recordings in a second, ten times as many at once; what comes faster is read more slowly and
    /// never refused. 0 = no limit.
    #[arg(
        long,
        help_heading = "Rates",
        env = "VOXPOST_RATE_LIVE_PACKETS",
        default_value_t = 5_000
    )]
    pub rate_live_packets: u32,

    /// Where the operator asks: `/metrics` for Prometheus. A port alone is on loopback. Nothing when it is not given.
    #[arg(long, help_heading = "Operation", env = "VOXPOST_OPS_LISTEN", value_parser = loopback_port_or_address, value_name = "[ADDRESS:]PORT")]
    pub ops_listen: Option<SocketAddr>,

    /// What is logged on standard error: a level (`warn`, `info`, `debug`), or more finely `voxpost_server=debug,info`.
    #[arg(long, help_heading = "Operation", env = "VOXPOST_LOG", default_value = "info")]
    pub log: String,

    /// How log lines are written.
    #[arg(
        long,
        help_heading = "Operation",
        env = "VOXPOST_LOG_FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

/// Where a certificate comes from when the operator has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// The server makes one; people compare its fingerprint.
    SelfSigned,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignUp {
    /// Open on a loopback listener, by invite otherwise.
    Auto,
    /// Everybody.
    Open,
    /// Who has an invite.
    Invite,
    /// Nobody.
    Closed,
}

impl SignUp {
    /// As in `GET /v1/config`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

impl Config {
    /// What holds: never `Auto`.
    pub(crate) fn sign_up_policy(&self) -> SignUp {
        match self.sign_up {
            SignUp::Auto if self.listen.ip().is_loopback() => SignUp::Open,
            SignUp::Auto => SignUp::Invite,
            chosen => chosen,
        }
    }

    pub(crate) fn session_idle_ms(&self) -> i64 {
        i64::from(self.session_idle_days) * 24 * 60 * 60 * 1000
    }
}

/// An address with its port, or a port alone, which is on loopback.
fn loopback_port_or_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse()
        .map_err(|_| "give a port, or an address with a port such as 127.0.0.1:9100".to_owned())
}
