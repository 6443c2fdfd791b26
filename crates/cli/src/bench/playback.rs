//! `voxpost bench playback`.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Message;
use voxpost_client::{Client, Uuid};

use super::PlaybackArgs;
use super::clips::WEBM_10_S;
use super::load::{Pace, Sender};
use super::people::{self, Ids, Person};
use super::process::Process;
use super::report::{self, Row};
use super::sockets::{self, Socket};
use super::subject::{Subject, raise_open_files};
use super::wire::{Template, Wire};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::stats::{Latencies, Summary};

/// The clips' length, in ms.
const CLIP_MS: u32 = 10_000;

/// How much further each report is. It takes ten of them to have played a clip.
const STEP_MS: u32 = 1_000;

/// How long the last event may take.
const SETTLE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Report {
    listeners: u32,
    people: u32,
    sockets: u32,
    every_seconds: u32,
    /// Each listener reports in turn, whatever the server does.
    open: Outcome,
    /// As fast as they are acknowledged.
    closed: Outcome,
    rss_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Outcome {
    /// Reports that were acknowledged with 200, which is after the commit.
    reports: usize,
    /// Other answers by status.
    refused: BTreeMap<u16, usize>,
    seconds: f64,
    reports_per_second: f64,
    /// In the open loop from the instant at which the report was due.
    latency: Summary,
    /// `playback.updated` at the same person's other device, from the instant at which the report was sent.
    events: Summary,
    server_cores: Option<f64>,
    generator_cores: f64,
}

/// One player of one person.
struct Listener {
    token: String,
    message: Uuid,
    player: Uuid,
    reports: AtomicU32,
    /// When the last report was sent, in µs since the start of the program's measurement.
    sent_us: AtomicU64,
}

/// What the sockets heard.
struct Ears {
    start: Instant,
    /// By person and message.
    listeners: Vec<HashMap<Uuid, Arc<Listener>>>,
    heard: Mutex<Latencies>,
}

pub(super) async fn run(args: &PlaybackArgs, screen: &mut Screen) -> Result<(), Failure> {
    raise_open_files(u64::from(args.people) + u64::from(args.connections) + 1024)?;
    let subject = Subject::open(&args.subject).await?;
    screen.note(format_args!("{} people …", args.people));
    let people = people::sign_up(&subject, args.people as usize).await?;
    let messages = say(&subject, &people, args.listeners.div_ceil(args.people)).await?;
    let (listeners, ears) = listeners(&people, &messages, args.listeners as usize)?;
    screen.note(format_args!("{} sockets …", args.people));
    let sockets = sockets::connect_all(&subject, &people, args.people).await?;
    let deaf: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(person, socket)| tokio::spawn(hear(socket, person, Arc::clone(&ears))))
        .collect();

    let mut wires = Vec::new();
    for _ in 0..args.connections {
        wires.push(Wire::connect(subject.authority()).await.map_err(Failure::other)?);
    }
    let time = Duration::from_secs(args.seconds);
    let rate = f64::from(args.listeners) / f64::from(args.every);
    let load = Load {
        authority: subject.authority(),
        server: subject.process(),
        listeners: &listeners,
        ears: &ears,
        ids: Ids::new()?,
        next: Cell::new(0),
    };
    screen.note(format_args!(
        "{rate:.0} reports a second for {} s …",
        args.seconds
    ));
    let open = load.run(&mut wires, &Pace::open(rate, time)).await?;
    let rss_bytes = subject.process().and_then(Process::resident_bytes);
    screen.note(format_args!("as many as it takes for {} s …", args.seconds));
    let closed = load.run(&mut wires, &Pace::closed(time)).await?;
    deaf.iter().for_each(tokio::task::JoinHandle::abort);
    subject.close(people).await?;
    let report = Report {
        listeners: args.listeners,
        people: args.people,
        sockets: args.people,
        every_seconds: args.every,
        open,
        closed,
        rss_bytes,
    };
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, screen)
    }
}

/// Says so many clips in a group of all people, and waits until the server has nothing to do with them any more.
async fn say(subject: &Subject, people: &[Person], clips: u32) -> Result<Vec<Uuid>, Failure> {
    let conversation = people::group(people).await?.id;
    let templates = WEBM_10_S
        .iter()
        .map(|clip| Template::new(subject.authority(), &people[0].token, conversation, clip));
    let mut sender = Sender::new(subject.authority(), templates.collect())
        .await
        .map_err(Failure::other)?;
    let ids = Ids::new()?;
    let mut messages = Vec::new();
    for _ in 0..clips {
        sockets::send(&mut sender, &ids).await?;
        let message: voxpost_client::Message =
            serde_json::from_slice(sender.answer()).map_err(Failure::other)?;
        messages.push(message.id);
    }
    for &message in &messages {
        sockets::analysed(&people[0], message).await?;
    }
    Ok(messages)
}

fn listeners(
    people: &[Person],
    messages: &[Uuid],
    count: usize,
) -> Result<(Vec<Arc<Listener>>, Arc<Ears>), Failure> {
    let mut listeners = Vec::with_capacity(count);
    let mut by_person: Vec<HashMap<_, _>> = people.iter().map(|_| HashMap::new()).collect();
    for number in 0..count {
        let person = number % people.len();
        let listener = Arc::new(Listener {
            token: people[person].token.clone(),
            message: messages[number / people.len()],
            player: Client::new_id()?,
            reports: AtomicU32::new(0),
            sent_us: AtomicU64::new(0),
        });
        by_person[person].insert(listener.message, Arc::clone(&listener));
        listeners.push(listener);
    }
    let ears = Ears {
        start: Instant::now(),
        listeners: by_person,
        heard: Mutex::default(),
    };
    Ok((listeners, Arc::new(ears)))
}

struct Load<'a> {
    authority: &'a str,
    server: Option<Process>,
    listeners: &'a [Arc<Listener>],
    ears: &'a Ears,
    ids: Ids,
    next: Cell<usize>,
}

impl Load<'_> {
    async fn run(&self, wires: &mut [Wire], pace: &Pace) -> Result<Outcome, Failure> {
        self.ears.take();
        let before = (
            self.server.and_then(Process::cpu_seconds),
            Process::own().cpu_seconds(),
        );
        let start = Instant::now();
        let mut working: FuturesUnordered<_> = wires.iter_mut().map(|wire| self.work(wire, pace)).collect();
        let mut latencies = Latencies::default();
        let mut refused = BTreeMap::new();
        while let Some(done) = working.next().await {
            let (own, others) =
                done.map_err(|error| Failure::other(format!("a connection broke: {error}")))?;
            latencies.merge(&own);
            for (status, count) in others {
                *refused.entry(status).or_default() += count;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let events = self.ears.settled(latencies.len()).await;
        let cores = |before: Option<f64>, now: Option<f64>| Some((now? - before?) / seconds);
        Ok(Outcome {
            reports: latencies.len(),
            refused,
            seconds,
            reports_per_second: latencies.len() as f64 / seconds,
            latency: latencies.summary(),
            events: events.summary(),
            server_cores: cores(before.0, self.server.and_then(Process::cpu_seconds)),
            generator_cores: cores(before.1, Process::own().cpu_seconds()).unwrap_or(0.0),
        })
    }

    async fn work(&self, wire: &mut Wire, pace: &Pace) -> io::Result<(Latencies, BTreeMap<u16, usize>)> {
        let mut latencies = Latencies::default();
        let mut refused = BTreeMap::new();
        while let Some(due) = pace.next().await {
            let number = self.next.get();
            self.next.set((number + 1) % self.listeners.len());
            let listener = &self.listeners[number];
            let request = listener.request(self.authority, self.ids.fresh());
            listener
                .sent_us
                .store(self.ears.start.elapsed().as_micros() as u64, Ordering::Relaxed);
            match wire.exchange(request.as_bytes()).await? {
                200 => latencies.add(due.elapsed()),
                status => *refused.entry(status).or_default() += 1,
            }
        }
        Ok((latencies, refused))
    }
}

impl Listener {
    /// The next report of this player: a second further, from the start again at the end.
    fn request(&self, authority: &str, report_id: Uuid) -> String {
        let number = self.reports.fetch_add(1, Ordering::Relaxed);
        let from = number * STEP_MS % CLIP_MS;
        let to = from + STEP_MS;
        let (player, message, token) = (self.player, self.message, &self.token);
        let body = format!(
            r#"{{"player_id":"{player}","device_id":"{player}","report_id":"{report_id}","base_version":0,"position_ms":{to},"speed":1.0,"heard":[[{from},{to}]],"sequence":{}}}"#,
            number + 1
        );
        format!(
            "PUT /v1/messages/{message}/playback HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

impl Ears {
    fn take(&self) -> Latencies {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was heard, once it is as much as that or nothing more comes.
    async fn settled(&self, wanted: usize) -> Latencies {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let all = async {
            loop {
                look.tick().await;
                if self.heard.lock().unwrap_or_else(PoisonError::into_inner).len() >= wanted {
                    return;
                }
            }
        };
        // Events are for those who listen in time: a missing one is seen in their count.
        let _ = tokio::time::timeout(SETTLE, all).await;
        self.take()
    }

    fn hear(&self, person: usize, text: &str) {
        let Some(id) = playback_of(text) else { return };
        if let Some(listener) = self.listeners[person].get(&id) {
            let sent = Duration::from_micros(listener.sent_us.load(Ordering::Relaxed));
            let took = self.start.elapsed().saturating_sub(sent);
            self.heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(took);
        }
    }
}

async fn hear(mut socket: Socket, person: usize, ears: Arc<Ears>) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = &message {
            ears.hear(person, text);
        }
    }
}

/// The message of a `playback.updated`.
fn playback_of(text: &str) -> Option<Uuid> {
    if !text.contains(r#""playback.updated""#) {
        return None;
    }
    let (_, rest) = text.split_once(r#""message_id":""#)?;
    rest.get(..36)?.parse().ok()
}

fn tell(report: &Report, screen: &mut Screen) -> Result<(), Failure> {
    let Report { open, closed, .. } = report;
    let cores = |outcome: &Outcome| {
        let server = outcome
            .server_cores
            .map_or_else(|| report::UNKNOWN.to_owned(), |cores| format!("{cores:.2} cores"));
        format!("{server} (generator {:.2})", outcome.generator_cores)
    };
    let reports = |outcome: &Outcome| {
        let refused: usize = outcome.refused.values().sum();
        format!(
            "{:.0}/s durable, {refused} refused, {} events",
            outcome.reports_per_second, outcome.events.count
        )
    };
    let busy = Row::new("  processor, server", cores(open));
    let rows = [
        Row::new(
            "listeners",
            format!(
                "{} of {} people, one report each {} s, a second device each",
                report.listeners, report.people, report.every_seconds
            ),
        ),
        Row::new("open loop", reports(open)),
        Row::new("  latency", report::latency(&open.latency)).aim("p99 200 ms", open.latency.p99_ms <= 200.0),
        Row::new("  the other device's event", report::latency(&open.events)),
        match open.server_cores {
            Some(cores) => busy.aim("0.5 cores", cores <= 0.5),
            None => busy,
        },
        report::memory("  server memory", report.rss_bytes, None),
        Row::new("closed loop", reports(closed)),
        Row::new("  latency", report::latency(&closed.latency)),
        Row::new("  processor, server", cores(closed)),
    ];
    report::table(screen, "Where listeners are", &rows)
}

#[cfg(test)]
mod tests {
    use voxpost_client::PlaybackReport;

    use super::*;

    #[test]
    fn each_report_is_one_that_the_server_takes_and_a_second_further() {
        let listener = Listener {
            token: "t".into(),
            message: Uuid::from_u128(1),
            player: Uuid::from_u128(2),
            reports: AtomicU32::new(0),
            sent_us: AtomicU64::new(0),
        };
        let mut positions = Vec::new();
        for number in 1..=11 {
            let request = listener.request("127.0.0.1:1", Uuid::from_u128(9));
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(
                head.contains(&format!("Content-Length: {}", body.len())),
                "{head}"
            );
            let report: PlaybackReport = serde_json::from_str(body).unwrap();
            assert_eq!(report.sequence, Some(number));
            assert_eq!(report.heard, [[report.position_ms - 1_000, report.position_ms]]);
            positions.push(report.position_ms);
        }
        assert_eq!(
            (positions[0], positions[9], positions[10]),
            (1_000, 10_000, 1_000)
        );
    }

    #[test]
    fn only_playback_of_a_message_is_heard() {
        let id = Uuid::from_u128(7);
        let text = format!(r#"{{"type":"playback.updated","message_id":"{id}","playback":{{}}}}"#);
        assert_eq!(playback_of(&text), Some(id));
        assert_eq!(playback_of(&text.replace("playback.updated", "played")), None);
        assert_eq!(
            playback_of(r#"{"type":"playback.updated","message_id":"x"}"#),
            None
        );
    }
}
