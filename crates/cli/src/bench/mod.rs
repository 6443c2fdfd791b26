//! `voxpost bench`: an own load generator against a server.

mod clips;
mod ingest;
mod live;
mod load;
mod peer;
mod people;
mod playback;
mod process;
mod report;
mod sockets;
mod subject;
mod upload;
mod wire;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::screen::Screen;

const EXAMPLES: &str = "\
Examples:
  voxpost bench ingest                         a server of its own on a temporary data directory
  voxpost bench ingest --seconds 30 --connections 64 --dir /var/tmp --json
  voxpost bench socket --sockets 10000
  voxpost bench live --bundled 2000 --unbundled 500 --releases 200 --live 50
  voxpost bench playback --listeners 10000 --every 10
  voxpost bench upload --tus http://127.0.0.1:1081/files --put http://127.0.0.1:8081/dav     beside other servers
  voxpost bench ingest --url http://staging.example:8080     latency and throughput; memory only of a server of its own

The generator shares the machine with the server. The figures of docs/benchmarks.md come from these commands.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Messages accepted a second, their latency, the way to the other person, analysis, memory.
    Ingest(IngestArgs),
    /// Memory of idle sockets, and how long one event takes to reach them all.
    Socket(SocketArgs),
    /// Recordings at the pace of speech: until they are durable, from letting go to playable, from mouth to ear, memory.
    Live(LiveArgs),
    /// Resumable uploads of several sizes: throughput, latency, processor time, memory; beside other servers.
    Upload(UploadArgs),
    /// Reports of where listeners are, their latency, and the events that they cause.
    Playback(PlaybackArgs),
}

/// Where the server is.
#[derive(Args)]
struct SubjectArgs {
    /// Measure the server at this plain address instead of starting one. It must let people sign up and have no limits
    /// (`--rate-…=0`); the accounts are deleted afterwards. Its memory, processor time and disk cannot be measured from here.
    #[arg(long, value_name = "URL", conflicts_with_all = ["dir", "server"])]
    url: Option<String>,

    /// Where the temporary data directory is made; on the disk that counts [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Further arguments for the server, after `--`.
    #[arg(last = true, value_name = "SERVER_ARGS")]
    server: Vec<String>,
}

#[derive(Args)]
struct IngestArgs {
    /// Connections that send at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N")]
    connections: u16,

    /// How long each load lasts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "S")]
    seconds: u64,

    /// Messages a second of the open loop [default: half of what the closed loop reached].
    #[arg(long, value_name = "N")]
    rate: Option<f64>,

    /// Clips whose analysis is timed.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    analysed: u32,

    #[command(flatten)]
    subject: SubjectArgs,
}

#[derive(Args)]
struct SocketArgs {
    /// How many sockets.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=60_000), value_name = "N")]
    sockets: u32,

    /// How many people they belong to, all of one group.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    people: u32,

    /// How many events are sent to all of them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    events: u32,

    #[command(flatten)]
    subject: SubjectArgs,
}

#[derive(Args)]
struct PlaybackArgs {
    /// How many play at the same time.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    listeners: u32,

    /// How many people they are, all of one group; each plays several messages.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    people: u32,

    /// Each reports once in so many seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "S")]
    every: u32,

    /// Connections that report at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N")]
    connections: u16,

    /// How long each load lasts.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "S")]
    seconds: u64,

    #[command(flatten)]
    subject: SubjectArgs,
}

#[derive(Args)]
struct LiveArgs {
    /// How many record at the same time with one message each 100 ms; 0 leaves this out.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(0..=20_000), value_name = "N")]
    bundled: u32,

    /// How many with one message for each packet of 20 ms.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=20_000), value_name = "N")]
    unbundled: u32,

    /// How many record messages of the lengths below, one after the other.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=20_000), value_name = "N")]
    releases: u32,

    /// How long these are, in seconds; they take turns among the recordings. The longest is how long this takes.
    #[arg(long, value_delimiter = ',', default_values_t = [5, 60, 300],
        value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "S,…")]
    lengths: Vec<u32>,

    /// How many record live with a listener each.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=20_000), value_name = "N")]
    live: u32,

    /// How long the other loads last.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1000), value_name = "S")]
    seconds: u64,

    #[command(flatten)]
    subject: SubjectArgs,
}

#[derive(Args)]
struct UploadArgs {
    /// Sizes of the files, in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = [256 << 10, 1 << 20, 100 << 20],
        value_parser = clap::value_parser!(u32).range(4096..=1 << 30), value_name = "BYTES,…")]
    sizes: Vec<u32>,

    /// How many connections upload at the same time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64],
        value_parser = clap::value_parser!(u32).range(1..=1024), value_name = "N,…")]
    connections: Vec<u32>,

    /// How often each load is repeated, taking turns with the other servers; the table has the medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    rounds: u32,

    /// Make messages of the uploads, which goes through ingest and into the object store; otherwise they are kept and deleted.
    #[arg(long)]
    send: bool,

    /// Another tus server to measure beside this one: where uploads are made.
    #[arg(long, value_name = "URL")]
    tus: Option<String>,

    /// Its process on this machine, for its memory and processor time.
    #[arg(long, requires = "tus", value_name = "PID")]
    tus_pid: Option<u32>,

    /// A server to measure beside this one that takes files by PUT below this address (WebDAV).
    #[arg(long, value_name = "URL")]
    put: Option<String>,

    /// Its process on this machine.
    #[arg(long, requires = "put", value_name = "PID")]
    put_pid: Option<u32>,

    #[command(flatten)]
    subject: SubjectArgs,
}

pub(crate) async fn run(args: &BenchArgs, screen: &mut Screen) -> Result<(), Failure> {
    match &args.what {
        What::Ingest(args) => ingest::run(args, screen).await,
        What::Socket(args) => sockets::run(args, screen).await,
        What::Live(args) => live::run(args, screen).await,
        What::Upload(args) => upload::run(args, screen).await,
        What::Playback(args) => playback::run(args, screen).await,
    }
}
