//! From a configuration to a running server, and to a clean end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;

use crate::app::{App, Shared};
use crate::auth::{Passwords, Sessions};
use crate::blob::Blobs;
use crate::config::Config;
use crate::housekeeping;
use crate::hub::{self, Hub};
use crate::ingest::Ingest;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::store::{Store, StoreError};
use crate::tls;

/// How long requests may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Why the server could not start or had to stop; the text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {0} (--data-dir): {1}")]
    DataDir(String, io::Error),
    /// The address cannot be used.
    #[error("cannot listen on {0} (--listen): {1}")]
    Listen(std::net::SocketAddr, io::Error),
    /// The certificate cannot be used.
    #[error("cannot use the certificate (--tls, --tls-cert, --tls-key): {0}")]
    Tls(io::Error),
    /// The operator's address cannot be used.
    #[error("cannot listen on {0} (--ops-listen): {1}")]
    OpsListen(std::net::SocketAddr, io::Error),
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
    let keys = Keys::open(&config.data_dir).map_err(data_dir)?;
    let store = Store::open(&config.data_dir).await?;
    let hub = Hub::open(&store).await?;
    let blobs = Blobs::open(&config.data_dir).map_err(data_dir)?;
    let ingest = Ingest::start(&config).map_err(data_dir)?;
    let app = App::new(Shared {
        limits: Limits::new(&config),
        config,
        keys,
        store,
        sessions: Sessions::new(),
        passwords: Passwords::new(),
        hub,
        blobs,
        ingest,
    });
    hub::start(&app);
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
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| ServeError::Listen(listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| ServeError::Listen(listen, error))?;
    let service = crate::http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    match tls::certificate(&app.config).map_err(ServeError::Tls)? {
        None => {
            announce(&format!("voxpost listening on http://{address}"));
            axum::serve(listener, service)
                .with_graceful_shutdown(stop(app.clone()))
                .await
                .map_err(|error| ServeError::Listen(listen, error))?;
        }
        Some(certificate) => {
            // Fails when it was done before, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let config = RustlsConfig::from_pem_file(&certificate.cert, &certificate.key)
                .await
                .map_err(ServeError::Tls)?;
            let listen_failed = |error| ServeError::Listen(listen, error);
            let listener = listener.into_std().map_err(listen_failed)?;
            let handle = Handle::new();
            let server = axum_server::from_tcp_rustls(listener, config).map_err(listen_failed)?;
            announce(&format!("voxpost listening on https://{address}"));
            if let Some(fingerprint) = &certificate.fingerprint {
                announce(&format!("certificate SHA-256: {fingerprint}"));
                for url in tls::urls(address) {
                    announce(&format!("from other devices: {url}"));
                }
            }
            let (stopping, ending) = (handle.clone(), app.clone());
            tokio::spawn(async move {
                stop(ending).await;
                stopping.graceful_shutdown(Some(GRACE));
            });
            server
                .handle(handle)
                .serve(service)
                .await
                .map_err(listen_failed)?;
        }
    }
    close(&app).await;
    Ok(())
}

/// The one line on standard output: where to go. Whoever starts the server (a person, a test) reads it.
fn announce(line: &str) {
    use std::io::Write;
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Waits for the signal to stop, then says goodbye to open sockets, which would otherwise be waited for.
async fn stop(app: App) {
    stop_signal().await;
    tokio::spawn(async move { app.hub.stop().await });
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be caught");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
