//! What ffmpeg takes for the same clip, for comparison in the same run.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::stats::{Latencies, Summary};

/// Processes started for each figure.
const TIMES: usize = 20;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Peer {
    /// `ffmpeg -c copy` into Ogg, one process for each clip.
    pub(super) remux: Summary,
    /// `ffmpeg -c:a libopus -b:a 24k` into Ogg.
    pub(super) transcode: Summary,
}

/// `None` where there is no ffmpeg.
pub(super) fn ffmpeg(clip: &[u8], dir: &Path) -> io::Result<Option<Peer>> {
    let input = dir.join("peer.webm");
    std::fs::write(&input, clip)?;
    let output = dir.join("peer.ogg");
    let measure = |arguments: &[&str]| -> io::Result<Option<Summary>> {
        let mut latencies = Latencies::default();
        for _ in 0..TIMES {
            let start = Instant::now();
            let status = Command::new("ffmpeg")
                .args(["-nostdin", "-v", "error", "-y", "-i"])
                .arg(&input)
                .args(arguments)
                .arg(&output)
                .stdin(Stdio::null())
                .status();
            match status {
                Ok(status) if status.success() => latencies.add(start.elapsed()),
                Ok(status) => return Err(io::Error::other(format!("ffmpeg ended with {status}"))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(latencies.summary()))
    };
    let Some(remux) = measure(&["-c", "copy"])? else {
        return Ok(None);
    };
    let Some(transcode) = measure(&["-c:a", "libopus", "-b:a", "24k"])? else {
        return Ok(None);
    };
    Ok(Some(Peer { remux, transcode }))
}
