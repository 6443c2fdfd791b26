//! A real S3 server of its own: s3s-fs, which keeps objects as files.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{ServerOptions, eventually};

const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const BUCKET: &str = "voice";

/// The store with one bucket. It ends when it is dropped.
pub struct S3 {
    address: SocketAddr,
    root: TempDir,
    process: Option<Child>,
}

impl S3 {
    /// The secret of the store.
    pub const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Starts it on a free port with an empty bucket.
    pub async fn start() -> Self {
        let root = tempfile::Builder::new()
            .prefix("voxpost-s3-")
            .tempdir()
            .expect("a temporary folder");
        std::fs::create_dir(root.path().join(BUCKET)).expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let mut s3 = Self {
            address,
            root,
            process: None,
        };
        s3.go_on().await;
        s3
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder that holds the objects of the bucket as files.
    pub fn bucket_dir(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// Kills it: connections break, new ones are refused. The objects stay.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it was killed");
        }
    }

    /// Starts it again on the same port, with the same objects.
    pub async fn go_on(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let process = Command::new(tool("s3s-fs"))
            .args(["--host", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--access-key", ACCESS_KEY, "--secret-key", Self::SECRET_KEY])
            .arg(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("s3s-fs starts"));
        let address = self.address;
        eventually("the S3 server to listen", || async move {
            TcpStream::connect(address).await.ok()
        })
        .await;
    }

    /// The settings of a server that keeps its objects here.
    pub fn options(&self, options: ServerOptions) -> ServerOptions {
        self.options_by(options, &self.base())
    }

    /// The same by way of another address, such as a proxy's.
    pub fn options_by(&self, options: ServerOptions, endpoint: &str) -> ServerOptions {
        let settings = self.settings(endpoint).into_iter();
        settings.fold(options, |options, (name, value)| options.env(name, value))
    }

    /// The environment of a program that keeps its objects here, by way of `endpoint`.
    pub fn settings(&self, endpoint: &str) -> [(&'static str, String); 4] {
        [
            ("VOXPOST_S3_BUCKET", BUCKET.to_owned()),
            ("VOXPOST_S3_ENDPOINT", endpoint.to_owned()),
            ("VOXPOST_S3_ACCESS_KEY", ACCESS_KEY.to_owned()),
            ("VOXPOST_S3_SECRET_KEY", Self::SECRET_KEY.to_owned()),
        ]
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that `scripts/setup.sh` has built, outside of this tree.
fn tool(name: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cache"))
    });
    let path = cache.expect("HOME is set").join("voxpost/tools/bin").join(name);
    assert!(
        path.is_file(),
        "{} is not there: run scripts/setup.sh test",
        path.display()
    );
    path
}
