//! `voxpost bench socket`.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, TryStreamExt};
use serde::Serialize;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use voxpost_client::{Client, Uuid};

use super::SocketArgs;
use super::clips::WEBM_10_S;
use super::load::Sender;
use super::people::{self, Ids, Person};
use super::process::Process;
use super::report::{self, Row};
use super::subject::{Subject, raise_open_files};
use super::wire::Template;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::stats::{Latencies, Summary};

/// Handshakes at the same time.
const HANDSHAKES: usize = 64;
/// How many of them come from one address.
const SOCKETS_OF_ADDRESS: usize = 20_000;
/// How long one event may take before a socket counts as deaf.
const DEAF_AFTER: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Report {
    sockets: u32,
    people: u32,
    connect_seconds: f64,
    rss_before_bytes: Option<u64>,
    rss_after_bytes: Option<u64>,
    bytes_per_socket: Option<f64>,
    /// From before the message is sent until the last socket has the event.
    last_after_send: Summary,
    /// From the first socket that has the event to the last.
    first_to_last: Summary,
    server_cpu_seconds: Option<f64>,
    generator_cpu_seconds: Option<f64>,
}

pub(super) type Socket = WebSocketStream<TcpStream>;

pub(super) async fn run(args: &SocketArgs, screen: &mut Screen) -> Result<(), Failure> {
    // The server keeps some hundred for its other work.
    raise_open_files(u64::from(args.sockets) + 1024)?;
    let subject = Subject::open(&args.subject).await?;
    screen.note(format_args!("{} people …", args.people));
    let people = people::sign_up(&subject, args.people as usize).await?;
    let conversation = people::group(&people).await?.id;
    let template = Template::new(subject.authority(), &people[0].token, conversation, WEBM_10_S[0]);
    let mut sender = Sender::new(subject.authority(), vec![template])
        .await
        .map_err(Failure::other)?;
    let ids = Ids::new()?;
    // What the first message allocates for good is not the sockets', and of its waveform none of them shall hear.
    send(&mut sender, &ids).await?;
    let first: voxpost_client::Message = serde_json::from_slice(sender.answer()).map_err(Failure::other)?;
    analysed(&people[0], first.id).await?;

    let process = subject.process();
    let rss_before_bytes = process.and_then(Process::resident_bytes);
    screen.note(format_args!("{} sockets …", args.sockets));
    let start = Instant::now();
    let sockets = connect_all(&subject, &people, args.sockets).await?;
    let connect_seconds = start.elapsed().as_secs_f64();
    let rss_after_bytes = process.and_then(Process::resident_bytes);

    screen.note("one event to all of them …");
    let (heard, mut events) = mpsc::unbounded_channel();
    let listeners: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(listen(socket, heard.clone())))
        .collect();
    let cpu = (
        process.and_then(Process::cpu_seconds),
        Process::own().cpu_seconds(),
    );
    let (mut last_after_send, mut first_to_last) = (Latencies::default(), Latencies::default());
    for _ in 0..args.events {
        let sent = Instant::now();
        let (answer, arrived) = tokio::join!(send(&mut sender, &ids), arrivals(&mut events, args.sockets));
        answer?;
        let (first, last) = arrived?;
        last_after_send.add(last - sent);
        first_to_last.add(last - first);
    }
    let spent = |before: Option<f64>, now: Option<f64>| Some(now? - before?);
    let growth = rss_after_bytes
        .zip(rss_before_bytes)
        .map(|(after, before)| after.saturating_sub(before));
    let report = Report {
        sockets: args.sockets,
        people: args.people,
        connect_seconds,
        rss_before_bytes,
        rss_after_bytes,
        bytes_per_socket: growth.map(|bytes| bytes as f64 / f64::from(args.sockets)),
        last_after_send: last_after_send.summary(),
        first_to_last: first_to_last.summary(),
        server_cpu_seconds: spent(cpu.0, process.and_then(Process::cpu_seconds)),
        generator_cpu_seconds: spent(cpu.1, Process::own().cpu_seconds()),
    };
    listeners.iter().for_each(tokio::task::JoinHandle::abort);
    subject.close(people).await?;
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, screen)
    }
}

pub(super) async fn send(sender: &mut Sender, ids: &Ids) -> Result<(), Failure> {
    match sender.send(ids).await.map_err(Failure::other)? {
        201 => Ok(()),
        status => Err(Failure::other(format!("a clip was answered with {status}"))),
    }
}

pub(super) async fn analysed(person: &Person, message: Uuid) -> Result<(), Failure> {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let analysed = async {
        while person.client.message(message).await?.waveform.is_none() {
            look.tick().await;
        }
        Ok(())
    };
    tokio::time::timeout(DEAF_AFTER, analysed)
        .await
        .map_err(|_| Failure::other("a message was never analysed"))?
}

/// So many sockets in order, which take turns among the people.
pub(super) async fn connect_all(
    subject: &Subject,
    people: &[Person],
    count: u32,
) -> Result<Vec<Socket>, Failure> {
    let connecting = (0..count as usize).map(async |number| {
        let token = &people[number % people.len()].token;
        let device = Client::new_id()?;
        connect(subject.authority(), source(number), token, device)
            .await
            .map_err(Failure::other)
    });
    futures_util::stream::iter(connecting)
        .buffered(HANDSHAKES)
        .try_collect()
        .await
}

/// Where the nth socket comes from on this machine: an address has some 28,000 ports to come from, and loopback has many
/// addresses.
fn source(number: usize) -> Ipv4Addr {
    let more = u8::try_from(number / SOCKETS_OF_ADDRESS).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, 0, more, 1)
}

/// Connects, says hello as a device of its own and waits until it is live.
async fn connect(
    authority: &str,
    source: Ipv4Addr,
    token: &str,
    device: Uuid,
) -> tungstenite::Result<Socket> {
    let stream = match authority.parse::<SocketAddrV4>() {
        Ok(there) if there.ip().is_loopback() && !source.eq(&Ipv4Addr::LOCALHOST) => {
            let from = TcpSocket::new_v4()?;
            from.bind(SocketAddr::from((source, 0)))?;
            from.connect(there.into()).await?
        }
        _ => TcpStream::connect(authority).await?,
    };
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{authority}/v1/socket").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static("voxpost.v1"),
    );
    headers.insert(
        header::AUTHORIZATION,
        HeaderValue::try_from(format!("Bearer {token}"))?,
    );
    // Ten thousand of these are in this process: small buffers.
    let config = WebSocketConfig::default()
        .read_buffer_size(2048)
        .write_buffer_size(0);
    let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    let hello = format!(r#"{{"type":"hello","device_id":"{device}"}}"#);
    socket.send(Message::text(hello)).await?;
    while let Some(message) = socket.next().await {
        if is_text_with(&message?, r#""type":"synced""#) {
            return Ok(socket);
        }
    }
    Err(tungstenite::Error::ConnectionClosed)
}

/// What a socket heard of a message.
enum Heard {
    Created(Instant),
    /// Its waveform, which comes when the server has analysed it.
    Updated,
}

/// Tells when each message of the conversation arrives.
async fn listen(mut socket: Socket, heard: mpsc::UnboundedSender<Heard>) {
    while let Some(Ok(message)) = socket.next().await {
        let told = if is_text_with(&message, r#""type":"message.created""#) {
            heard.send(Heard::Created(Instant::now()))
        } else if is_text_with(&message, r#""type":"message.updated""#) {
            heard.send(Heard::Updated)
        } else {
            Ok(())
        };
        if told.is_err() {
            return;
        }
    }
}

fn is_text_with(message: &Message, part: &str) -> bool {
    matches!(message, Message::Text(text) if text.contains(part))
}

/// When the first and the last of the sockets heard of a message. Returns when all have heard of its waveform too, so that the
/// next message finds the server idle.
async fn arrivals(
    events: &mut mpsc::UnboundedReceiver<Heard>,
    sockets: u32,
) -> Result<(Instant, Instant), Failure> {
    let mut created = Vec::with_capacity(sockets as usize);
    let mut updated = 0;
    while created.len() < sockets as usize || updated < sockets {
        match tokio::time::timeout(DEAF_AFTER, events.recv()).await {
            Ok(Some(Heard::Created(at))) => created.push(at),
            Ok(Some(Heard::Updated)) => updated += 1,
            _ => {
                return Err(Failure::other(format!(
                    "of {sockets} sockets {} heard of the message and {updated} of its waveform",
                    created.len()
                )));
            }
        }
    }
    let first_and_last = created.iter().min().zip(created.iter().max());
    first_and_last
        .map(|(&first, &last)| (first, last))
        .ok_or_else(|| Failure::other("there are no sockets"))
}

fn tell(report: &Report, screen: &mut Screen) -> Result<(), Failure> {
    let per_socket = report.bytes_per_socket;
    let last = &report.last_after_send;
    let rows = [
        Row::new(
            "sockets",
            format!(
                "{} of {} people, connected in {:.1} s",
                report.sockets, report.people, report.connect_seconds
            ),
        ),
        report::memory("server memory before", report.rss_before_bytes, None),
        report::memory("server memory with them", report.rss_after_bytes, None),
        match per_socket {
            Some(bytes) => Row::new("memory for each socket", format!("{:.1} KiB", bytes / 1024.0))
                .aim("8 KiB", bytes <= 8192.0),
            None => Row::new("memory for each socket", report::UNKNOWN),
        },
        Row::new("from sending to the last", report::latency(last)).aim("100 ms", last.max_ms <= 100.0),
        Row::new(
            "from the first to the last",
            report::latency(&report.first_to_last),
        ),
        Row::new("processor, server", report::seconds(report.server_cpu_seconds)),
        Row::new(
            "processor, generator",
            report::seconds(report.generator_cpu_seconds),
        ),
    ];
    report::table(screen, "One event to many sockets", &rows)
}
