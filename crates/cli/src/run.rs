//! From the command line to the command.

use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::{bench, commands};

pub(crate) fn run(args: Args, screen: &mut Screen) -> Result<(), Failure> {
    match args.command {
        // The server sets up its own log.
        Command::Serve(_) => {}
        _ => log_to_standard_error(),
    }
    match args.command {
        Command::Serve(config) if config.example_config => {
            screen.line(voxpost_server::Config::example_file().trim_end())
        }
        Command::Serve(config) => {
            let runtime = Runtime::new().map_err(Failure::other)?;
            runtime
                .block_on(voxpost_server::serve(*config))
                .map_err(Failure::other)
        }
        Command::Bench(args) => interruptible(bench::run(&args, screen)),
        Command::Completions(args) => commands::completions(&args),
        Command::Invite(args) => interruptible(commands::invite(&args, screen)),
        Command::Inspect(args) => commands::inspect(&args, screen),
        Command::Login(args) => interruptible(commands::login(&args, screen)),
        Command::Logout(args) => interruptible(commands::logout(&args, screen)),
        Command::Whoami(args) => interruptible(commands::whoami(&args, screen)),
        Command::Send(args) => interruptible(commands::send(&args, screen)),
        Command::Inbox(args) => interruptible(commands::inbox(&args, screen)),
        Command::Play(args) => until_done(commands::play(&args, screen)),
        Command::Get(args) => interruptible(commands::get(&args, screen)),
        Command::Doctor(args) => interruptible(commands::doctor(&args, screen)),
    }
}

/// Runs a command until it is done or Ctrl-C; then it is dropped, so that nothing half-made stays behind.
fn interruptible(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    until_done(async {
        tokio::select! {
            outcome = command => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        }
    })
}

/// Runs a command that minds Ctrl-C itself.
fn until_done(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::other)?;
    let outcome = runtime.block_on(command);
    // A read of standard input that nobody will finish must not hold the end up.
    runtime.shutdown_background();
    outcome
}

/// For the curious: `VOXPOST_LOG=debug` tells what the client does. Tokens and sound are never in it.
fn log_to_standard_error() {
    if let Ok(filter) = EnvFilter::try_from_env("VOXPOST_LOG") {
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        // Not `init`, which may also lead in what libraries tell the `log` crate: whole frames of sockets.
        let _ = tracing::subscriber::set_global_default(log.finish());
    }
}
