//! `voxpost completions`.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  voxpost completions bash > ~/.local/share/bash-completion/completions/voxpost
  voxpost completions zsh > \"${fpath[1]}/_voxpost\"
  voxpost completions fish > ~/.config/fish/completions/voxpost.fish";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell to complete for.
    shell: Shell,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    // In memory first: the generator panics when its output cannot be written.
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut crate::args::Args::command(),
        "voxpost",
        &mut script,
    );
    Ok(std::io::stdout().lock().write_all(&script)?)
}
