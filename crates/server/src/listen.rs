//! The listener that people reach: plain or TLS, with bounds on how many connect and on how long they may keep it waiting.

mod bounded;
pub(crate) mod descriptors;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::accept::Accept;
use axum_server::service::SendService;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};

use self::bounded::Bounded;
use crate::tls::Certificate;

/// How long the head of a request may take, and a connection may stay silent before its first one.
const HEAD: Duration = Duration::from_secs(20);

/// How long the other end may take nothing of what is sent to it.
const WRITE_STALL: Duration = Duration::from_secs(60);

/// How often an HTTP/2 connection on which nothing happens is asked whether it is still there.
const HTTP2_PING: Duration = Duration::from_secs(30);

/// Streams of one HTTP/2 connection at a time.
const HTTP2_STREAMS: u32 = 100;

/// Answers on `listener` until `handle` says to stop; returns when what was begun has ended, or its grace is over.
/// At most `max_connections` are open at a time, 0 for no bound.
pub(crate) async fn serve(
    listener: TcpListener,
    certificate: Option<&Certificate>,
    router: Router,
    max_connections: usize,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let server =
        Server::<SocketAddr>::from_listener(listener).acceptor(Bounded::new(max_connections, WRITE_STALL));
    match certificate {
        None => run(server, router, handle).await,
        Some(certificate) => {
            // Fails when it was done before, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let config = RustlsConfig::from_pem_file(&certificate.cert, &certificate.key).await?;
            let server = server.map(|bounded| RustlsAcceptor::new(config).acceptor(bounded));
            run(server, router, handle).await
        }
    }
}

async fn run<A>(
    mut server: Server<SocketAddr, A>,
    router: Router,
    handle: Handle<SocketAddr>,
) -> io::Result<()>
where
    A: Accept<TcpStream, axum::middleware::AddExtension<Router, axum::extract::ConnectInfo<SocketAddr>>>
        + Clone
        + Send
        + Sync
        + 'static,
    A::Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    A::Service: SendService<axum::http::Request<hyper::body::Incoming>> + Send,
    A::Future: Send,
{
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .keep_alive_interval(HTTP2_PING);
    server
        .first_request_timeout(HEAD)
        .accept_error_handler(|_, error| {
            metrics::counter!("voxpost_connections_failed_total").increment(1);
            tracing::debug!(%error, "a connection was not accepted");
        })
        .handle(handle)
        .serve(router.into_make_service_with_connect_info::<SocketAddr>())
        .await
}
