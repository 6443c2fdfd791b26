//! `voxpost bench upload`: resumable uploads, beside other servers that take files.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use voxpost_audio::{OggOpusWriter, OpusHead};
use voxpost_client::Uuid;

use super::UploadArgs;
use super::people::{self, Ids};
use super::process::Process;
use super::report::{self, Row};
use super::subject::{Subject, raise_open_files};
use super::wire::Wire;
use crate::failure::Failure;
use crate::format;
use crate::screen::Screen;
use crate::stats::{Latencies, Summary};

/// What clients cut into by default.
const PIECE: usize = 5 << 20;
/// A load has at least so many bytes, so that small files are not over at once.
const LEAST: u64 = 64 << 20;
/// Uploads at each server before those that count.
const WARM_UP: usize = 4;
/// How often the server's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Serialize)]
struct Report {
    loads: Vec<Load>,
}

/// What one kind of load brought at one server.
#[derive(Serialize)]
struct Load {
    server: &'static str,
    size_bytes: usize,
    connections: usize,
    uploads: usize,
    seconds: f64,
    mib_per_second: f64,
    latency: Summary,
    /// Per GiB that was taken.
    server_cpu_seconds: Option<f64>,
    server_rss_max_bytes: Option<u64>,
}

/// A server that takes files.
struct Target {
    name: &'static str,
    authority: String,
    /// Where uploads are made, with a slash in front.
    path: String,
    way: Way,
    process: Option<Process>,
}

enum Way {
    /// tus 1.0.0, with these headers for every request and this metadata for every upload.
    Tus {
        headers: String,
        conversation: Option<Uuid>,
    },
    /// One PUT below the path.
    Put,
}

pub(super) async fn run(args: &UploadArgs, screen: &mut Screen) -> Result<(), Failure> {
    raise_open_files(4096)?;
    let subject = Subject::open(&args.subject).await?;
    let people = people::sign_up(&subject, 2).await?;
    let conversation = match args.send {
        true => Some(
            people[0]
                .client
                .direct_conversation(&people[1].user.username)
                .await?
                .id,
        ),
        false => None,
    };
    let own = Target {
        name: "voxpost",
        authority: subject.authority().to_owned(),
        path: "/v1/uploads".to_owned(),
        way: Way::Tus {
            headers: format!("Authorization: Bearer {}\r\n", people[0].token),
            conversation,
        },
        process: subject.process(),
    };
    let mut targets = vec![own];
    if let Some(url) = &args.tus {
        let headers = String::new();
        let way = Way::Tus {
            headers,
            conversation: None,
        };
        targets.push(Target::beside("tus peer", url, way, args.tus_pid)?);
    }
    if let Some(url) = &args.put {
        targets.push(Target::beside("PUT", url, Way::Put, args.put_pid)?);
    }

    let ids = Ids::new()?;
    let mut loads = Vec::new();
    for &size in &args.sizes {
        let sound = sound(size as usize).map_err(Failure::other)?;
        for &connections in &args.connections {
            for round in 0..args.rounds {
                screen.note(format_args!(
                    "{} by {connections} connections, round {} of {} …",
                    format::size(size.into()),
                    round + 1,
                    args.rounds
                ));
                for target in &targets {
                    loads.push(target.load(&ids, &sound, connections as usize).await?);
                }
            }
        }
    }
    subject.close(people).await?;
    let report = Report { loads };
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, args, &targets, screen)
    }
}

impl Target {
    fn beside(name: &'static str, url: &str, way: Way, pid: Option<u32>) -> Result<Self, Failure> {
        let split = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        let (authority, path) =
            split.ok_or_else(|| Failure::Usage(format!("{url} is no http://HOST:PORT/PATH")))?;
        Ok(Self {
            name,
            authority: authority.to_owned(),
            path: format!("/{}", path.trim_end_matches('/')),
            way,
            process: pid.map(Process::new),
        })
    }

    /// As many uploads as make a load, as fast as they are taken.
    async fn load(&self, ids: &Ids, body: &[u8], connections: usize) -> Result<Load, Failure> {
        let broken = |error: io::Error| Failure::other(format!("{}: {error}", self.name));
        let mut wires = Vec::new();
        for _ in 0..connections {
            wires.push(Wire::connect(&self.authority).await.map_err(broken)?);
        }
        for _ in 0..WARM_UP.min(LEAST as usize / body.len().max(1)) {
            let place = self.upload(&mut wires[0], ids, body).await.map_err(broken)?;
            self.remove(&mut wires[0], &place).await.map_err(broken)?;
        }
        let uploads = connections.max((LEAST / body.len().max(1) as u64) as usize);
        let left = Cell::new(uploads);
        let cpu_before = self.process.and_then(Process::cpu_seconds);
        let start = Instant::now();
        let mut working: FuturesUnordered<_> = wires
            .iter_mut()
            .map(|wire| self.work(wire, ids, body, &left))
            .collect();
        let (mut latencies, mut places) = (Latencies::default(), Vec::new());
        let mut rss = self.process.and_then(Process::resident_bytes);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                done = working.next() => match done {
                    Some(done) => {
                        let (own, made) = done.map_err(broken)?;
                        latencies.merge(&own);
                        places.extend(made);
                    }
                    None => break,
                },
                _ = look.tick() => rss = rss.max(self.process.and_then(Process::resident_bytes)),
            }
        }
        drop(working);
        let seconds = start.elapsed().as_secs_f64();
        let cpu = self.process.and_then(Process::cpu_seconds).zip(cpu_before);
        let gib = (uploads * body.len()) as f64 / f64::from(1 << 30);
        for place in places {
            self.remove(&mut wires[0], &place).await.map_err(broken)?;
        }
        Ok(Load {
            server: self.name,
            size_bytes: body.len(),
            connections,
            uploads,
            seconds,
            mib_per_second: gib * 1024.0 / seconds,
            latency: latencies.summary(),
            server_cpu_seconds: cpu.map(|(now, before)| (now - before) / gib),
            server_rss_max_bytes: rss,
        })
    }

    async fn work(
        &self,
        wire: &mut Wire,
        ids: &Ids,
        body: &[u8],
        left: &Cell<usize>,
    ) -> io::Result<(Latencies, Vec<String>)> {
        let (mut latencies, mut places) = (Latencies::default(), Vec::new());
        while left.get() > 0 {
            left.set(left.get() - 1);
            let start = Instant::now();
            places.push(self.upload(wire, ids, body).await?);
            latencies.add(start.elapsed());
        }
        Ok((latencies, places))
    }

    /// One upload, whole; its path.
    async fn upload(&self, wire: &mut Wire, ids: &Ids, body: &[u8]) -> io::Result<String> {
        let Self { authority, path, .. } = self;
        let Way::Tus {
            headers,
            conversation,
        } = &self.way
        else {
            let place = format!("{path}/{}", ids.fresh());
            let head = format!(
                "PUT {place} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            expect(wire.send(head.as_bytes(), body).await?, &[200, 201, 204])?;
            return Ok(place);
        };
        let metadata = match conversation {
            Some(id) => format!(
                "conversation_id {},client_id {}",
                BASE64.encode(id.to_string()),
                BASE64.encode(ids.fresh().to_string())
            ),
            None => format!("filename {}", BASE64.encode("voice.ogg")),
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\n{headers}Tus-Resumable: 1.0.0\r\nUpload-Length: {}\r\n\
             Upload-Metadata: {metadata}\r\nContent-Length: 0\r\n\r\n",
            body.len()
        );
        expect(wire.send(head.as_bytes(), &[]).await?, &[201])?;
        let place = wire
            .header("location")
            .ok_or_else(|| io::Error::other("no Location"))?;
        let place = match place.strip_prefix("http://") {
            Some(rest) => rest
                .split_once('/')
                .map_or_else(String::new, |(_, path)| format!("/{path}")),
            None => place,
        };
        let mut offset = 0;
        for piece in body.chunks(PIECE) {
            let head = format!(
                "PATCH {place} HTTP/1.1\r\nHost: {authority}\r\n{headers}Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\n\
                 Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
                piece.len()
            );
            expect(wire.send(head.as_bytes(), piece).await?, &[204])?;
            offset += piece.len();
        }
        Ok(place)
    }

    /// Makes room for the next. What became a message stays.
    async fn remove(&self, wire: &mut Wire, place: &str) -> io::Result<()> {
        let headers = match &self.way {
            Way::Tus {
                conversation: Some(_),
                ..
            } => return Ok(()),
            Way::Tus { headers, .. } => format!("{headers}Tus-Resumable: 1.0.0\r\n"),
            Way::Put => String::new(),
        };
        let authority = &self.authority;
        let head =
            format!("DELETE {place} HTTP/1.1\r\nHost: {authority}\r\n{headers}Content-Length: 0\r\n\r\n");
        expect(wire.send(head.as_bytes(), &[]).await?, &[200, 204])
    }
}

fn expect(status: u16, wanted: &[u16]) -> io::Result<()> {
    if wanted.contains(&status) {
        Ok(())
    } else {
        Err(io::Error::other(format!("it answered {status}")))
    }
}

/// Ogg Opus of about this size, which a server repackages: packets of 20 ms at 510 kbit/s.
fn sound(size: usize) -> io::Result<Vec<u8>> {
    // CELT, full band, 20 ms, mono (RFC 6716, table 2); the rest of a packet may be anything.
    const TOC: u8 = 31 << 3;
    const MAX_FRAME: usize = 1275;
    let mut bytes = Vec::with_capacity(size);
    let mut writer = OggOpusWriter::new(&mut bytes, &OpusHead::new(1, 312), 1)?;
    let mut state = 1_u32;
    // Nine bytes of a page in each thousand are its own; near enough.
    for _ in 0..(size / (MAX_FRAME + 12)).max(1) {
        let mut packet = vec![TOC];
        packet.extend((1..MAX_FRAME).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }));
        writer.packet(&packet, 960)?;
    }
    writer.finish(None)?;
    Ok(bytes)
}

fn tell(report: &Report, args: &UploadArgs, targets: &[Target], screen: &mut Screen) -> Result<(), Failure> {
    for &size in &args.sizes {
        for &connections in &args.connections {
            let mut rows = Vec::new();
            for target in targets {
                let of_target = |load: &&Load| {
                    load.server == target.name
                        && load.connections == connections as usize
                        && load.size_bytes.abs_diff(size as usize) < size as usize / 8
                };
                let loads: Vec<&Load> = report.loads.iter().filter(of_target).collect();
                rows.extend(rows_of(target.name, &loads));
            }
            let title = format!("{}, {connections} at a time", format::size(size.into()));
            report::table(screen, &title, &rows)?;
        }
    }
    Ok(())
}

/// The medians of several rounds.
fn rows_of(name: &str, loads: &[&Load]) -> Vec<Row> {
    let median = |of: &dyn Fn(&Load) -> Option<f64>| {
        let mut values: Vec<f64> = loads.iter().filter_map(|load| of(load)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let figure = |value: Option<f64>, unit: &str| {
        value.map_or_else(
            || report::UNKNOWN.to_owned(),
            |value| format!("{value:.1} {unit}"),
        )
    };
    let rss = loads.iter().filter_map(|load| load.server_rss_max_bytes).max();
    let at = |of: fn(&Summary) -> f64| median(&|load| Some(of(&load.latency)));
    vec![
        Row::new(name, figure(median(&|load| Some(load.mib_per_second)), "MiB/s")),
        Row::new(
            "  an upload, p50 and p99",
            format!(
                "{}, {}",
                figure(at(|times| times.p50_ms), "ms"),
                figure(at(|times| times.p99_ms), "ms")
            ),
        ),
        Row::new(
            "  processor a GiB",
            figure(median(&|load| load.server_cpu_seconds), "s"),
        ),
        report::memory(
            "  memory, most",
            rss,
            (name == "voxpost").then_some(("48 MiB", 48 << 20)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_that_is_sent_is_about_as_large_as_was_asked_for() {
        for size in [256 << 10, 1 << 20] {
            let bytes = sound(size).unwrap();
            assert!(
                bytes.len().abs_diff(size) < size / 50,
                "{} of {size}",
                bytes.len()
            );
            assert!(bytes.starts_with(b"OggS"));
        }
    }
}
