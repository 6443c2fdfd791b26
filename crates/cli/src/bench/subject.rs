//! The server under test: a process of this same binary on a temporary data directory.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::SubjectArgs;
use super::people::Person;
use super::process::Process;
use crate::failure::Failure;

/// What the server prints before its address.
const LISTENING: &str = "voxpost listening on http://";
/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A generator is one address and a few people in a great hurry, which is what limits are there to slow down; and a log line
/// for each request would measure the terminal. Flags after `--` win over these.
const UNLIMITED: [(&str, &str); 7] = [
    ("VOXPOST_RATE_SIGN_UPS", "0"),
    ("VOXPOST_RATE_FAILED_LOGINS", "0"),
    ("VOXPOST_RATE_REQUESTS", "0"),
    ("VOXPOST_RATE_MESSAGES", "0"),
    ("VOXPOST_RATE_LIVE_PACKETS", "0"),
    ("VOXPOST_MAX_SOCKETS_PER_USER", "0"),
    ("VOXPOST_LOG", "warn"),
];

pub(super) struct Subject {
    authority: String,
    /// None when it runs elsewhere.
    own: Option<Own>,
}

struct Own {
    child: Child,
    pid: u32,
    dir: TempDir,
}

impl Subject {
    /// The server at `--url`, or one of our own.
    pub(super) async fn open(args: &SubjectArgs) -> Result<Self, Failure> {
        match &args.url {
            Some(url) => Ok(Self {
                authority: plain_authority(url)?,
                own: None,
            }),
            None => Self::start(args).await,
        }
    }

    /// Starts it on a free port of this machine, where everybody may sign up.
    async fn start(args: &SubjectArgs) -> Result<Self, Failure> {
        let parent = args.dir.clone().unwrap_or_else(std::env::temp_dir);
        let dir = tempfile::Builder::new()
            .prefix("voxpost-bench-")
            .tempdir_in(&parent)
            .map_err(Failure::file(&parent))?;
        let binary = std::env::current_exe().map_err(Failure::other)?;
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VOXPOST_") {
                command.env_remove(name);
            }
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path().join("data"))
            .args(&args.server)
            .envs(UNLIMITED)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(Failure::other)?;
        let pid = child
            .id()
            .ok_or_else(|| Failure::other("the server ended at once"))?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| Failure::other("the server has no output"))?;
        let authority = tokio::time::timeout(PATIENCE, address(stdout))
            .await
            .map_err(|_| Failure::other("the server did not start within a minute"))??;
        let own = Some(Own { child, pid, dir });
        Ok(Self { authority, own })
    }

    /// `HOST:PORT`.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Its process; None when it runs elsewhere, where its memory and processor time cannot be seen.
    pub(super) fn process(&self) -> Option<Process> {
        self.own.as_ref().map(|own| Process::new(own.pid))
    }

    /// A directory on its disk; None when it runs elsewhere.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.dir.path())
    }

    /// Stops our own the gentle way, and its directory goes too. At a server that runs elsewhere the people who were made for
    /// the measurement are deleted.
    pub(super) async fn close(self, people: impl IntoIterator<Item = Person>) -> Result<(), Failure> {
        let Some(mut own) = self.own else {
            for person in people {
                person.client.delete_me().await?;
            }
            return Ok(());
        };
        #[cfg(unix)]
        if let Some(pid) = rustix::process::Pid::from_raw(own.pid.cast_signed()) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(Failure::other)?;
        }
        match tokio::time::timeout(PATIENCE, own.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => Err(Failure::other(format!("the server ended badly: {status:?}"))),
            Err(_) => Err(Failure::other("the server did not stop within a minute")),
        }
    }
}

/// `HOST:PORT` of a plain URL without a path.
fn plain_authority(url: &str) -> Result<String, Failure> {
    let plain = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let authority = plain.filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@']));
    let authority = authority.ok_or_else(|| {
        Failure::Usage(format!(
            "--url {url}: the generator speaks plain HTTP to a host: http://HOST:PORT, behind whatever does TLS and paths"
        ))
    })?;
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    Ok(match port {
        Some(port) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ => format!("{authority}:80"),
    })
}

/// Reads the server's output until it says where it listens; the rest is read and dropped.
async fn address(stdout: tokio::process::ChildStdout) -> Result<String, Failure> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.map_err(Failure::other)? {
        if let Some(rest) = line.strip_prefix(LISTENING) {
            let authority = rest.split_whitespace().next().unwrap_or_default();
            let authority = authority.trim_end_matches('/').to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(authority);
        }
    }
    Err(Failure::other(
        "the server ended before it listened; its own words are above",
    ))
}

/// Allows as many open files as are needed, for this process and the servers that it starts.
#[cfg(unix)]
pub(super) fn raise_open_files(wanted: u64) -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let current = Some(wanted);
    // Beyond the hard limit only who has the right to can go.
    let maximum = limit.maximum.map(|most| most.max(wanted));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).map_err(|_| {
        let most = limit.maximum.unwrap_or(wanted);
        Failure::Usage(format!(
            "{wanted} open files are needed and {most} are allowed: raise the limit with `ulimit -Hn {wanted}`, or ask for less"
        ))
    })
}

#[cfg(not(unix))]
pub(super) fn raise_open_files(_wanted: u64) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_plain_host_with_or_without_a_port() {
        for (url, authority) in [
            ("http://voice.example:8080/", "voice.example:8080"),
            ("http://voice.example", "voice.example:80"),
            ("http://[::1]", "[::1]:80"),
            ("http://[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(plain_authority(url).unwrap(), authority);
        }
        for url in [
            "https://voice.example",
            "http://",
            "voice.example",
            "http://a/b",
            "http://u@a",
        ] {
            assert!(plain_authority(url).is_err(), "{url}");
        }
    }
}
