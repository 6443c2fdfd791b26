//! `voxpost whoami`.

use clap::Args;
use serde::Serialize;
use voxpost_client::Me;

use crate::client::ClientArgs;
use crate::failure::Failure;
use crate::screen::{Screen, printable};

const EXAMPLES: &str = "\
Examples:
  voxpost whoami
  voxpost whoami --json | jq -r .username";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhoamiArgs {
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Serialize)]
struct Whoami<'a> {
    url: &'a str,
    #[serde(flatten)]
    me: Me,
}

pub(crate) async fn whoami(args: &WhoamiArgs, screen: &mut Screen) -> Result<(), Failure> {
    let client = args.client.signed_in()?.client;
    let me = client.me().await?;
    if screen.json() {
        return screen.object(&Whoami {
            url: client.url(),
            me,
        });
    }
    screen.line(format_args!(
        "{} ({}) at {}",
        me.username,
        printable(&me.display_name),
        client.url()
    ))
}
