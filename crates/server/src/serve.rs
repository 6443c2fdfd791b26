//! From a configuration to a running server, and to a clean end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use axum_server::Handle;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{App, Shared};
use crate::auth::{Issuers, Passwords, Sessions};
use crate::blob::Blobs;
use crate::config::Config;
use crate::housekeeping;
use crate::http::health::Readiness;
use crate::hub::{self, Hub};
use crate::ingest::Ingest;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::listen::{self, descriptors};
use crate::live::{self, Recordings};
use crate::renditions::Renditions;
use crate::store::{Store, StoreError};
use crate::tls::{self, Certificate};
use crate::uploads::Uploads;

/// Why the server could not start or had to stop; the text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {0} (--data-dir): {1}")]
    DataDir(String, io::Error),
    /// The object store cannot be used as configured.
    #[error("cannot use the object store (--data-dir, --s3-…): {0}")]
    Objects(io::Error),
    /// The address cannot be used.
    #[error("cannot listen on {0} (--listen): {1}")]
    Listen(std::net::SocketAddr, io::Error),
    /// The certificate cannot be used.
    #[error("cannot use the certificate (--tls, --tls-cert, --tls-key): {0}")]
    Tls(io::Error),
    /// An issuer of tokens cannot be used as configured.
    #[error("cannot take tokens of the issuer (--jwt-issuer) {0}")]
    JwtIssuer(String),
    /// The operator's address cannot be used.
    #[error("cannot listen on {0} (--ops-listen): {1}")]
    OpsListen(std::net::SocketAddr, io::Error),
    /// The signals to stop cannot be caught.
    #[error("cannot wait for SIGINT and SIGTERM: {0}")]
    Signals(io::Error),
    /// The log's filter cannot be read.
    #[error("cannot log as asked (--log): {0}")]
    Log(String),
    /// The database cannot be opened.
    #[error("cannot open the database: {0}")]
    Database(String),
}

impl From<StoreError> for ServeError {
    fn from(error: StoreError) -> Self {
        Self::Database(error.to_string())
    }
}

/// Opens everything that the server works with, and starts what carries its events. Nothing listens yet.
pub(crate) async fn open(config: Config) -> Result<App, ServeError> {
    let data_dir = |error| ServeError::DataDir(config.data_dir.display().to_string(), error);
    std::fs::create_dir_all(&config.data_dir).map_err(data_dir)?;
    let issuers = Issuers::open(&config.jwt_issuer).map_err(ServeError::JwtIssuer)?;
    let keys = Keys::open(&config.data_dir).map_err(data_dir)?;
    let store = Store::open(&config.data_dir).await?;
    let hub = Hub::open(&store).await?;
    let blobs = Blobs::open(&config.data_dir, &config.s3).map_err(ServeError::Objects)?;
    let ingest = Ingest::start(&config).map_err(data_dir)?;
    let uploads = Uploads::open(&config).map_err(data_dir)?;
    let app = App::new(Shared {
        limits: Limits::new(&config),
        config,
        keys,
        store,
        sessions: Sessions::new(),
        issuers,
        passwords: Passwords::new(),
        hub,
        blobs,
        ingest,
        uploads,
        renditions: Renditions::start(),
        recordings: Recordings::new(),
        readiness: Readiness::default(),
    });
    hub::start(&app);
    live::run(&app)
        .await
        .map_err(|error| ServeError::Database(error.problem().detail.clone()))?;
    Ok(app)
}

/// Ends what [`open`] began, once everything that was accepted is durable.
pub(crate) async fn close(app: &App) {
    app.hub.stop().await;
    app.ingest.stop().await;
    app.store.close().await;
}

/// Runs until it is told to stop (SIGINT, SIGTERM); returns when everything that was accepted is durable.
pub async fn serve(config: Config) -> Result<(), ServeError> {
    let listen = config.listen;
    crate::telemetry::start(&config).map_err(ServeError::Log)?;
    if let Some(listen) = config.ops_listen {
        let address = crate::ops::start(listen).await?;
        tracing::info!(%address, "metrics are at /metrics");
    }
    let app = open(config).await?;
    housekeeping::start(&app, housekeeping::Rhythm::default())
        .await
        .map_err(|error| ServeError::Database(error.problem().detail.clone()))?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| ServeError::Listen(listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| ServeError::Listen(listen, error))?;
    let certificate = tls::certificate(&app.config).map_err(ServeError::Tls)?;
    let max_connections = descriptors::bound(app.config.max_connections);
    let router = crate::http::router(app.clone());
    let handle = Handle::new();
    let serving = listen::serve(
        listener,
        certificate.as_ref(),
        router,
        max_connections,
        handle.clone(),
    );
    let signals = Signals::new().map_err(ServeError::Signals)?;
    announce(address, certificate.as_ref());
    tokio::spawn(stop(app.clone(), handle, signals));
    let served = serving.await;
    close(&app).await;
    served.map_err(|error| match certificate {
        Some(_) => ServeError::Tls(error),
        None => ServeError::Listen(listen, error),
    })
}

/// The lines on standard output: where to go. Whoever starts the server (a person, a test) reads them.
fn announce(address: SocketAddr, certificate: Option<&Certificate>) {
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let mut lines = vec![format!("voxpost listening on {scheme}://{address}")];
    if let Some(fingerprint) = certificate.and_then(|certificate| certificate.fingerprint.as_ref()) {
        lines.push(format!("certificate SHA-256: {fingerprint}"));
        lines.extend(tls::urls(address).map(|url| format!("from other devices: {url}")));
    }
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", lines.join("\n"));
    let _ = out.flush();
}

/// Waits for a signal, then says goodbye to open sockets and lets requests end; a second signal does not wait for them.
async fn stop(app: App, handle: Handle<SocketAddr>, mut signals: Signals) {
    signals.next().await;
    let grace = Duration::from_millis(app.config.shutdown_grace_ms);
    tracing::info!(
        ?grace,
        "stopping: requests may end; a second signal stops at once"
    );
    handle.graceful_shutdown(Some(grace));
    tokio::select! {
        () = app.hub.stop() => signals.next().await,
        () = signals.next() => {}
    }
    tracing::warn!("stopping at once");
    handle.shutdown();
    signals.next().await;
    // What was accepted is durable; only work that goes on after the next start is cut short.
    std::process::exit(130);
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
