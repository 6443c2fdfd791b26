//! A network that breaks: a TCP proxy in front of a server that cuts, stalls, slows down and refuses as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// How much is passed on at a time.
const PIECE: usize = 16 << 10;

/// Passes bytes on to a server, until told otherwise. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Whether nobody listens by now.
    refusing: watch::Receiver<bool>,
    counts: Arc<Counts>,
}

/// What the network is like at present.
#[derive(Clone, Default)]
struct Weather {
    server: String,
    /// Nobody listens.
    refusing: bool,
    /// Connections stay and carry nothing.
    stalled: bool,
    /// Between pieces.
    pause: Duration,
    /// Connections of an earlier age are cut.
    age: usize,
    /// What is answered to each request instead of passing it on.
    answer: Option<&'static str>,
}

#[derive(Default)]
struct Counts {
    /// Connections that are still to be cut, each after `after` bytes from the server.
    cuts: AtomicUsize,
    after: AtomicUsize,
    /// The same, each after so many bytes to the server.
    cuts_up: AtomicUsize,
    after_up: AtomicUsize,
    connections: AtomicUsize,
    up: AtomicUsize,
    down: AtomicUsize,
}

impl Proxy {
    /// A proxy to the server at `base` (`http://127.0.0.1:PORT`).
    pub async fn to(base: &str) -> Self {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = listener.local_addr().expect("it listens");
        let weather = watch::Sender::new(Weather {
            server: authority(base),
            ..Weather::default()
        });
        let counts = Arc::new(Counts::default());
        let (told, refusing) = watch::channel(false);
        tokio::spawn(accept(
            address,
            listener,
            weather.subscribe(),
            told,
            Arc::clone(&counts),
        ));
        Self {
            address,
            weather,
            refusing,
            counts,
        }
    }

    /// The proxy's own `http://127.0.0.1:PORT`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Leads to another server from the next connection on, such as the same one after a restart.
    pub fn lead_to(&self, base: &str) {
        self.weather
            .send_modify(|weather| weather.server = authority(base));
    }

    /// Cuts the next `times` connections that bring more than `after` bytes back, at that place.
    pub fn cut_next(&self, times: usize, after: usize) {
        self.counts.after.store(after, SeqCst);
        self.counts.cuts.store(times, SeqCst);
    }

    /// Cuts the next `times` connections that carry more than `after` bytes to the server, at that place.
    pub fn cut_next_up(&self, times: usize, after: usize) {
        self.counts.after_up.store(after, SeqCst);
        self.counts.cuts_up.store(times, SeqCst);
    }

    /// How many of those are still to be cut.
    pub fn cuts_left(&self) -> usize {
        self.counts.cuts.load(SeqCst)
    }

    /// Cuts every connection that is open.
    pub fn cut_all(&self) {
        self.weather.send_modify(|weather| weather.age += 1);
    }

    /// From now on each request is answered by these bytes (a head and a body) and not passed on; open connections are cut.
    pub fn answer_all(&self, answer: Option<&'static str>) {
        self.weather.send_modify(|weather| {
            weather.answer = answer;
            weather.age += 1;
        });
    }

    /// While true, connections carry nothing and stay open.
    pub fn stall(&self, stalled: bool) {
        self.weather.send_modify(|weather| weather.stalled = stalled);
    }

    /// While true, nobody listens: a connection is refused, as by a machine without the server. Open ones stay.
    pub async fn refuse(&self, refusing: bool) {
        self.weather.send_modify(|weather| weather.refusing = refusing);
        let mut standing = self.refusing.clone();
        let reached = standing.wait_for(|standing| *standing == refusing).await;
        assert!(reached.is_ok(), "the proxy runs");
    }

    /// Waits so long after every 16 KiB.
    pub fn slow_down(&self, pause: Duration) {
        self.weather.send_modify(|weather| weather.pause = pause);
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(SeqCst)
    }

    /// Bytes that went to the server.
    pub fn bytes_up(&self) -> usize {
        self.counts.up.load(SeqCst)
    }

    /// Bytes that came from the server.
    pub fn bytes_down(&self) -> usize {
        self.counts.down.load(SeqCst)
    }
}

fn authority(base: &str) -> String {
    base.trim_start_matches("http://").to_owned()
}

/// A small receive buffer, so that what does not get through is soon felt by the sender.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option of every system");
    socket
        .set_recv_buffer_size(2 * PIECE as u32)
        .expect("an option of every system");
    socket.bind(address).expect("a free port");
    socket.listen(64).expect("it can listen")
}

async fn accept(
    address: SocketAddr,
    listener: TcpListener,
    mut weather: watch::Receiver<Weather>,
    refusing_now: watch::Sender<bool>,
    counts: Arc<Counts>,
) {
    let mut listener = Some(listener);
    loop {
        let refusing = weather.borrow_and_update().refusing;
        if refusing {
            listener = None;
        }
        refusing_now.send_replace(listener.is_none());
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = weather.changed() => match changed {
                Ok(()) if listener.is_none() && !weather.borrow().refusing => listener = Some(listen(address)),
                Ok(()) => {}
                // The proxy was dropped.
                Err(_) => return,
            },
            accepted = accepted => if let Ok((client, _)) = accepted {
                counts.connections.fetch_add(1, SeqCst);
                tokio::spawn(connection(client, weather.clone(), Arc::clone(&counts)));
            },
        }
    }
}

/// One connection; both ends are cut when either direction ends, or the age does.
async fn connection(client: TcpStream, mut weather: watch::Receiver<Weather>, counts: Arc<Counts>) {
    let (server, age, answer) = {
        let weather = weather.borrow();
        (weather.server.clone(), weather.age, weather.answer)
    };
    if let Some(answer) = answer {
        return answer_instead(client, answer).await;
    }
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let sky = weather.clone();
    tokio::select! {
        () = pass(from_client, to_server, sky.clone(), limit(&counts.cuts_up, &counts.after_up, &counts.up)) => {}
        () = pass(from_server, to_client, sky, limit(&counts.cuts, &counts.after, &counts.down)) => {}
        _ = weather.wait_for(|weather| weather.age > age) => {}
    }
}

/// Reads a request's head and answers it. Its body is read too, while it comes, so that the answer is not lost to a reset.
async fn answer_instead(mut client: TcpStream, answer: &str) {
    let (mut head, mut piece) = (Vec::new(), vec![0; PIECE]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match client.read(&mut piece).await {
            Ok(length @ 1..) => head.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    if client.write_all(answer.as_bytes()).await.is_err() || client.shutdown().await.is_err() {
        return;
    }
    while let Ok(1..) = client.read(&mut piece).await {}
}

/// How much of what came is let through, of one direction of one connection.
fn limit(cuts: &AtomicUsize, after: &AtomicUsize, total: &AtomicUsize) -> impl FnMut(usize) -> usize {
    let mut passed = 0;
    move |length| {
        let after = after.load(SeqCst);
        let over = passed + length > after;
        let one_less = |left: usize| left.checked_sub(1);
        let cut = over && cuts.fetch_update(SeqCst, SeqCst, one_less).is_ok();
        let allowed = if cut { after.saturating_sub(passed) } else { length };
        passed += allowed;
        total.fetch_add(allowed, SeqCst);
        allowed
    }
}

/// Passes on what `allow` lets through of each piece, and ends where that is less than all.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    mut allow: impl FnMut(usize) -> usize,
) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if weather.wait_for(|weather| !weather.stalled).await.is_err() {
            return;
        }
        let allowed = allow(length);
        if to.write_all(&piece[..allowed]).await.is_err() || allowed < length {
            return;
        }
        let pause = weather.borrow().pause;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}
