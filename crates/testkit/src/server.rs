//! The built binary as a server process on a port and a data folder of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::{Person, patiently};

/// What the server prints on stdout when it is ready, followed by its address.
const LISTENING: &str = "voxpost listening on ";

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    binary: PathBuf,
    listen: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    shell_prelude: Option<String>,
}

impl ServerOptions {
    /// `binary` is `env!("CARGO_BIN_EXE_voxpost")` of the test that uses this.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            listen: "127.0.0.1:0".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            shell_prelude: None,
        }
    }

    /// Where to listen instead of a free loopback port, such as `0.0.0.0:0`.
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// A further argument of `voxpost serve`.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// An environment variable; all other `VOXPOST_…` variables are taken away.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Shell commands in front, such as `ulimit -f 100`, that hold for the server process.
    pub fn under(mut self, prelude: &str) -> Self {
        self.shell_prelude = Some(prelude.to_owned());
        self
    }

    /// Starts on a fresh data folder and waits until it listens.
    pub async fn start(self) -> Server {
        let dir = tempfile::Builder::new()
            .prefix("voxpost-e2e-")
            .tempdir()
            .expect("a temporary folder");
        let path = dir.path().join("data");
        let mut server = self.start_in(&path).await;
        server.owned_dir = Some(Arc::new(dir));
        server
    }

    /// Starts on `data_dir`, which is left as it is afterwards.
    pub async fn start_in(self, data_dir: &Path) -> Server {
        match self.try_start_in(data_dir).await {
            Ok(server) => server,
            Err(log) => panic!("the server did not start:\n{log}"),
        }
    }

    /// As [`ServerOptions::start_in`]; a server that ends instead of listening is `Err` with its output.
    pub async fn try_start_in(self, data_dir: &Path) -> Result<Server, String> {
        let mut command = self.command(data_dir);
        let mut child = command.spawn().expect("the binary starts");
        let log = Log::default();
        let (address_tx, mut address_rx) = watch::channel(None);
        let out = follow(child.stdout.take().expect("piped"), log.clone(), Some(address_tx));
        let err = follow(child.stderr.take().expect("piped"), log.clone(), None);
        let listening = patiently("the server to listen", address_rx.wait_for(Option::is_some)).await;
        let base = match listening {
            Ok(address) => address.clone().expect("waited for it"),
            Err(_) => {
                // Its output has ended, so the process has.
                let _ = patiently("the server to end", child.wait()).await;
                let _ = tokio::join!(out, err);
                return Err(log.text());
            }
        };
        Ok(Server {
            base,
            data_dir: data_dir.to_owned(),
            child,
            log,
            options: self,
            owned_dir: None,
        })
    }

    fn command(&self, data_dir: &Path) -> Command {
        let mut command = match &self.shell_prelude {
            None => Command::new(&self.binary),
            Some(prelude) => {
                let mut shell = Command::new("bash");
                shell
                    .arg("-c")
                    .arg(format!("{prelude}; exec \"$0\" \"$@\""))
                    .arg(&self.binary);
                shell
            }
        };
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VOXPOST_")) {
            command.env_remove(name);
        }
        command
            .args(["serve", "--listen", &self.listen, "--data-dir"])
            .arg(data_dir)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// A running server; killed when dropped.
pub struct Server {
    base: String,
    data_dir: PathBuf,
    child: Child,
    log: Log,
    options: ServerOptions,
    owned_dir: Option<Arc<TempDir>>,
}

impl Server {
    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// All that it has written to stdout and stderr so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Signs up somebody new.
    pub async fn person(&self, username: &str) -> Person {
        Person::sign_up(&self.base, username).await
    }

    /// Memory that is resident now, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("Linux tells it");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number of KiB")
    }

    /// Ends it as a power cut does: SIGKILL, no chance to write anything.
    pub async fn kill(mut self) -> Stopped {
        self.child.start_kill().expect("it runs");
        let _ = patiently("the killed server to be gone", self.child.wait()).await;
        self.stopped()
    }

    /// Asks it to stop (SIGTERM), awaits its end and checks that it went well.
    pub async fn stop(mut self) -> Stopped {
        let told = std::process::Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status();
        assert!(told.expect("kill exists").success());
        let status = patiently("the server to stop", self.child.wait())
            .await
            .expect("its status");
        assert!(status.success(), "stopped with {status}:\n{}", self.log.text());
        self.stopped()
    }

    fn stopped(self) -> Stopped {
        Stopped {
            data_dir: self.data_dir,
            options: self.options,
            owned_dir: self.owned_dir,
            log: self.log.text(),
        }
    }
}

/// A server that has ended, with its data folder.
pub struct Stopped {
    data_dir: PathBuf,
    options: ServerOptions,
    owned_dir: Option<Arc<TempDir>>,
    log: String,
}

impl Stopped {
    /// The data folder, as the server left it.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// All that it had written.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Starts it again on the same folder with the same options; the port is another one.
    pub async fn start(self) -> Server {
        let options = self.options.clone();
        self.start_with(options).await
    }

    /// Starts it again on the same folder with other options.
    pub async fn start_with(self, options: ServerOptions) -> Server {
        let mut server = options.start_in(&self.data_dir).await;
        server.owned_dir = self.owned_dir;
        server
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn push(&self, line: &str) {
        let mut text = self.0.lock().expect("no writer panics");
        text.push_str(line);
        text.push('\n');
    }

    fn text(&self) -> String {
        self.0.lock().expect("no writer panics").clone()
    }
}

fn follow(
    pipe: impl AsyncRead + Unpin + Send + 'static,
    log: Log,
    address: Option<watch::Sender<Option<String>>>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let (Some(tx), Some(rest)) = (&address, line.strip_prefix(LISTENING)) {
                let base = rest.split_whitespace().next().unwrap_or_default();
                let base = base.trim_end_matches('/').replace("0.0.0.0", "127.0.0.1");
                tx.send_replace(Some(base));
            }
            log.push(&line);
        }
    })
}
