//! Somebody's home directory, and the command run in it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use voxpost_testkit::{Person, Server, patiently};

/// A person's machine: a home of their own and no `VOXPOST_…` variables.
pub(crate) struct Shell {
    home: TempDir,
    env: Vec<(String, String)>,
}

/// What a command left behind.
pub(crate) struct Ran {
    line: String,
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary folder"),
            env: Vec::new(),
        }
    }

    /// A shell whose owner has just signed up.
    pub(crate) async fn signed_up(server: &Server, name: &str) -> Self {
        let shell = Self::new();
        shell
            .login(server, name, &["--sign-up"])
            .await
            .expect_code(super::exit::OK);
        shell
    }

    /// `voxpost login` with the password of everybody in the tests.
    pub(crate) async fn login(&self, server: &Server, name: &str, more: &[&str]) -> Ran {
        let args = [&["login", server.base(), name, "--password-stdin"], more].concat();
        self.run_with_input(&args, format!("{}\n", Person::PASSWORD).as_bytes())
            .await
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn session_file(&self) -> PathBuf {
        self.path(".config/voxpost/session.json")
    }

    /// A file in the home directory.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("room for a file");
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The command, ready to be started in the home directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_voxpost"));
        command.args(args);
        command
    }

    /// The command on a terminal of its own; both of its outputs come together on standard output.
    pub(crate) fn on_terminal(&self, args: &[&str]) -> Command {
        let line: Vec<String> = [&[env!("CARGO_BIN_EXE_voxpost")], args]
            .concat()
            .iter()
            .map(|word| format!("'{word}'"))
            .collect();
        let mut command = self.program("script");
        command
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line.join(" "),
                "/dev/null",
            ])
            .env("TERM", "xterm-256color");
        command
    }

    /// Another program, in the home directory.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VOXPOST_")) {
            command.env_remove(name);
        }
        command
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("NO_COLOR")
            .env("TZ", "UTC")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// What this prints on its terminal.
    pub(crate) async fn run_on_terminal(&self, args: &[&str]) -> Ran {
        let output = patiently("the command to end", self.on_terminal(args).output()).await;
        Ran::of(args, output.expect("`script` of util-linux is there"))
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let output = patiently("the command to end", self.command(args).output())
            .await
            .expect("it starts");
        Ran::of(args, output)
    }

    pub(crate) async fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        let write = async move {
            // A command that does not want its input may end before it took it all.
            let _ = stdin.write_all(input).await;
        };
        let both = async { tokio::join!(write, child.wait_with_output()).1 };
        Ran::of(
            args,
            patiently("the command to end", both).await.expect("it runs"),
        )
    }
}

/// Ctrl-C for a process.
pub(crate) fn interrupt(child: &tokio::process::Child) {
    let pid = child.id().expect("it runs").to_string();
    let told = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(told.expect("kill exists").success());
}

impl Ran {
    pub(crate) fn of(args: &[&str], output: Output) -> Self {
        Self {
            line: format!("voxpost {}", args.join(" ")),
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless it ended with this exit code; never lets a panic pass.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert!(
            !self.stderr.contains("panicked"),
            "{}: {}",
            self.line,
            self.stderr
        );
        assert_eq!(self.code, code, "{}\n{}{}", self.line, self.text(), self.stderr);
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as JSON, one value on each line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error} in {line}", self.line))
        };
        self.text().lines().map(parse).collect()
    }

    /// Standard output as the one JSON value that it holds.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{}: {}", self.line, self.text());
        lines.remove(0)
    }

    /// The error that `--json` prints on standard error.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let value: Value = serde_json::from_str(self.stderr.trim())
            .unwrap_or_else(|error| panic!("{}: {error} in {}", self.line, self.stderr));
        value["error"].clone()
    }
}
