//! The bytes of a sound: anew for every try, and from the middle on.

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use reqwest::Body;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::error::Error;

/// How much of a file is read and handed to the network at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Is told how many bytes of the sound are on their way.
pub(crate) type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Where the sound of a message comes from. It is read anew for every try.
#[derive(Clone, Debug)]
pub enum AudioSource {
    /// A file, streamed from the disk.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Bytes),
}

/// A source as it was found when sending began.
#[derive(Clone, Debug)]
pub(crate) struct Sound<'a> {
    source: &'a AudioSource,
    length: u64,
    modified: Option<SystemTime>,
}

impl<'a> Sound<'a> {
    /// Looks at a source.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read.
    pub(crate) async fn of(source: &'a AudioSource) -> Result<Self, Error> {
        let (length, modified) = match source {
            AudioSource::Bytes(bytes) => (bytes.len() as u64, None),
            AudioSource::File(path) => {
                let (_, length, modified) = open(path).await.map_err(in_file(path))?;
                (length, modified)
            }
        };
        Ok(Self {
            source,
            length,
            modified,
        })
    }

    /// In bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The file, and when it was changed last.
    pub(crate) fn file(&self) -> Option<(&'a Path, Option<SystemTime>)> {
        match self.source {
            AudioSource::File(path) => Some((path, self.modified)),
            AudioSource::Bytes(_) => None,
        }
    }

    /// A part of it as the body of a request, told byte by byte to `progress`, counted from the beginning of the sound.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, or is not what it was when sending began.
    pub(crate) async fn body(&self, range: Range<u64>, progress: Option<&Progress>) -> Result<Body, Error> {
        let chunks = self.read(range.clone()).await?;
        Ok(Body::wrap_stream(counted(chunks, range.start, progress.cloned())))
    }

    async fn read(&self, range: Range<u64>) -> Result<BoxStream<'static, io::Result<Bytes>>, Error> {
        match self.source {
            AudioSource::Bytes(bytes) => {
                let bytes = bytes.slice(range.start as usize..range.end as usize);
                let pieces = (0..bytes.len()).step_by(CHUNK_BYTES);
                let pieces: Vec<_> = pieces.map(|at| Ok(piece(&bytes, at))).collect();
                Ok(stream::iter(pieces).boxed())
            }
            AudioSource::File(path) => {
                let part = async {
                    let (mut file, length, modified) = open(path).await?;
                    if (length, modified) != (self.length, self.modified) {
                        return Err(io::Error::other(
                            "it was changed while it was sent; send it again",
                        ));
                    }
                    file.seek(SeekFrom::Start(range.start)).await?;
                    Ok(file.take(range.end - range.start))
                };
                let part = part.await.map_err(in_file(path))?;
                Ok(ReaderStream::with_capacity(part, CHUNK_BYTES).boxed())
            }
        }
    }
}

async fn open(path: &Path) -> io::Result<(tokio::fs::File, u64, Option<SystemTime>)> {
    let file = tokio::fs::File::open(path).await?;
    let metadata = file.metadata().await?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata.len(), metadata.modified().ok()))
}

fn in_file(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}

fn piece(bytes: &Bytes, at: usize) -> Bytes {
    bytes.slice(at..bytes.len().min(at + CHUNK_BYTES))
}

fn counted(
    chunks: BoxStream<'static, io::Result<Bytes>>,
    begin: u64,
    progress: Option<Progress>,
) -> BoxStream<'static, io::Result<Bytes>> {
    let Some(progress) = progress else { return chunks };
    progress(begin);
    let mut sent = begin;
    chunks
        .inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                sent += chunk.len() as u64;
                progress(sent);
            }
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    async fn read(source: &AudioSource, range: Range<u64>, progress: Option<Progress>) -> Vec<u8> {
        let begin = range.start;
        let chunks = Sound::of(source).await.unwrap().read(range).await.unwrap();
        let chunks: Vec<io::Result<Bytes>> = counted(chunks, begin, progress).collect().await;
        chunks
            .into_iter()
            .flat_map(|chunk| chunk.unwrap().to_vec())
            .collect()
    }

    #[tokio::test]
    async fn bytes_and_files_are_streamed_whole_or_from_the_middle_and_progress_ends_where_they_end() {
        let content: Vec<u8> = (0..150_000u32).map(|n| n as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        for source in [
            AudioSource::Bytes(content.clone().into()),
            AudioSource::File(file.path().to_path_buf()),
        ] {
            for (begin, end) in [(0, 150_000), (70_000, 150_000), (10, 20), (150_000, 150_000)] {
                let seen = Arc::new(Mutex::new(Vec::new()));
                let told = Arc::clone(&seen);
                let progress: Progress = Arc::new(move |sent| told.lock().unwrap().push(sent));
                let read = read(&source, begin..end, Some(progress)).await;
                assert_eq!(read, content[begin as usize..end as usize]);
                let seen = seen.lock().unwrap();
                assert_eq!((seen[0], seen[seen.len() - 1]), (begin, end));
                assert!(seen.is_sorted());
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_and_a_directory_are_named_in_the_error() {
        for path in ["/nowhere/voice.ogg", "/"] {
            let source = AudioSource::File(path.into());
            let error = Sound::of(&source).await.err().unwrap();
            assert!(matches!(&error, Error::File { .. }));
            assert!(error.to_string().starts_with(path));
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_sent_is_not_mixed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [1; 1000]).unwrap();
        let source = AudioSource::File(file.path().to_path_buf());
        let sound = Sound::of(&source).await.unwrap();
        std::fs::write(file.path(), [2; 999]).unwrap();
        let error = sound.read(0..1000).await.err().unwrap();
        assert!(error.to_string().contains("changed while it was sent"), "{error}");
    }
}
