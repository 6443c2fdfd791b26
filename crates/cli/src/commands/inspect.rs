//! `voxpost inspect`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use voxpost_audio::{Error, Report};

use crate::draw;
use crate::failure::Failure;
use crate::format;
use crate::screen::{Ink, Screen};

const EXAMPLES: &str = "\
Examples:
  voxpost inspect note.m4a
  voxpost inspect note.m4a --json | jq .loudness_lufs

Nothing is sent: the file is decoded here. Duration, loudness (EBU R 128) and waveform are measured, not read from headers.";

/// Rows that the waveform takes.
const ROWS: usize = 3;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// A sound file.
    file: PathBuf,
}

pub(crate) fn inspect(args: &InspectArgs, screen: &mut Screen) -> Result<(), Failure> {
    let file = File::open(&args.file).map_err(Failure::file(&args.file))?;
    let size_bytes = file.metadata().map_err(Failure::file(&args.file))?.len();
    let report = voxpost_audio::inspect(file, &|| false).map_err(|error| no_sound(&args.file, error))?;
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, size_bytes, screen)
    }
}

fn no_sound(path: &Path, error: Error) -> Failure {
    match error {
        Error::Io(source) => Failure::file(path)(source),
        other => Failure::NotSound {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}

fn tell(report: &Report, size_bytes: u64, screen: &mut Screen) -> Result<(), Failure> {
    let width = screen.width().min(report.analysis.waveform.len());
    for row in draw::waveform(&report.analysis.waveform, width, ROWS) {
        let row = screen.paint(Ink::Sound, row.trim_end());
        screen.line(row)?;
    }
    let channels = match report.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        many => format!("{many} channels"),
    };
    let loudness = match report.analysis.loudness_lufs {
        Some(lufs) => format!("{lufs:.1} LUFS, {:+.1} dB to −16 LUFS", report.analysis.gain_db),
        None => "silence".to_owned(),
    };
    let speech: u64 = report
        .analysis
        .speech
        .iter()
        .map(|[from, to]| to.saturating_sub(*from))
        .sum();
    let milliseconds = |ms: u64| format::duration(i64::try_from(ms).unwrap_or(i64::MAX));
    let facts = [
        ("container", report.container.to_owned()),
        (
            "codec",
            format!("{}, {} Hz, {channels}", report.codec, report.sample_rate),
        ),
        (
            "duration",
            format!("{} ({} ms)", milliseconds(report.duration_ms), report.duration_ms),
        ),
        (
            "size",
            format!(
                "{}, {:.1} kbit/s",
                format::size(size_bytes),
                report.bitrate as f64 / 1000.0
            ),
        ),
        ("loudness", loudness),
        (
            "peak",
            format!("{:.1} dBTP", 20.0 * report.analysis.peak.max(1e-6).log10()),
        ),
        (
            "speech",
            format!(
                "{} in {} parts",
                milliseconds(speech),
                report.analysis.speech.len()
            ),
        ),
    ];
    for (name, value) in facts {
        screen.line(format_args!("{name:<10} {value}"))?;
    }
    if report.truncated {
        screen.line(screen.paint(
            Ink::Warning,
            "damaged    it ends early or has parts that cannot be decoded",
        ))?;
    }
    Ok(())
}
