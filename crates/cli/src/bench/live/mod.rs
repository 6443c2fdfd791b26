//! `voxpost bench live`: many record at the same time, at the pace of speech.

mod ear;
mod line;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::watch;
use voxpost_client::{ConversationCreate, ConversationKind, Uuid};

use self::ear::{CUSHION, Spoken};
use self::line::{FRAME, Line, Speech};
use super::LiveArgs;
use super::people::{self, Person};
use super::process::Process;
use super::report::{self, Row};
use super::sockets::{self, Socket};
use super::subject::{Subject, raise_open_files};
use super::wire::Wire;
use crate::disk;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::stats::{Latencies, Summary};

/// Recordings of one person, each on a device of its own. How a recording gets on is told to all devices of its sender.
const EACH: usize = 4;

/// What a bundle holds, in packets: 100 ms.
const BUNDLE: u32 = 5;

/// How often the disk is asked in each run.
const FSYNCS: usize = 200;

#[derive(Serialize)]
struct Report {
    /// One message of five packets each 100 ms.
    bundled: Option<Load>,
    /// One message for each packet of 20 ms.
    unbundled: Option<Load>,
    releases: Option<Releases>,
    live: Option<Hearing>,
}

/// Many who record, and none who stops.
#[derive(Serialize)]
struct Load {
    recordings: usize,
    seconds: u64,
    /// From sending a message until its last packet is acknowledged, which is after the commit.
    ack: Summary,
    rss_before_bytes: Option<u64>,
    rss_sockets_bytes: Option<u64>,
    rss_bytes: Option<u64>,
    /// What a recording takes beyond its socket, and with it.
    bytes_per_recording: Option<f64>,
    bytes_with_socket: Option<f64>,
    /// Of a core, for all of them.
    server_cores: Option<f64>,
    generator_cores: Option<f64>,
    fsync: Option<Summary>,
}

/// Recordings of several lengths that end while others go on.
#[derive(Serialize)]
struct Releases {
    recordings: usize,
    lengths: Vec<Release>,
    fsync: Option<Summary>,
}

#[derive(Serialize)]
struct Release {
    seconds: u32,
    /// From letting go, with the last 100 ms not yet sent, until the sender has the message.
    to_message: Summary,
    /// Until the other person has the first 16 KiB of the sound.
    to_playable: Summary,
}

/// Live recordings with a listener each.
#[derive(Serialize)]
struct Hearing {
    recordings: usize,
    seconds: u64,
    cushion_ms: u64,
    /// From the beginning of a packet's sound until that would be heard; without what sound devices add.
    mouth_to_ear: Summary,
    fsync: Option<Summary>,
}

pub(super) async fn run(args: &LiveArgs, screen: &mut Screen) -> Result<(), Failure> {
    let most = args
        .bundled
        .max(args.unbundled)
        .max(2 * args.releases)
        .max(2 * args.live);
    raise_open_files(2 * u64::from(most) + 1024)?;
    let speech = Speech::load()?;
    let mut loads = [None, None];
    for ((load, count), packets) in loads
        .iter_mut()
        .zip([args.bundled, args.unbundled])
        .zip([BUNDLE, 1])
    {
        if count > 0 {
            *load = Some(all_record(args, count as usize, packets, &speech, screen).await?);
        }
    }
    let [bundled, unbundled] = loads;
    let releases = match args.releases {
        0 => None,
        count => Some(all_let_go(args, count as usize, &speech, screen).await?),
    };
    let live = match args.live {
        0 => None,
        count => Some(all_hear(args, count as usize, &speech, screen).await?),
    };
    let report = Report {
        bundled,
        unbundled,
        releases,
        live,
    };
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, screen)
    }
}

/// A server with people who talk to one other person, who is the last.
struct Scene {
    subject: Subject,
    people: Vec<Person>,
    conversations: Vec<Uuid>,
}

impl Scene {
    async fn set(args: &LiveArgs, recordings: usize, live: bool) -> Result<Self, Failure> {
        let subject = Subject::open(&args.subject).await?;
        let people = people::sign_up(&subject, recordings.div_ceil(EACH) + 1).await?;
        let mut conversations = Vec::new();
        let other = &people[people.len() - 1].user.username;
        for person in &people[..people.len() - 1] {
            let new = ConversationCreate {
                kind: ConversationKind::Direct,
                members: vec![other.clone()],
                title: None,
                live: live.then_some(true),
                client_id: None,
            };
            conversations.push(person.client.create_conversation(&new).await?.id);
        }
        Ok(Self {
            subject,
            people,
            conversations,
        })
    }

    /// Sockets in the order of the recordings; recording `n` is said in conversation `n % conversations`.
    async fn sockets(&self, count: usize) -> Result<Vec<Socket>, Failure> {
        let senders = &self.people[..self.people.len() - 1];
        sockets::connect_all(&self.subject, senders, u32::try_from(count).unwrap_or(u32::MAX)).await
    }

    fn conversation(&self, number: usize) -> Uuid {
        self.conversations[number % self.conversations.len()]
    }

    fn listener(&self) -> &Person {
        &self.people[self.people.len() - 1]
    }

    fn rss(&self) -> Option<u64> {
        self.subject.process().and_then(Process::resident_bytes)
    }

    fn cpu(&self) -> (Option<f64>, Option<f64>) {
        let server = self.subject.process().and_then(Process::cpu_seconds);
        (server, Process::own().cpu_seconds())
    }

    fn fsync(&self) -> Result<Option<Summary>, Failure> {
        let Some(dir) = self.subject.dir() else {
            return Ok(None);
        };
        let latencies = disk::fsync_latency(dir, FSYNCS).map_err(Failure::file(dir))?;
        Ok(Some(latencies.summary()))
    }

    async fn close(self) -> Result<(), Failure> {
        self.subject.close(self.people).await
    }
}

/// Where in a bundle's time the nth begins, so that not all send at once.
fn offset(number: usize, count: usize, of: Duration) -> Duration {
    of.mul_f64(number as f64 / count as f64)
}

async fn all_record(
    args: &LiveArgs,
    count: usize,
    packets: u32,
    speech: &Speech,
    screen: &mut Screen,
) -> Result<Load, Failure> {
    screen.note(format_args!(
        "{count} recordings, {packets} packets in a message …"
    ));
    let scene = Scene::set(args, count, false).await?;
    let rss_before_bytes = scene.rss();
    let sockets = scene.sockets(count).await?;
    let rss_sockets_bytes = scene.rss();
    let mut lines = Vec::with_capacity(count);
    for (number, socket) in sockets.into_iter().enumerate() {
        lines.push(Line::open(socket, speech, scene.conversation(number), false).await?);
    }
    let fsync = scene.fsync()?;
    let before = scene.cpu();
    let start = tokio::time::Instant::now();
    let rhythm = FRAME * packets;
    let end = start + Duration::from_secs(args.seconds);
    let recording: Vec<_> = lines
        .into_iter()
        .enumerate()
        .map(|(number, mut line)| {
            let mut next = start + offset(number, count, rhythm);
            tokio::spawn(async move {
                while next < end {
                    line.hear(next).await?;
                    line.speak(packets);
                    line.send().await?;
                    next += rhythm;
                }
                line.hear(end + Duration::from_secs(2)).await?;
                Ok::<_, Failure>(line)
            })
        })
        .collect();
    tokio::time::sleep_until(end).await;
    let (rss_bytes, after) = (scene.rss(), scene.cpu());
    let mut acks = Latencies::default();
    let mut lines = Vec::new();
    for line in recording {
        let line = line.await.map_err(Failure::other)??;
        acks.merge(&line.acks);
        lines.push(line);
    }
    drop(lines);
    let each = |from: Option<u64>| Some(rss_bytes?.saturating_sub(from?) as f64 / count as f64);
    let cores = |before: Option<f64>, after: Option<f64>| Some((after? - before?) / args.seconds as f64);
    let load = Load {
        recordings: count,
        seconds: args.seconds,
        ack: acks.summary(),
        rss_before_bytes,
        rss_sockets_bytes,
        rss_bytes,
        bytes_per_recording: each(rss_sockets_bytes),
        bytes_with_socket: each(rss_before_bytes),
        server_cores: cores(before.0, after.0),
        generator_cores: cores(before.1, after.1),
        fsync,
    };
    scene.close().await?;
    Ok(load)
}

async fn all_let_go(
    args: &LiveArgs,
    count: usize,
    speech: &Speech,
    screen: &mut Screen,
) -> Result<Releases, Failure> {
    let longest = args.lengths.iter().copied().max().unwrap_or(1);
    screen.note(format_args!("{count} recordings of up to {longest} s …"));
    let scene = Scene::set(args, count, false).await?;
    let sockets = scene.sockets(count).await?;
    let fsync = scene.fsync()?;
    let start = tokio::time::Instant::now();
    // The longest begin within ten seconds, and end.
    let end = start + Duration::from_secs(u64::from(longest) + 12);
    let mut recording = FuturesUnordered::new();
    for (number, socket) in sockets.into_iter().enumerate() {
        let seconds = args.lengths[number % args.lengths.len()];
        let mut line = Line::open(socket, speech, scene.conversation(number), false).await?;
        let (authority, token) = (
            scene.subject.authority().to_owned(),
            scene.listener().token.clone(),
        );
        let conversation = scene.conversation(number);
        let spread = Duration::from_secs(u64::from(seconds.min(10)));
        let mut begin = start + offset(number, count, spread);
        recording.push(tokio::spawn(async move {
            let (mut to_message, mut to_playable) = (Latencies::default(), Latencies::default());
            let packets = seconds * 50;
            let last = Duration::from_secs(seconds.into());
            while begin + last < end {
                while line.spoken() + BUNDLE < packets {
                    line.hear(begin + FRAME * (line.spoken() + BUNDLE)).await?;
                    line.speak(BUNDLE);
                    line.send().await?;
                }
                // Not earlier: an idle connection is closed by the server.
                let mut wire = Wire::connect(&authority).await.map_err(Failure::other)?;
                line.hear(begin + last).await?;
                line.speak(packets - line.spoken());
                let released = Instant::now();
                line.send().await?;
                line.finish().await?;
                to_message.add(released.elapsed());
                let request = format!(
                    "GET /v1/messages/{}/audio HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
                     range: bytes=0-16383\r\n\r\n",
                    line.message_id
                );
                let status = wire.exchange(request.as_bytes()).await.map_err(Failure::other)?;
                to_playable.add(released.elapsed());
                if status != 206 {
                    return Err(Failure::other(format!("the sound was answered with {status}")));
                }
                line.begin(conversation, false).await?;
                begin = tokio::time::Instant::now();
            }
            Ok::<_, Failure>((seconds, to_message, to_playable))
        }));
    }
    let mut all: Vec<(u32, Latencies, Latencies)> = Vec::new();
    let mut lengths = args.lengths.clone();
    lengths.sort_unstable();
    lengths.dedup();
    all.extend(
        lengths
            .iter()
            .map(|&seconds| (seconds, Latencies::default(), Latencies::default())),
    );
    while let Some(done) = recording.next().await {
        let (seconds, to_message, to_playable) = done.map_err(Failure::other)??;
        if let Some(sum) = all.iter_mut().find(|(of, ..)| *of == seconds) {
            sum.1.merge(&to_message);
            sum.2.merge(&to_playable);
        }
    }
    scene.close().await?;
    let lengths = all
        .iter()
        .map(|(seconds, to_message, to_playable)| Release {
            seconds: *seconds,
            to_message: to_message.summary(),
            to_playable: to_playable.summary(),
        })
        .collect();
    Ok(Releases {
        recordings: count,
        lengths,
        fsync,
    })
}

async fn all_hear(
    args: &LiveArgs,
    count: usize,
    speech: &Speech,
    screen: &mut Screen,
) -> Result<Hearing, Failure> {
    screen.note(format_args!("{count} live recordings with a listener each …"));
    let scene = Scene::set(args, count, true).await?;
    let sockets = scene.sockets(count).await?;
    let people = std::slice::from_ref(scene.listener());
    let ears = sockets::connect_all(&scene.subject, people, count as u32).await?;
    let fsync = scene.fsync()?;
    let start = tokio::time::Instant::now();
    let packets = u32::try_from(args.seconds * 50).unwrap_or(u32::MAX);
    let (mut speaking, mut hearing) = (Vec::new(), Vec::new());
    for (number, (socket, ear)) in sockets.into_iter().zip(ears).enumerate() {
        let mut line = Line::open(socket, speech, scene.conversation(number), true).await?;
        let (told, spoken) = watch::channel(None);
        hearing.push(tokio::spawn(ear::listen(ear, spoken)));
        let begin = start.max(tokio::time::Instant::now()) + offset(number, count, FRAME);
        speaking.push(tokio::spawn(async move {
            told.send_replace(Some(Spoken {
                message_id: line.message_id,
                since: begin.into_std(),
            }));
            while line.spoken() < packets {
                line.hear(begin + FRAME * (line.spoken() + 1)).await?;
                line.speak(1);
                line.send().await?;
            }
            line.finish().await
        }));
    }
    let mut mouth_to_ear = Latencies::default();
    for line in speaking {
        line.await.map_err(Failure::other)??;
    }
    for ear in hearing {
        mouth_to_ear.merge(&ear.await.map_err(Failure::other)??);
    }
    scene.close().await?;
    Ok(Hearing {
        recordings: count,
        seconds: args.seconds,
        cushion_ms: CUSHION.as_millis() as u64,
        mouth_to_ear: mouth_to_ear.summary(),
        fsync,
    })
}

fn tell(report: &Report, screen: &mut Screen) -> Result<(), Failure> {
    for (title, load) in [
        ("One message each 100 ms", &report.bundled),
        ("One message each 20 ms", &report.unbundled),
    ] {
        if let Some(load) = load {
            report::table(
                screen,
                &format!("{title}: {} recordings", load.recordings),
                &rows(load),
            )?;
        }
    }
    if let Some(releases) = &report.releases {
        let mut rows = Vec::new();
        for release in &releases.lengths {
            rows.push(Row::new(
                format!("{} s: to the message", release.seconds),
                report::latency(&release.to_message),
            ));
            let playable = &release.to_playable;
            rows.push(
                Row::new(
                    format!("{} s: to playable", release.seconds),
                    report::latency(playable),
                )
                .aim("50 ms", playable.p99_ms < 50.0),
            );
        }
        rows.extend(fsync_row(releases.fsync.as_ref()));
        report::table(
            screen,
            &format!("From letting go, {} recordings", releases.recordings),
            &rows,
        )?;
    }
    if let Some(live) = &report.live {
        let heard = &live.mouth_to_ear;
        let mut rows = vec![
            Row::new("from mouth to ear", report::latency(heard))
                .aim("150 / 250 ms", heard.p50_ms < 150.0 && heard.p99_ms < 250.0),
            Row::new(
                "of which the listener keeps back",
                format!("{} ms", live.cushion_ms),
            ),
        ];
        rows.extend(fsync_row(live.fsync.as_ref()));
        report::table(
            screen,
            &format!("Heard live, {} recordings", live.recordings),
            &rows,
        )?;
    }
    Ok(())
}

fn rows(load: &Load) -> Vec<Row> {
    let kib = |bytes: Option<f64>| bytes.map(|bytes| format!("{:.1} KiB", bytes / 1024.0));
    let cores =
        |cores: Option<f64>| cores.map_or_else(|| report::UNKNOWN.to_owned(), |cores| format!("{cores:.2}"));
    let each = match (load.bytes_per_recording, kib(load.bytes_per_recording)) {
        (Some(bytes), Some(text)) => {
            Row::new("memory for each recording", text).aim("32 KiB", bytes <= 32.0 * 1024.0)
        }
        _ => Row::new("memory for each recording", report::UNKNOWN),
    };
    let with_socket = kib(load.bytes_with_socket).unwrap_or_else(|| report::UNKNOWN.to_owned());
    let mut rows = vec![
        Row::new("until it is durable", report::latency(&load.ack)).aim("250 ms", load.ack.p99_ms < 250.0),
        each,
        Row::new("the same with its socket", with_socket),
        report::memory("server memory", load.rss_bytes, None),
        Row::new("cores, server", cores(load.server_cores)),
        Row::new("cores, generator", cores(load.generator_cores)),
    ];
    rows.extend(fsync_row(load.fsync.as_ref()));
    rows
}

fn fsync_row(fsync: Option<&Summary>) -> Option<Row> {
    fsync.map(|fsync| Row::new("fsync of the disk, idle", report::latency(fsync)))
}
