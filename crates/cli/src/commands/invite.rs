//! `voxpost invite`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::format;
use crate::screen::Screen;

const EXAMPLES: &str = "\
Examples:
  voxpost invite --data-dir /var/lib/voxpost
  voxpost login https://voice.example.org ben --sign-up --invite CODE      what the invited person does

Works on the machine of the server, whether or not it runs. Each code lets one person sign up.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InviteArgs {
    /// The server's data directory.
    #[arg(long, env = "VOXPOST_DATA_DIR", default_value = "data", value_name = "DIR")]
    data_dir: PathBuf,
}

pub(crate) async fn invite(args: &InviteArgs, screen: &mut Screen) -> Result<(), Failure> {
    let made = voxpost_server::create_invite(&args.data_dir).await;
    let invite = made.map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        Failure::File {
            path: args.data_dir.clone(),
            source,
        }
    })?;
    if screen.json() {
        return screen.object(&json!({ "code": invite.code, "expires_at": invite.expires_at }));
    }
    screen.line(&invite.code)?;
    let until = format::time(invite.expires_at);
    screen.note(format_args!(
        "Good for one person, until {until}. It is not shown again."
    ));
    Ok(())
}
