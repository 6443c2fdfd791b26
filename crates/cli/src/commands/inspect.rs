//! `voxpost inspect`.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::NamedTempFile;
use voxpost_audio::{Error, Report};

use super::get::give_usual_mode;
use crate::draw;
use crate::failure::Failure;
use crate::format;
use crate::picture::{self, Collector};
use crate::screen::{Ink, Screen, printable};

const EXAMPLES: &str = "\
Examples:
  voxpost inspect note.m4a
  voxpost inspect note.m4a --json | jq .loudness_lufs
  voxpost inspect note.m4a --png note.png      waveform, spectrogram, loudness and speech to look at

Nothing is sent: the file is decoded here. Duration, loudness (EBU R 128) and waveform are measured, not read from headers.";

/// Rows that the waveform takes.
const ROWS: usize = 3;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// A sound file.
    file: PathBuf,

    /// Draw waveform, spectrogram, loudness and where somebody speaks, and write the picture there.
    #[arg(long, value_name = "OUT")]
    png: Option<PathBuf>,
}

pub(crate) fn inspect(args: &InspectArgs, screen: &mut Screen) -> Result<(), Failure> {
    let file = File::open(&args.file).map_err(Failure::file(&args.file))?;
    let size_bytes = file.metadata().map_err(Failure::file(&args.file))?.len();
    let report = voxpost_audio::inspect(file, &|| false).map_err(|error| no_sound(&args.file, error))?;
    if let Some(target) = &args.png {
        draw_picture(&args.file, target, &report)?;
    }
    if screen.json() {
        screen.object(&report)
    } else {
        tell(&report, size_bytes, screen)
    }
}

/// Decodes the file once more, now that it is known how long it plays; a picture that fails leaves no half file.
fn draw_picture(path: &Path, target: &Path, report: &Report) -> Result<(), Failure> {
    let file = File::open(path).map_err(Failure::file(path))?;
    let mut collector: Option<Collector> = None;
    voxpost_audio::decode(file, &|| false, &mut |block| {
        collector
            .get_or_insert_with(|| Collector::new(block.rate, block.channels, report.duration_ms))
            .push(block.interleaved);
    })
    .map_err(|error| no_sound(path, error))?;
    let Some(collector) = collector else {
        return Err(no_sound(path, Error::Empty));
    };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let failed = |error| Failure::file(target)(error);
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let temporary = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    picture::write(
        &printable(&name),
        report,
        collector,
        BufWriter::new(temporary.as_file()),
    )
    .map_err(failed)?;
    let kept = temporary.persist(target).map_err(|error| failed(error.error))?;
    give_usual_mode(&kept).map_err(failed)
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
