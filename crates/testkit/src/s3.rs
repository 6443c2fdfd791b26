//! A real S3 server of its own: s3s-fs, which keeps objects as files; Garage when `VOXPOST_TEST_S3` is `garage`, for the tests that
//! do not look at those files.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{ServerOptions, eventually};

const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const BUCKET: &str = "voice";
const REGION: &str = "garage";

/// The store with one bucket. It ends when it is dropped.
pub struct S3 {
    address: SocketAddr,
    /// Garage listens to itself on another port.
    rpc: SocketAddr,
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
        let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (one, other) = (free(), free());
        let address = one.local_addr().expect("it is bound");
        let rpc = other.local_addr().expect("it is bound");
        drop((one, other));
        let mut s3 = Self {
            address,
            rpc,
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
        let garage = std::env::var("VOXPOST_TEST_S3").is_ok_and(|name| name == "garage");
        let mut command = if garage { self.garage() } else { self.s3s_fs() };
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("it starts"));
        let address = self.address;
        eventually("the S3 server to listen", || async move {
            TcpStream::connect(address).await.ok()
        })
        .await;
    }

    fn s3s_fs(&self) -> Command {
        let mut command = Command::new(tool("s3s-fs"));
        command
            .args(["--host", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--access-key", ACCESS_KEY, "--secret-key", Self::SECRET_KEY])
            .arg(self.root.path());
        command
    }

    fn garage(&self) -> Command {
        let root = self.root.path().display();
        let config = format!(
            "metadata_dir = \"{root}/meta\"\ndata_dir = \"{root}/data\"\ndb_engine = \"sqlite\"\n\
             replication_factor = 1\nrpc_bind_addr = \"{rpc}\"\nrpc_public_addr = \"{rpc}\"\nrpc_secret = \"{secret}\"\n\
             [s3_api]\ns3_region = \"{REGION}\"\napi_bind_addr = \"{address}\"\n",
            rpc = self.rpc,
            secret = Self::SECRET_KEY,
            address = self.address,
        );
        let path = self.root.path().join("garage.toml");
        std::fs::write(&path, config).expect("a file");
        let mut command = Command::new(tool("garage"));
        command
            .arg("-c")
            .arg(path)
            .args(["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", Self::SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET);
        command
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
    pub fn settings(&self, endpoint: &str) -> [(&'static str, String); 5] {
        [
            ("VOXPOST_S3_BUCKET", BUCKET.to_owned()),
            ("VOXPOST_S3_ENDPOINT", endpoint.to_owned()),
            ("VOXPOST_S3_REGION", REGION.to_owned()),
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
