//! `voxpost get`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use voxpost_client::{AudioFormat, Client, Download, Error, Message, Uuid};

use super::progress::{self, Progress};
use crate::client::ClientArgs;
use crate::failure::Failure;
use crate::format;
use crate::screen::{Screen, printable};

const EXAMPLES: &str = "\
Examples:
  voxpost get 0192f0c1-…                       a file named by time and sender
  voxpost get 0192f0c1-… -o note.ogg
  voxpost get 0192f0c1-… --format wav -o - | aplay

A download that is cut off is taken up again; the stored object is checked against its SHA-256. Nothing is overwritten
without --force, and no half file is left behind.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    /// The id of the message, as `voxpost inbox` lists it.
    #[arg(value_name = "MESSAGE_ID")]
    message: Uuid,

    /// Where to write: a file, a directory, or `-` for standard output [default: a name made of time and sender].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What to make of it: one of the message's formats, such as ogg, webm, mp4, wav.
    #[arg(long, default_value = AudioFormat::CANONICAL, value_name = "NAME")]
    format: String,

    /// Overwrite a file that is there.
    #[arg(short, long)]
    force: bool,

    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn get(args: &GetArgs, screen: &mut Screen) -> Result<(), Failure> {
    let client = args.client.signed_in()?.client;
    let message = client.message(args.message).await?;
    let audio = message
        .audio
        .as_ref()
        .ok_or_else(|| Failure::NotFound("sound in this message yet".into()))?;
    if !audio.formats.contains(&args.format) {
        let formats = audio.formats.join(", ");
        return Err(Failure::Usage(format!(
            "this message comes in {formats}: choose one with --format"
        )));
    }
    let format = AudioFormat::new(args.format.clone());
    let target = target(args.output.as_deref(), &message, &format);
    let progress = Progress::new(!screen.json());
    let length = if format == AudioFormat::default() {
        audio.size_bytes.max(0) as u64
    } else {
        0
    };
    let moved = progress::follow(progress.bar(&target.display().to_string(), length));

    if target == Path::new("-") {
        let mut out = tokio::io::stdout();
        let done = client
            .download_audio(&message, &format, &mut out, |bytes| moved(bytes))
            .await;
        return done.map(drop).map_err(|error| at(&target, error));
    }
    let download = if is_special(&target) {
        // A pipe or device cannot be replaced by a file.
        let file = tokio::fs::File::options().write(true).open(&target).await;
        let mut file = file.map_err(Failure::file(&target))?;
        client
            .download_audio(&message, &format, &mut file, |bytes| moved(bytes))
            .await
    } else {
        if target.exists() && !args.force {
            return Err(Failure::Exists(target));
        }
        save(&client, &message, &format, &target, args.force, &|bytes| {
            moved(bytes);
        })
        .await?
    };
    let download = download.map_err(|error| at(&target, error))?;
    drop(progress);
    tell(screen, &message, &target, &download)
}

/// Downloads beside the target and moves it there when it is whole.
async fn save(
    client: &Client,
    message: &Message,
    format: &AudioFormat,
    target: &Path,
    force: bool,
    moved: &impl Fn(u64),
) -> Result<Result<Download, Error>, Failure> {
    let dir = target
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let temporary = NamedTempFile::new_in(dir).map_err(Failure::file(target))?;
    let mut file = tokio::fs::File::from_std(temporary.reopen().map_err(Failure::file(target))?);
    let download = match client.download_audio(message, format, &mut file, moved).await {
        Ok(download) => download,
        Err(error) => return Ok(Err(error)),
    };
    let synced = async {
        file.flush().await?;
        file.sync_all().await
    };
    synced.await.map_err(Failure::file(target))?;
    give_usual_mode(temporary.as_file()).map_err(Failure::file(target))?;
    let persisted = if force {
        temporary.persist(target)
    } else {
        temporary.persist_noclobber(target)
    };
    match persisted {
        Ok(_) => Ok(Ok(download)),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::Exists(target.to_owned()))
        }
        Err(error) => Err(Failure::file(target)(error.error)),
    }
}

/// A temporary file is private; a finished download is as readable as any other file of its owner.
#[cfg(unix)]
pub(super) fn give_usual_mode(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(umask);
    file.set_permissions(std::fs::Permissions::from_mode(0o666 & !umask.as_raw_mode()))
}

#[cfg(not(unix))]
pub(super) fn give_usual_mode(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

fn is_special(target: &Path) -> bool {
    std::fs::metadata(target).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Where to write.
fn target(output: Option<&Path>, message: &Message, format: &AudioFormat) -> PathBuf {
    match output {
        Some(path) if path == Path::new("-") => path.to_owned(),
        Some(dir) if dir.is_dir() => dir.join(default_name(message, format)),
        Some(file) => file.to_owned(),
        None => default_name(message, format).into(),
    }
}

/// A name of time, sender and format in which nothing from the server can lead out of the directory.
fn default_name(message: &Message, format: &AudioFormat) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            .take(32)
            .collect()
    };
    let when = format::time_for_file(message.created_at);
    format!(
        "{when}-{}.{}",
        plain(&message.sender.username),
        plain(format.as_str())
    )
}

fn at(target: &Path, error: Error) -> Failure {
    match error {
        Error::File { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        Error::File { source, .. } => Failure::file(target)(source),
        other => other.into(),
    }
}

fn tell(screen: &mut Screen, message: &Message, target: &Path, download: &Download) -> Result<(), Failure> {
    if screen.json() {
        return screen.object(&json!({
            "message_id": message.id,
            "file": target,
            "type": download.media_type,
            "size_bytes": download.size_bytes,
            "sha256": download.sha256,
        }));
    }
    let size = format::size(download.size_bytes);
    screen.line(format_args!(
        "{}  {size}",
        printable(&target.display().to_string())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(username: &str) -> Message {
        let value = json!({
            "id": Uuid::nil(), "conversation_id": Uuid::nil(), "seq": 1, "version": 1, "state": "ready",
            "sender": {"id": Uuid::nil(), "username": username, "display_name": "x"}, "client_id": null,
            "reply_to": null, "caption": null, "created_at": "2026-01-01T10:00:00.000Z", "duration_ms": 1,
            "truncated": false, "missing_ms": 0, "waveform": null, "gain_db": null, "loudness_lufs": null,
            "speech": null, "audio": null, "source": null, "reactions": [],
            "playback": {"version": 0, "position_ms": 0, "heard_ms": 0, "played": false},
            "played_by": [], "played_count": 0, "transcript": null,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn no_name_from_the_server_leads_out_of_the_directory() {
        let name = default_name(&message("../../etc/.bashrc\u{0}"), &AudioFormat::new("o/g.g"));
        assert!(name.ends_with("-etcbashrc.ogg"), "{name}");
        assert!(!name.contains(['/', '\u{0}']) && !name.contains(".."));
    }

    #[test]
    fn a_directory_gets_the_default_name() {
        let dir = tempfile::tempdir().unwrap();
        let (message, format) = (message("ana"), AudioFormat::default());
        let path = target(Some(dir.path()), &message, &format);
        assert_eq!(path.parent(), Some(dir.path()));
        assert!(path.to_string_lossy().ends_with("-ana.ogg"));
        assert_eq!(target(Some(Path::new("-")), &message, &format), Path::new("-"));
        assert_eq!(
            target(Some(Path::new("x.ogg")), &message, &format),
            Path::new("x.ogg")
        );
    }
}
