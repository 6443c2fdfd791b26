//! `voxpost login`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::json;
use voxpost_client::{AccountCreate, Error, ErrorCode, SessionCreate};

use crate::client::ClientArgs;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  voxpost login http://127.0.0.1:8080 ana --sign-up      make an account
  voxpost login https://voice.example.org ana            sign in, asks for the password
  pass show voice | voxpost login https://voice.example.org ana --password-stdin
  voxpost login https://192.168.1.5:8443 ana --trust AB:CD:…   a server with a certificate of its own";

/// A line of standard input is never longer than this, in bytes.
const MAX_LINE_BYTES: u64 = 4096;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LoginArgs {
    /// The server's address, such as `https://voice.example.org` [default: the one of the session before].
    #[arg(value_name = "URL")]
    server: Option<String>,

    /// Your name there; asked for when absent.
    username: Option<String>,

    /// Make a new account.
    #[arg(long)]
    sign_up: bool,

    /// The invite code, where a server wants one for a new account.
    #[arg(long, requires = "sign_up", value_name = "CODE")]
    invite: Option<String>,

    /// The name that others see, for a new account [default: the username].
    #[arg(long, requires = "sign_up", value_name = "NAME")]
    display_name: Option<String>,

    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,

    /// A name for this device in your list of sessions.
    #[arg(long, default_value = "voxpost command line", value_name = "NAME")]
    device_name: String,

    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn login(args: &LoginArgs, screen: &mut Screen) -> Result<(), Failure> {
    let (server, username) = positions(args.server.as_deref(), args.username.as_deref());
    let server = match server.map(str::to_owned).or_else(|| args.client.url.clone()) {
        Some(server) => server,
        None => args.client.session()?.map(|session| session.url).ok_or_else(|| {
            Failure::Usage("which server? Give its address: voxpost login URL USERNAME".into())
        })?,
    };
    let client = args.client.anonymous(&server)?;
    // Before anybody types a password: is that a server at all?
    client.config().await?;
    let username = match username {
        Some(username) => username.to_owned(),
        None => ask("Username: ")?,
    };
    let password = password(args)?;
    let device_name = Some(args.device_name.clone());
    let created = if args.sign_up {
        let account = AccountCreate {
            username,
            password,
            display_name: args.display_name.clone(),
            invite: args.invite.clone(),
            device_name,
        };
        client.sign_up(&account).await?
    } else {
        let session = SessionCreate {
            username,
            password,
            device_name,
        };
        client.sign_in(&session).await.map_err(wrong_password)?
    };
    let kept_trust = args
        .client
        .session()
        .ok()
        .flatten()
        .filter(|kept| kept.url == client.url());
    let trust = args
        .client
        .trust
        .map(|trust| trust.to_string())
        .or(kept_trust.and_then(|kept| kept.trust));
    let session = Session {
        url: client.url().to_owned(),
        token: created.token,
        user: created.user,
        device_id: created.device_id,
        trust,
    };
    let path = args.client.session_path()?;
    session.save(&path)?;
    if screen.json() {
        screen.object(&json!({
            "url": session.url, "user": session.user, "device_id": session.device_id, "config": path,
        }))
    } else {
        screen.line(format_args!(
            "Signed in as {} at {}",
            session.user.username, session.url
        ))
    }
}

/// `login ana` means the name, `login https://…` the server.
fn positions<'a>(first: Option<&'a str>, second: Option<&'a str>) -> (Option<&'a str>, Option<&'a str>) {
    match (first, second) {
        (Some(name), None) if !name.contains("://") => (None, Some(name)),
        other => other,
    }
}

/// The advice for a token that is not accepted does not fit a password that is wrong.
fn wrong_password(error: Error) -> Failure {
    match error {
        Error::Refused { problem, .. } if problem.code == ErrorCode::Unauthenticated => {
            Failure::WrongPassword(problem.detail)
        }
        other => other.into(),
    }
}

fn password(args: &LoginArgs) -> Result<String, Failure> {
    if args.password_stdin {
        return read_line()
            .map_err(|error| Failure::Usage(format!("no password on standard input: {error}")));
    }
    let prompt = |text: &str| {
        rpassword::prompt_password(text).map_err(|error| {
            Failure::Usage(format!(
                "cannot ask for the password here ({error}); pipe it in with --password-stdin"
            ))
        })
    };
    let password = prompt("Password: ")?;
    if args.sign_up && prompt("The same again: ")? != password {
        return Err(Failure::Usage("the two passwords differ".into()));
    }
    Ok(password)
}

fn ask(question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "who are you? Give the name: voxpost login URL USERNAME".into(),
        ));
    }
    eprint!("{question}");
    let _ = io::stderr().flush();
    read_line().map_err(Failure::other)
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), MAX_LINE_BYTES).read_line(&mut line)?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_argument_is_a_name_unless_it_is_an_address() {
        assert_eq!(positions(Some("ana"), None), (None, Some("ana")));
        assert_eq!(positions(Some("http://x"), None), (Some("http://x"), None));
        assert_eq!(
            positions(Some("x.example.org"), Some("ana")),
            (Some("x.example.org"), Some("ana"))
        );
        assert_eq!(positions(None, None), (None, None));
    }
}
