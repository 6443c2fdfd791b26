//! The server under test: a process of this same binary on a temporary data directory.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::SubjectArgs;
use super::process::Process;
use crate::failure::Failure;

/// What the server prints before its address.
const LISTENING: &str = "voxpost listening on http://";
/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Subject {
    authority: String,
    child: Child,
    pid: u32,
    dir: TempDir,
}

impl Subject {
    /// Starts it on a free port of this machine, where everybody may sign up.
    pub(super) async fn start(args: &SubjectArgs) -> Result<Self, Failure> {
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
        Ok(Self {
            authority,
            child,
            pid,
            dir,
        })
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn process(&self) -> Process {
        Process::new(self.pid)
    }

    /// A directory on the server's disk.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops it the gentle way; its directory goes too.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid.cast_signed()) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(Failure::other)?;
        }
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => Err(Failure::other(format!("the server ended badly: {status:?}"))),
            Err(_) => Err(Failure::other("the server did not stop within a minute")),
        }
    }
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

/// Allows as many open files as the system lets this process have, and the servers that it starts.
#[cfg(unix)]
pub(super) fn raise_open_files(wanted: u64) -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit {
        current: limit.maximum.map_or(Some(wanted), |most| Some(most.min(wanted))),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).map_err(Failure::other)?;
    match limit.maximum {
        Some(most) if most < wanted => Err(Failure::Usage(format!(
            "{wanted} open files are needed and {most} are allowed: raise `ulimit -Hn`, or lower --sockets"
        ))),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
pub(super) fn raise_open_files(_wanted: u64) -> Result<(), Failure> {
    Ok(())
}
