//! The sound of a message, in memory: packed it takes 180 kB a minute.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use voxpost_audio::{Limits, VoiceReader};
use voxpost_client::{AudioFormat, Client, Message};

use crate::commands::progress::{self, Progress};
use crate::failure::Failure;

/// More than a day of speech; a server that sends more is not believed.
const MAX_BYTES: usize = 512 << 20;

/// Longer messages are not played, in ms: a week.
const MAX_DURATION_MS: u64 = 7 * 86_400_000;

/// Downloads it and makes it ready to be read from any place.
pub(super) async fn reader(client: &Client, message: &Message) -> Result<VoiceReader, Failure> {
    let progress = Progress::new(true);
    let length = message.audio.as_ref().map_or(0, |audio| audio.size_bytes.max(0));
    let moved = progress::follow(progress.bar("sound", length.unsigned_abs()));
    let mut sound = Bounded(Vec::new());
    client
        .download_audio(message, &AudioFormat::default(), &mut sound, |bytes| moved(bytes))
        .await?;
    drop(progress);
    let limits = Limits {
        max_duration_ms: MAX_DURATION_MS,
        ..Limits::default()
    };
    VoiceReader::new(sound.0, &limits).map_err(|error| Failure::NotSound {
        path: message.id.to_string().into(),
        reason: error.to_string(),
    })
}

struct Bounded(Vec<u8>);

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.0.len() + bytes.len() > MAX_BYTES {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the message is too large to be played",
            )));
        }
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
