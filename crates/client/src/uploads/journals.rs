//! What was not sent to its end, so that the next attempt goes on with it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use voxpost_proto::{ErrorCode, Uuid};

use super::Sound;
use crate::client::Client;
use crate::error::Error;
use crate::files::{lock, make_dir, read_bounded, replace};

/// A journal is never larger, in bytes.
const MAX_BYTES: u64 = 4 * 1024;

/// The server keeps an upload, and the id of a message, for so long; what is older is of no use.
const KEEP: Duration = Duration::from_secs(7 * 86_400);

/// A directory with one small file for each message that is on its way: under which id, and as which upload. One directory is
/// for one account.
///
/// The same file, sent to the same conversation with the same words, is the same message until it has arrived: so what was
/// killed in the middle goes on where it was, and what had arrived already is not sent twice. A file that was changed
/// meanwhile is another message. It belongs to one process at a time: who sends the same file at the same time sends two
/// messages.
#[derive(Clone, Debug)]
pub struct UploadJournals {
    dir: PathBuf,
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) client_id: Uuid,
    pub(crate) upload_id: Option<Uuid>,
    place: Option<Place>,
}

/// Where it is kept.
#[derive(Debug)]
struct Place {
    dir: PathBuf,
    key: String,
    _lock: File,
}

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    client_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload_id: Option<Uuid>,
}

impl UploadJournals {
    /// In this directory, which is made when the first file is.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes up what an earlier attempt left of this sound, or begins under `client_id`. What is kept elsewhere than in a file
    /// cannot be taken up, and where nothing can be kept it is sent all the same.
    pub(crate) fn take_up(
        &self,
        client: &Client,
        conversation: Uuid,
        sound: &Sound<'_>,
        words: &[&str],
        client_id: Uuid,
    ) -> Unsent {
        let fresh = Unsent::unkept(client_id);
        let Some(key) = key(client, conversation, sound, words) else {
            return fresh;
        };
        match self.open(key) {
            Ok((place, kept)) => Unsent {
                client_id: kept.as_ref().map_or(client_id, |kept| kept.client_id),
                upload_id: kept.and_then(|kept| kept.upload_id),
                place: Some(place),
            },
            Err(error) => {
                tracing::debug!(%error, "what is sent is not kept");
                fresh
            }
        }
    }

    fn open(&self, key: String) -> io::Result<(Place, Option<Kept>)> {
        make_dir(&self.dir)?;
        self.forget_what_is_old();
        let place = Place {
            _lock: lock(&path(&self.dir, &key, "lock"))?,
            dir: self.dir.clone(),
            key,
        };
        let kept = read_bounded(&place.path("json"), MAX_BYTES).ok();
        let kept = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok((place, kept))
    }

    fn forget_what_is_old(&self) {
        let is_old = |file: &fs::DirEntry| {
            let changed = file.metadata().and_then(|file| file.modified());
            changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > KEEP))
        };
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for file in files.filter(is_old) {
            let name = file.path();
            // Beside the lock that its owner holds it stays.
            let free = name.extension() != Some(OsStr::new("lock")) || lock(&name).is_ok();
            if free && let Err(error) = fs::remove_file(name) {
                tracing::debug!(%error, "an old journal stays");
            }
        }
    }
}

impl Unsent {
    /// One of which nothing is kept.
    pub(crate) fn unkept(client_id: Uuid) -> Self {
        Self {
            client_id,
            upload_id: None,
            place: None,
        }
    }

    /// Keeps it as it is now.
    pub(crate) fn save(&self) {
        let Some(place) = &self.place else { return };
        let kept = Kept {
            client_id: self.client_id,
            upload_id: self.upload_id,
        };
        let written = serde_json::to_vec(&kept)
            .map_err(io::Error::other)
            .and_then(|bytes| replace(&place.path("json"), &place.path("new"), &bytes));
        if let Err(error) = written {
            tracing::debug!(%error, "what is sent is not kept");
        }
    }

    /// Forgets it when nothing of it is to be done any more: it has arrived, or was refused for good.
    pub(crate) fn settle<T>(self, outcome: &Result<T, Error>) {
        let over = match outcome {
            Ok(_) => true,
            Err(error) => error.code().is_some_and(is_final),
        };
        let Some(place) = self.place.filter(|_| over) else {
            return;
        };
        // The lock goes last: who waits for it finds nothing then.
        for ending in ["json", "new", "lock"] {
            match fs::remove_file(place.path(ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!(%error, "a journal stays");
                }
                _ => {}
            }
        }
    }
}

impl Place {
    fn path(&self, ending: &str) -> PathBuf {
        path(&self.dir, &self.key, ending)
    }
}

/// Whether the same sound would be refused again.
fn is_final(code: ErrorCode) -> bool {
    use ErrorCode::*;
    matches!(
        code,
        InvalidRequest
            | VoiceNotAccepted
            | Forbidden
            | NotFound
            | Conflict
            | AudioTooLarge
            | AudioUnrecognised
            | AudioUnsupported
            | AudioCorrupt
            | AudioEmpty
            | AudioTooLong
    )
}

fn path(dir: &Path, key: &str, ending: &str) -> PathBuf {
    dir.join(format!("{key}.{ending}"))
}

/// A name for what is sent; none for what has no file. A hash: the file's name is nobody's business.
fn key(client: &Client, conversation: Uuid, sound: &Sound<'_>, words: &[&str]) -> Option<String> {
    let (path, modified) = sound.file()?;
    let path = path.canonicalize().ok()?;
    let modified = modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let conversation = conversation.to_string();
    let (length, modified) = (sound.length().to_string(), modified.as_nanos().to_string());
    let mut parts = vec![client.url(), &conversation, &length, &modified];
    parts.extend_from_slice(words);
    let mut hash = Sha256::new();
    for part in parts
        .into_iter()
        .map(str::as_bytes)
        .chain([path.as_os_str().as_encoded_bytes()])
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    Some(bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uploads::AudioSource;

    const CONVERSATION: Uuid = Uuid::from_u128(7);

    struct Desk {
        dir: tempfile::TempDir,
        journals: UploadJournals,
        source: AudioSource,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("voice.wav");
            fs::write(&file, b"sound").unwrap();
            Self {
                journals: UploadJournals::new(dir.path().join("deep/journals")),
                source: AudioSource::File(file),
                dir,
            }
        }

        async fn takes_up(&self, words: &str, client_id: u128) -> Unsent {
            let client = Client::builder("http://127.0.0.1:1").build().unwrap();
            let sound = Sound::of(&self.source).await.unwrap();
            self.journals.take_up(
                &client,
                CONVERSATION,
                &sound,
                &[words],
                Uuid::from_u128(client_id),
            )
        }

        fn files(&self) -> usize {
            fs::read_dir(self.journals.dir()).map_or(0, Iterator::count)
        }
    }

    fn refused(code: ErrorCode) -> Result<(), Error> {
        let problem = Box::new(voxpost_proto::Problem::new(code, "no"));
        Err(Error::Refused {
            problem,
            retry_after: None,
        })
    }

    #[tokio::test]
    async fn what_was_not_sent_to_its_end_is_taken_up_and_what_arrived_is_forgotten() {
        let desk = Desk::new();
        let mut unsent = desk.takes_up("", 1).await;
        unsent.upload_id = Some(Uuid::from_u128(9));
        unsent.save();
        unsent.settle(&refused(ErrorCode::Unavailable));
        let again = desk.takes_up("", 2).await;
        assert_eq!(
            (again.client_id, again.upload_id),
            (Uuid::from_u128(1), Some(Uuid::from_u128(9)))
        );
        let other = desk.takes_up("other words", 3).await;
        assert_eq!((other.client_id, other.upload_id), (Uuid::from_u128(3), None));
        again.settle(&Ok(()));
        other.settle(&refused(ErrorCode::AudioUnrecognised));
        assert_eq!(desk.files(), 0);
    }

    #[tokio::test]
    async fn a_file_that_was_changed_is_another_message() {
        let desk = Desk::new();
        desk.takes_up("", 1).await.save();
        fs::write(desk.dir.path().join("voice.wav"), b"another sound").unwrap();
        assert_eq!(desk.takes_up("", 2).await.client_id, Uuid::from_u128(2));
    }

    #[tokio::test]
    async fn who_sends_the_same_at_the_same_time_sends_another_message() {
        let desk = Desk::new();
        let first = desk.takes_up("", 1).await;
        first.save();
        let second = desk.takes_up("", 2).await;
        assert_eq!(second.client_id, Uuid::from_u128(2));
        second.settle(&Ok(()));
        drop(first);
        assert_eq!(desk.takes_up("", 3).await.client_id, Uuid::from_u128(1));
    }

    #[tokio::test]
    async fn a_damaged_journal_is_as_none_and_an_old_one_is_cleared_away() {
        let desk = Desk::new();
        desk.takes_up("", 1).await.save();
        let json = fs::read_dir(desk.journals.dir()).unwrap().flatten();
        let json = json
            .map(|file| file.path())
            .find(|path| path.extension() == Some("json".as_ref()));
        let json = json.unwrap();
        let whole = fs::read(&json).unwrap();
        for cut in 0..whole.len() {
            fs::write(&json, &whole[..cut]).unwrap();
            assert_eq!(desk.takes_up("", 2).await.client_id, Uuid::from_u128(2));
        }
        fs::write(&json, &whole).unwrap();
        let old = SystemTime::now() - KEEP - Duration::from_secs(60);
        File::options()
            .write(true)
            .open(&json)
            .unwrap()
            .set_modified(old)
            .unwrap();
        assert_eq!(desk.takes_up("", 3).await.client_id, Uuid::from_u128(3));
    }

    #[tokio::test]
    async fn where_nothing_can_be_kept_it_is_sent_all_the_same() {
        let desk = Desk::new();
        fs::write(desk.dir.path().join("deep"), b"a file in the way").unwrap();
        let unsent = desk.takes_up("", 1).await;
        unsent.save();
        assert_eq!(unsent.client_id, Uuid::from_u128(1));
        unsent.settle(&Ok(()));
    }
}
