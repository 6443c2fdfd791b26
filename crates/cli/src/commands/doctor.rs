//! `voxpost doctor`.

mod checks;
mod data_dir;
mod server;

use std::path::PathBuf;

use clap::Args;
use voxpost_server::S3Config;

use self::checks::{Check, Status};
use crate::client::{ClientArgs, token_from_environment};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::{Ink, Screen};

const EXAMPLES: &str = "\
Examples:
  voxpost doctor                                      the server that you are signed in at
  voxpost doctor --url https://voice.example.org      any server
  voxpost doctor --data-dir /var/lib/voxpost          the data directory of a server that is stopped
  voxpost doctor --json | jq 'select(.status != \"ok\")'

The exit code is 0 when every check passed or only warned, else that of the first that failed.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// Check the data directory of a server on this machine. Stop the server first: what it is in the middle of would
    /// look like something left over.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Remove what no message needs from the data directory: objects and staged uploads that were left over.
    #[arg(long, requires = "data_dir")]
    repair: bool,

    #[command(flatten)]
    client: ClientArgs,

    #[command(flatten)]
    s3: S3Config,
}

pub(crate) async fn doctor(args: &DoctorArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut report = Report {
        screen,
        total: 0,
        failed: 0,
        exit: Exit::Ok,
    };
    let session = args.client.session()?;
    let url = args
        .client
        .url
        .clone()
        .or_else(|| session.map(|session| session.url));
    match &url {
        Some(url) => server::check(url, &args.client, &mut report).await?,
        None if args.data_dir.is_some() => {}
        None if token_from_environment().is_some() => {
            return Err(Failure::Usage(
                "VOXPOST_TOKEN needs --url or VOXPOST_URL beside it".into(),
            ));
        }
        None => {
            return Err(Failure::Usage(
                "nothing to check: sign in, or give --url or --data-dir".into(),
            ));
        }
    }
    if let Some(dir) = &args.data_dir {
        data_dir::check(dir, &args.s3, args.repair, &mut report).await?;
    }
    match report.failed {
        0 => Ok(()),
        failed => Err(Failure::ChecksFailed {
            failed,
            total: report.total,
            exit: report.exit,
        }),
    }
}

/// Tells each check as it is done, and counts.
struct Report<'a> {
    screen: &'a mut Screen,
    total: usize,
    failed: usize,
    exit: Exit,
}

impl Report<'_> {
    fn tell(&mut self, check: &Check) -> Result<(), Failure> {
        self.total += 1;
        if let Status::Failed(exit) = check.status {
            self.failed += 1;
            self.exit = if self.exit == Exit::Ok { exit } else { self.exit };
        }
        if self.screen.json() {
            return self.screen.object(check);
        }
        let mark = match check.status {
            Status::Ok => self.screen.paint(Ink::Good, "ok     "),
            Status::Warning => self.screen.paint(Ink::Warning, "warning"),
            Status::Failed(_) => self.screen.paint(Ink::Bad, "failed "),
        };
        self.screen
            .line(format_args!("{mark}  {:<14} {}", check.name, check.detail))?;
        match &check.advice {
            Some(advice) => self.screen.line(format_args!("{:24}{advice}", "")),
            None => Ok(()),
        }
    }
}
