//! The server's log: one line for each thing that happens, on standard error, readable alone.

use clap::ValueEnum;
use tracing::subscriber::set_global_default;
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts the log as configured; says what is wrong with a filter that cannot be read. A process that embeds the server
/// and has a log of its own keeps that one.
pub(crate) fn start(config: &Config) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| error.to_string())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Not `init`, which may also lead in what libraries tell the `log` crate: whole frames of sockets, with all that is in them.
    let _ = match config.log_format {
        LogFormat::Text => set_global_default(log.finish()),
        LogFormat::Json => set_global_default(log.json().flatten_event(true).finish()),
    };
    Ok(())
}
