//! The command line.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use voxpost_server::Config;

use crate::bench::BenchArgs;
use crate::commands::{
    CompletionsArgs, DoctorArgs, GetArgs, InboxArgs, InspectArgs, InviteArgs, LoginArgs, LogoutArgs,
    PlayArgs, SendArgs, WhoamiArgs,
};
use crate::exit;
use crate::failure::Failure;
use crate::screen::{ColorChoice, Screen};

const ABOUT: &str = "Voice messages: server and client in one.

Run a server with `voxpost serve`; talk over one with `voxpost login`, `send`, `inbox` and `play`. `voxpost help COMMAND` \
has examples for each.";

/// See [`ABOUT`].
#[derive(Parser)]
#[command(name = "voxpost", version, about = "Voice messages: server and client in one", long_about = ABOUT)]
#[command(after_help = exit::HELP, propagate_version = true, max_term_width = 110)]
pub(crate) struct Args {
    /// Print for programs: one JSON object, or one on each line of a list; errors as JSON on standard error.
    #[arg(long, global = true)]
    json: bool,

    /// When to use colour. On a terminal by default, unless NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = false
    )]
    pub(crate) color: ColorChoice,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// In the order of a first day with Voxpost.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Box<Config>),
    /// Make a code that lets one person sign up at the server whose data directory is here.
    Invite(InviteArgs),
    /// Sign in at a server and keep the session; or sign up.
    Login(LoginArgs),
    /// End the session.
    Logout(LogoutArgs),
    /// Tell who is signed in, and where.
    Whoami(WhoamiArgs),
    /// Send sound files as voice messages.
    Send(SendArgs),
    /// List conversations or messages; follow what arrives.
    Inbox(InboxArgs),
    /// Play a message, from where you stopped on whatever device.
    Play(PlayArgs),
    /// Download the sound of a message.
    Get(GetArgs),
    /// Show what is in a sound file: container, codec, duration, loudness, waveform.
    Inspect(InspectArgs),
    /// Check the way to the server, or a server's data directory.
    Doctor(Box<DoctorArgs>),
    /// Measure a server's throughput, latency and memory.
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

impl Args {
    /// Reads the command line and what `serve --config FILE` adds to it; ends the process where that is wrong.
    pub(crate) fn read() -> Self {
        let mut line: Vec<_> = env::args_os().collect();
        Self::read_from(&mut line)
            .unwrap_or_else(|error| refuse(&error, line.iter().any(|word| word == "--json")))
    }

    fn read_from(line: &mut Vec<OsString>) -> Result<Self, clap::Error> {
        let mut matches = Self::command().try_get_matches_from(&*line)?;
        if let Some(("serve", serve)) = matches.subcommand()
            && let Some(file) = serve.get_one::<PathBuf>("config")
        {
            let more = Config::arguments_of_file(file, serve)
                .map_err(|error| Self::command().error(ErrorKind::ValueValidation, error))?;
            line.extend(more);
            matches = Self::command().try_get_matches_from(&*line)?;
        }
        Self::from_arg_matches(&matches)
    }

    /// Whether programs read the output.
    pub(crate) fn json(&self) -> bool {
        self.json
    }
}

/// Ends the process: with help that was asked for, or with what is wrong, in the form that programs expect.
fn refuse(error: &clap::Error, json: bool) -> ! {
    if !json || !error.use_stderr() {
        error.exit();
    }
    let text = error.to_string();
    let told = text.lines().next().unwrap_or_default();
    let told = told.strip_prefix("error: ").unwrap_or(told).to_owned();
    let exit = Screen::new(true, ColorChoice::Never).report(&Failure::Usage(told));
    std::process::exit(exit as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_in_its_help() {
        for command in Args::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let exempt = ["serve", "bench"].contains(&command.get_name());
            assert!(exempt || help.contains("Examples:"), "{}", command.get_name());
        }
    }

    #[test]
    fn a_token_may_begin_with_a_hyphen() {
        let line = ["voxpost", "inbox", "--watch", "--since", "-H_WLwkkwvkAAAAAAAAABw"];
        assert!(Args::try_parse_from(line).is_ok());
    }

    #[test]
    fn json_may_stand_before_or_behind_the_command() {
        for line in [["voxpost", "--json", "whoami"], ["voxpost", "whoami", "--json"]] {
            assert!(Args::try_parse_from(line).is_ok_and(|args| args.json()));
        }
    }

    #[test]
    fn a_password_cannot_be_given_on_the_command_line() {
        assert!(Args::try_parse_from(["voxpost", "login", "--password", "x"]).is_err());
    }

    #[test]
    fn send_needs_a_file_and_somebody() {
        assert!(Args::try_parse_from(["voxpost", "send", "a.ogg"]).is_err());
        assert!(Args::try_parse_from(["voxpost", "send", "--to", "ben"]).is_err());
        assert!(Args::try_parse_from(["voxpost", "send", "a.ogg", "b.ogg", "--to", "ben"]).is_ok());
    }
}
