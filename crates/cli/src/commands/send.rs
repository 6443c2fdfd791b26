//! `voxpost send`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use voxpost_client::{
    AudioSource, Client, Error, ErrorCode, Message, MessageState, Outgoing, Problem, Sent, UploadJournals,
    Uuid,
};

use super::progress::{self, Progress};
use super::{conversation, journals};
use crate::client::ClientArgs;
use crate::failure::Failure;
use crate::format;
use crate::screen::{self, Ink, Screen};

const EXAMPLES: &str = "\
Examples:
  voxpost send note.m4a --to ben
  voxpost send *.ogg --to 0192f0c1-… --jobs 8
  arecord -f cd -d 5 | voxpost send - --to ben --caption \"from the shell\"

Any sound goes in: Opus (Ogg, WebM, MP4), WAV, MP3, AAC, M4A, FLAC, Vorbis, AMR and more. A direct conversation with a person is
made when there is none. A file that was not sent to its end, for want of a network or because this was stopped, goes on where
it was when the same command is given again, and arrives once. When several files are sent, the exit code is that of the first
that failed.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SendArgs {
    /// Sound files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A person by username, or a conversation by id.
    #[arg(long, value_name = "USER|CONVERSATION_ID")]
    to: String,

    /// Words beside the sound.
    #[arg(long, value_name = "TEXT")]
    caption: Option<String>,

    /// The id of the message that this answers.
    #[arg(long, value_name = "MESSAGE_ID")]
    reply_to: Option<Uuid>,

    /// How many files are sent at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16), value_name = "N")]
    jobs: u8,

    #[command(flatten)]
    client: ClientArgs,
}

/// A file that can be sent.
struct Ready<'a> {
    path: &'a Path,
    source: AudioSource,
    size_bytes: u64,
    /// What came from standard input, until it is sent.
    spool: Option<NamedTempFile>,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

pub(crate) async fn send(args: &SendArgs, screen: &mut Screen) -> Result<(), Failure> {
    let signed_in = args.client.signed_in()?;
    let journals = journals::of_uploads(&signed_in).await?;
    let client = signed_in.client;
    let limit = client.config().await?.max_audio_bytes;
    let mut files = Vec::new();
    for path in &args.files {
        files.push(prepare(path, limit).await?);
    }
    let conversation = conversation::find_or_make(&client, &args.to).await?;

    let progress = Progress::new(!screen.json());
    let jobs: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let sending = send_one(args, &client, conversation, journals.as_ref(), &progress, file);
            async move { (index, sending.await) }
        })
        .collect();
    let mut sending = stream::iter(jobs).buffer_unordered(usize::from(args.jobs));
    let mut failures: Vec<(usize, Failure)> = Vec::new();
    while let Some((index, outcome)) = sending.next().await {
        progress.beside(|| tell(screen, files[index].path, files.len() == 1, outcome.as_ref()))?;
        if let Err(failure) = outcome {
            failures.push((index, failure));
        }
    }
    drop(sending);
    drop(progress);
    outcome(failures, files.len(), screen.json())
}

/// One failure of one file is the failure; of several, the first decides the exit code.
fn outcome(mut failures: Vec<(usize, Failure)>, total: usize, told: bool) -> Result<(), Failure> {
    failures.sort_by_key(|(index, _)| *index);
    let Some(exit) = failures.first().map(|(_, failure)| failure.exit()) else {
        return Ok(());
    };
    if total == 1 && !told {
        return failures.pop().map_or(Ok(()), |(_, failure)| Err(failure));
    }
    Err(Failure::SomeNotSent {
        failed: failures.len(),
        total,
        exit,
    })
}

/// Looks at a file before anything is sent: a wrong name among many is found at once.
async fn prepare(path: &Path, limit: u64) -> Result<Ready<'_>, Failure> {
    if path == Path::new("-") {
        let (spool, size) = spool(limit).await.map_err(Failure::file(path))?;
        return Ok(Ready {
            path,
            source: AudioSource::File(spool.path().to_owned()),
            size_bytes: fits(path, size, limit)?,
            spool: Some(spool),
        });
    }
    let metadata = std::fs::metadata(path).map_err(Failure::file(path))?;
    if metadata.is_dir() {
        return Err(Failure::file(path)(io::ErrorKind::IsADirectory.into()));
    }
    std::fs::File::open(path).map_err(Failure::file(path))?;
    let size_bytes = fits(path, metadata.len(), limit)?;
    Ok(Ready {
        path,
        source: AudioSource::File(path.to_owned()),
        size_bytes,
        spool: None,
    })
}

/// Standard input as a file, up to one byte over the limit: what goes up piece by piece is read more than once.
async fn spool(limit: u64) -> io::Result<(NamedTempFile, u64)> {
    let file = NamedTempFile::new()?;
    let mut out = tokio::fs::File::create(file.path()).await?;
    let mut stdin = tokio::io::stdin().take(limit.saturating_add(1));
    let size = tokio::io::copy(&mut stdin, &mut out).await?;
    out.flush().await?;
    Ok((file, size))
}

/// The server would say the same, after it had taken the bytes.
fn fits(path: &Path, size: u64, limit: u64) -> Result<u64, Failure> {
    if size <= limit {
        return Ok(size);
    }
    let detail = format!(
        "{} has {}{}, this server takes {}",
        path.display(),
        if path == Path::new("-") { "over " } else { "" },
        format::size(size),
        format::size(limit)
    );
    let problem = Box::new(Problem::new(ErrorCode::AudioTooLarge, detail));
    Err(Error::Refused {
        problem,
        retry_after: None,
    }
    .into())
}

async fn send_one(
    args: &SendArgs,
    client: &Client,
    conversation: Uuid,
    journals: Option<&UploadJournals>,
    progress: &Progress,
    file: &Ready<'_>,
) -> Result<Message, Failure> {
    let label = file
        .path
        .file_name()
        .unwrap_or(file.path.as_os_str())
        .to_string_lossy();
    let bar = progress.bar(&screen::printable(&label), file.size_bytes);
    let message = Outgoing {
        reply_to: args.reply_to,
        caption: args.caption.clone(),
        progress: Some(progress::follow(bar.clone())),
        journals: journals.filter(|_| file.spool.is_none()).cloned(),
        ..Outgoing::new(file.source.clone())?
    };
    let sent = client.send_message(conversation, &message).await;
    let message = match sent? {
        Sent::Ready(message) => *message,
        Sent::Processing { id } => client.wait_for_message(id).await?,
    };
    bar.finish_and_clear();
    if message.state == MessageState::Failed {
        let detail =
            "the server could not make a message of this sound; `voxpost inspect FILE` shows what is in it";
        let problem = Box::new(Problem::new(ErrorCode::AudioCorrupt, detail));
        return Err(Error::Refused {
            problem,
            retry_after: None,
        }
        .into());
    }
    Ok(message)
}

fn tell(
    screen: &mut Screen,
    path: &Path,
    alone: bool,
    outcome: Result<&Message, &Failure>,
) -> Result<(), Failure> {
    if screen.json() {
        let message = outcome.ok();
        let error = outcome.err().map(screen::problem);
        return screen.object(&Line {
            file: path,
            message,
            error,
        });
    }
    match outcome {
        Ok(message) => {
            let duration = format::duration(message.duration_ms.unwrap_or(0));
            let sent = screen.paint(Ink::Good, "sent");
            screen.line(format_args!(
                "{sent} {}  {duration}  {}",
                path.display(),
                message.id
            ))
        }
        // The one failure of the only file is told at the end.
        Err(_) if alone => Ok(()),
        Err(failure) => {
            screen.note(format_args!("not sent {}: {failure}", path.display()));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_first_file_that_failed_decides_the_exit_code() {
        let failures = vec![
            (3, Failure::NotFound("x".into())),
            (1, Failure::Exists("x".into())),
        ];
        let failure = outcome(failures, 5, false).unwrap_err();
        assert_eq!(failure.exit(), Exit::File);
        assert_eq!(failure.to_string(), "2 of 5 files were not sent");
    }

    #[test]
    fn a_single_failure_speaks_for_itself() {
        let failure = outcome(vec![(0, Failure::NotFound("person \"x\"".into()))], 1, false).unwrap_err();
        assert_eq!(failure.to_string(), "there is no person \"x\"");
        assert!(outcome(Vec::new(), 1, false).is_ok());
    }

    #[test]
    fn a_file_over_the_limit_is_refused_before_it_is_sent() {
        let failure = fits(Path::new("a.wav"), 11 << 20, 10 << 20).unwrap_err();
        assert_eq!(
            (failure.exit(), failure.code()),
            (Exit::Refused, "audio_too_large")
        );
        assert!(
            failure
                .to_string()
                .contains("a.wav has 11.0 MiB, this server takes 10.0 MiB")
        );
        assert_eq!(fits(Path::new("a.wav"), 10 << 20, 10 << 20).unwrap(), 10 << 20);
    }

    #[test]
    fn a_line_has_the_message_or_the_error() {
        let failure = Failure::NotFound("x".into());
        let line = Line {
            file: Path::new("a"),
            message: None,
            error: Some(screen::problem(&failure)),
        };
        let value = json!(line);
        assert_eq!(value["error"]["exit"], 4);
        assert!(value.get("message").is_none());
    }
}
