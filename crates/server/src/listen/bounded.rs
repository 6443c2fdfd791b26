//! Connections with a bound on their number, each with a bound on how long its other end may take nothing.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

/// Takes connections while there is room and closes those beyond it at once: an open one costs memory and a descriptor,
/// and one that waits for a place would hold both.
#[derive(Clone, Debug)]
pub(super) struct Bounded {
    places: Arc<Semaphore>,
    write_stall: Duration,
}

impl Bounded {
    /// At most `max` at a time, 0 is no bound; one whose other end takes nothing for `write_stall` is given up.
    pub(super) fn new(max: usize, write_stall: Duration) -> Self {
        let max = if max == 0 { Semaphore::MAX_PERMITS } else { max };
        Self {
            places: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))),
            write_stall,
        }
    }
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = Connection;
    type Service = S;
    type Future = Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.take(stream).map(|connection| (connection, service)))
    }
}

impl Bounded {
    fn take(&self, stream: TcpStream) -> io::Result<Connection> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            metrics::counter!("voxpost_connections_refused_total").increment(1);
            io::Error::other("too many connections are open (--max-connections)")
        })?;
        // Events and answers are small; waiting to fill a segment would only delay them.
        stream.set_nodelay(true)?;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_stall));
        metrics::gauge!("voxpost_connections_open").increment(1.0);
        Ok(Connection {
            stream: Box::pin(stream),
            _place: place,
        })
    }
}

/// One of the connections; its place is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Connection {
    fn drop(&mut self) {
        metrics::gauge!("voxpost_connections_open").decrement(1.0);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    #[tokio::test]
    async fn a_connection_beyond_the_bound_is_closed_and_its_place_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bounded = Bounded::new(1, Duration::from_secs(60));
        let (_first_client, far) = pair(&listener).await;
        let first = bounded.take(far).unwrap();
        let (mut second_client, far) = pair(&listener).await;
        assert!(bounded.take(far).is_err());
        assert_eq!(second_client.read(&mut [0; 1]).await.unwrap(), 0);
        drop(first);
        let (mut third_client, far) = pair(&listener).await;
        let mut third = bounded.take(far).unwrap();
        third.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        third_client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_client, far) = pair(&listener).await;
        let mut connection = Bounded::new(0, Duration::from_millis(20)).take(far).unwrap();
        let endless = vec![0; 64 << 20];
        let error = connection.write_all(&endless).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
