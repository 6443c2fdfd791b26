//! `voxpost bench ingest`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::Serialize;
use voxpost_client::{Change, Message, Subscription, Update, Uuid};

use super::IngestArgs;
use super::clips::WEBM_10_S;
use super::load::{self, Outcome, Sender};
use super::peer::{self, Peer};
use super::people::{self, Ids, Person};
use super::process::Process;
use super::report::{self, Row};
use super::subject::{Subject, raise_open_files};
use super::wire::Template;
use crate::disk;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::stats::{Latencies, Summary};

/// Conversations that the load is spread over, each with two people.
const CONVERSATIONS: usize = 32;
/// Messages whose way to the other person is timed.
const DELIVERIES: usize = 200;
/// fsync calls before and after.
const FSYNCS: usize = 300;
/// Load before the one that counts.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long nothing may happen before analysis counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Report {
    clip_bytes: Vec<usize>,
    connections: u16,
    fsync_before: Option<Summary>,
    fsync_after: Option<Summary>,
    ffmpeg: Option<Peer>,
    rss_idle_bytes: Option<u64>,
    delivery: Summary,
    analysis: Analysis,
    closed: Outcome,
    open: Outcome,
    rss_peak_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Analysis {
    clips: usize,
    seconds: f64,
    clips_per_second: f64,
}

/// Two people who talk.
struct Pair {
    people: [Person; 2],
    conversation: Uuid,
}

pub(super) async fn run(args: &IngestArgs, screen: &mut Screen) -> Result<(), Failure> {
    raise_open_files(4096)?;
    let subject = Subject::open(&args.subject).await?;
    let process = subject.process();
    let ids = Ids::new()?;
    let rss_idle_bytes = process.and_then(Process::resident_bytes);
    let fsync_before = fsync(&subject)?;
    let ffmpeg = match subject.dir() {
        Some(dir) => peer::ffmpeg(WEBM_10_S[0], dir).map_err(Failure::other)?,
        None => None,
    };

    let pairs = pairs(&subject).await?;
    screen.note("one clip at a time: from its first byte to the other person's event …");
    let delivery = delivery(&subject, &pairs[0], &ids).await?;
    screen.note(format_args!("analysis of {} clips …", args.analysed));
    let analysis = analysis(&subject, &pairs[0], &ids, args.analysed as usize).await?;

    let mut senders = senders(&subject, &pairs, args.connections).await?;
    let time = Duration::from_secs(args.seconds);
    load::closed(&mut senders, &ids, process, WARM_UP.min(time)).await?;
    screen.note(format_args!(
        "closed loop, {} connections, {} s …",
        args.connections, args.seconds
    ));
    let closed = load::closed(&mut senders, &ids, process, time).await?;
    let rate = args.rate.unwrap_or(closed.accepted_per_second / 2.0).max(1.0);
    screen.note(format_args!(
        "open loop, {rate:.0} messages a second, {} s …",
        args.seconds
    ));
    let open = load::open(&mut senders, &ids, process, rate, time).await?;

    let report = Report {
        clip_bytes: WEBM_10_S.iter().map(|clip| clip.len()).collect(),
        connections: args.connections,
        fsync_before,
        fsync_after: fsync(&subject)?,
        ffmpeg,
        rss_idle_bytes,
        delivery,
        analysis,
        closed,
        open,
        rss_peak_bytes: process.and_then(Process::peak_bytes),
    };
    drop(senders);
    subject
        .close(pairs.into_iter().flat_map(|pair| pair.people))
        .await?;
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, screen)
    }
}

fn fsync(subject: &Subject) -> Result<Option<Summary>, Failure> {
    let Some(dir) = subject.dir() else { return Ok(None) };
    let latencies = disk::fsync_latency(dir, FSYNCS).map_err(Failure::file(dir))?;
    Ok(Some(latencies.summary()))
}

async fn pairs(subject: &Subject) -> Result<Vec<Pair>, Failure> {
    let mut people = people::sign_up(subject, 2 * CONVERSATIONS).await?.into_iter();
    let mut pairs = Vec::new();
    while let (Some(first), Some(second)) = (people.next(), people.next()) {
        let conversation = first.client.direct_conversation(&second.user.username).await?.id;
        pairs.push(Pair {
            people: [first, second],
            conversation,
        });
    }
    Ok(pairs)
}

async fn senders(subject: &Subject, pairs: &[Pair], count: u16) -> Result<Vec<Sender>, Failure> {
    let mut senders = Vec::new();
    for number in 0..usize::from(count) {
        senders.push(sender(subject, &pairs[number % pairs.len()]).await?);
    }
    Ok(senders)
}

async fn sender(subject: &Subject, pair: &Pair) -> Result<Sender, Failure> {
    let token = &pair.people[0].token;
    let template = |clip: &&[u8]| Template::new(subject.authority(), token, pair.conversation, clip);
    let templates = WEBM_10_S.iter().map(template).collect();
    Sender::new(subject.authority(), templates)
        .await
        .map_err(Failure::other)
}

/// One clip at a time on an idle server: from before its first byte is written until the other person's socket has the
/// event.
async fn delivery(subject: &Subject, pair: &Pair, ids: &Ids) -> Result<Summary, Failure> {
    let mut sender = sender(subject, pair).await?;
    let mut listener = pair.people[1].client.subscribe(None);
    until_synced(&mut listener).await?;
    let mut latencies = Latencies::default();
    let mut pause = tokio::time::interval(Duration::from_millis(25));
    for _ in 0..DELIVERIES {
        pause.tick().await;
        let start = Instant::now();
        // The event may overtake the answer, so both are waited for at once.
        let (status, heard) = tokio::join!(sender.send(ids), next_created(&mut listener));
        let (at, event) = heard?;
        let status = status.map_err(Failure::other)?;
        let message: Message = serde_json::from_slice(sender.answer()).map_err(Failure::other)?;
        if status != 201 || message.id != event {
            return Err(Failure::other(format!(
                "a clip was answered with {status}, and the event was another one's"
            )));
        }
        latencies.add(at - start);
    }
    Ok(latencies.summary())
}

async fn until_synced(subscription: &mut Subscription) -> Result<(), Failure> {
    loop {
        if let Update::Synced { .. } = subscription.next().await? {
            return Ok(());
        }
    }
}

async fn next_created(listener: &mut Subscription) -> Result<(Instant, Uuid), Failure> {
    loop {
        if let Update::Event(event) = listener.next().await?
            && let Change::MessageCreated { message } = &event.change
        {
            return Ok((Instant::now(), message.id));
        }
    }
}

/// Sends clips and waits until each has the server's waveform.
async fn analysis(subject: &Subject, pair: &Pair, ids: &Ids, clips: usize) -> Result<Analysis, Failure> {
    let mut listener = pair.people[1].client.subscribe(None);
    until_synced(&mut listener).await?;
    let mut sender = sender(subject, pair).await?;
    let start = Instant::now();
    let mut waiting = HashSet::new();
    for _ in 0..clips {
        let status = sender.send(ids).await.map_err(Failure::other)?;
        let message: Message = serde_json::from_slice(sender.answer())
            .map_err(|error| Failure::other(format!("a clip was answered with {status}: {error}")))?;
        waiting.insert(message.id);
    }
    while !waiting.is_empty() {
        let update = tokio::time::timeout(STUCK_AFTER, listener.next()).await;
        let update =
            update.map_err(|_| Failure::other(format!("{} clips were never analysed", waiting.len())))??;
        if let Update::Event(event) = update
            && let Change::MessageCreated { message } | Change::MessageUpdated { message } = &event.change
            && message.waveform.is_some()
        {
            waiting.remove(&message.id);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Analysis {
        clips,
        seconds,
        clips_per_second: clips as f64 / seconds,
    })
}

fn tell(report: &Report, screen: &mut Screen) -> Result<(), Failure> {
    let (closed, open) = (&report.closed, &report.open);
    let mut rows = Vec::new();
    let mut note = |what: &str, times: Option<&Summary>| {
        rows.extend(times.map(|times| Row::new(what, report::latency(times))));
    };
    note("disk: append and fsync, before", report.fsync_before.as_ref());
    note("disk: append and fsync, after", report.fsync_after.as_ref());
    let ffmpeg = report.ffmpeg.as_ref();
    note("ffmpeg -c copy, a clip", ffmpeg.map(|ffmpeg| &ffmpeg.remux));
    note(
        "ffmpeg to Opus 24k, a clip",
        ffmpeg.map(|ffmpeg| &ffmpeg.transcode),
    );
    rows.extend([
        report::memory(
            "server memory idle",
            report.rss_idle_bytes,
            Some(("20 MB", 20_000_000)),
        ),
        Row::new("sent to the other's event", report::latency(&report.delivery))
            .aim("p50 10 ms", report.delivery.p50_ms <= 10.0),
        Row::new(
            "analysis",
            format!("{:.1} clips/s", report.analysis.clips_per_second),
        )
        .aim("35 clips/s", report.analysis.clips_per_second >= 35.0),
        Row::new(
            "closed loop",
            format!(
                "{:.0} clips/s, {} connections",
                closed.accepted_per_second, report.connections
            ),
        )
        .aim("1,200 clips/s", closed.accepted_per_second >= 1200.0),
        Row::new("  latency", report::latency(&closed.latency)),
    ]);
    rows.extend(load_rows(closed, None));
    rows.extend([
        Row::new(
            "open loop",
            format!(
                "{:.0} of {:.0} clips/s",
                open.accepted_per_second,
                open.asked_per_second.unwrap_or_default()
            ),
        ),
        Row::new("  latency", report::latency(&open.latency)).aim("p99 100 ms", open.latency.p99_ms < 100.0),
    ]);
    rows.extend(load_rows(open, Some(("48 MiB", 48 << 20))));
    rows.push(report::memory(
        "server memory, most ever",
        report.rss_peak_bytes,
        None,
    ));
    report::table(screen, "Ingest of 10 s clips (WebM Opus)", &rows)
}

/// What a load took, and what it did not bring.
fn load_rows(outcome: &Outcome, memory_aim: Option<(&str, u64)>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, count) in &outcome.refused {
        rows.push(Row::new(format!("  answered {status}"), format!("{count} times")));
    }
    rows.extend([
        Row::new("  processor, server", report::seconds(outcome.server_cpu_seconds)),
        Row::new(
            "  processor, generator",
            report::seconds(outcome.generator_cpu_seconds),
        ),
        report::memory("  server memory", outcome.server_rss_max_bytes, memory_aim),
    ]);
    rows
}
