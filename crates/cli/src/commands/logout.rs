//! `voxpost logout`.

use clap::Args;
use serde_json::json;
use voxpost_client::ErrorCode;

use crate::client::ClientArgs;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  voxpost logout
  voxpost logout --force      forget the session here, even when the server cannot be told";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogoutArgs {
    /// Forget the session here even when the server cannot be told.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn logout(args: &LogoutArgs, screen: &mut Screen) -> Result<(), Failure> {
    let signed_in = args.client.signed_in()?;
    let session = signed_in.session.ok_or_else(|| {
        Failure::Usage("VOXPOST_TOKEN is set: that token is not ours to end; unset it first".into())
    })?;
    let revoked = match signed_in.client.sign_out().await {
        Ok(()) => true,
        // The server has ended it already.
        Err(error) if error.code() == Some(ErrorCode::Unauthenticated) => true,
        Err(_) if args.force => false,
        Err(error) => return Err(error.into()),
    };
    Session::remove(&args.client.session_path()?)?;
    if screen.json() {
        return screen.object(&json!({ "url": session.url, "user": session.user, "revoked": revoked }));
    }
    screen.line(format_args!("Signed out from {}", session.url))?;
    if !revoked {
        screen
            .note("The server was not told: the session stays valid until it is ended from another device.");
    }
    Ok(())
}
