//! The `voxpost` command.

use clap::Parser;

#[derive(Parser)]
#[command(name = "voxpost", version, about = "Voice messages: server and client in one")]
enum Command {
    /// Runs the server.
    Serve(voxpost_server::Config),
}

fn main() -> std::process::ExitCode {
    let Command::Serve(config) = Command::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    match runtime.block_on(voxpost_server::serve(config)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
