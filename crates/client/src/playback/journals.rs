use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use voxpost_proto::Uuid;
use voxpost_proto::playback::Journal;

use crate::client::Client;
use crate::error::Error;
use crate::files::{lock, make_dir, read_bounded, replace};

/// A journal is never larger, in bytes: 256 intervals and the rest.
const MAX_BYTES: u64 = 64 * 1024;

/// What the server knows as well is kept for so long, for a device that is offline then.
const KEEP_CONFIRMED: Duration = Duration::from_secs(30 * 86_400);

/// A directory with one small file for each player of each message: where somebody stopped, and what the server was not told
/// yet. One directory is for one account.
///
/// A file is whole at every instant: written beside its place, synced, renamed. It belongs to the process that plays; when
/// that is gone, whoever plays the message next takes it over. So two processes that play the same message lose nothing of
/// each other.
#[derive(Clone, Debug)]
pub struct PlaybackJournals {
    dir: PathBuf,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) duration_ms: i64,
    #[serde(flatten)]
    pub(super) journal: Journal,
}

/// A file that is this process's.
#[derive(Debug)]
pub(super) struct Page {
    dir: PathBuf,
    name: Name,
    _lock: File,
}

/// A file's name: `MESSAGE.PLAYER.json`, beside it `.lock` and `.new`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    message: Uuid,
    player: Uuid,
}

impl PlaybackJournals {
    /// In this directory, which is made when the first file is.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An id for this device where no sign-in gave one: made on first use, the same ever after.
    ///
    /// # Errors
    /// [`Error::Randomness`] when the operating system gives none. Where it cannot be kept, it is another one next time.
    pub fn device_id(&self) -> Result<Uuid, Error> {
        let path = self.dir.join("device");
        let kept = fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        if let Some(id) = kept {
            return Ok(id);
        }
        let id = Client::new_id()?;
        let written = make_dir(&self.dir)
            .and_then(|()| replace(&path, &self.dir.join("device.new"), id.to_string().as_bytes()));
        if let Err(error) = written {
            tracing::debug!(%error, "the device's id is not kept");
        }
        Ok(id)
    }

    /// Whether a player left something that the server was not told.
    pub fn has_unsynced(&self) -> bool {
        self.names()
            .into_iter()
            .any(|name| read(&self.dir, name).is_some_and(|kept| kept.journal.moved))
    }

    /// The file of a new player.
    pub(super) fn create(&self, message: Uuid, player: Uuid) -> io::Result<Page> {
        make_dir(&self.dir)?;
        let name = Name { message, player };
        let lock = lock(&name.path(&self.dir, "lock"))?;
        Ok(Page {
            dir: self.dir.clone(),
            name,
            _lock: lock,
        })
    }

    /// Takes over what players of a message left that are gone; the latest first.
    pub(super) fn claim(&self, message: Uuid) -> Vec<(Page, Kept)> {
        let names = self.names().into_iter().filter(|name| name.message == message);
        let mut claimed: Vec<_> = names.filter_map(|name| self.claim_one(name)).collect();
        claimed.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.journal.at));
        claimed
    }

    /// The messages of which anything is kept.
    pub(super) fn messages(&self) -> Vec<Uuid> {
        let mut ids: Vec<_> = self.names().into_iter().map(|name| name.message).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn claim_one(&self, name: Name) -> Option<(Page, Kept)> {
        let page = self.create(name.message, name.player).ok()?;
        // Only now: its owner may have removed it before we had the lock.
        match read(&self.dir, name) {
            Some(kept) => Some((page, kept)),
            None => {
                // Damaged, or gone: nothing that could be played on from.
                page.remove();
                None
            }
        }
    }

    fn names(&self) -> Vec<Name> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names =
            entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok());
        names.collect()
    }
}

impl Page {
    /// Keeps it; returns when it is on the disk.
    ///
    /// # Errors
    /// Those of the disk; what was kept before stays.
    pub(super) fn save(&self, kept: &Kept) -> io::Result<()> {
        let place = self.name.path(&self.dir, "json");
        replace(
            &place,
            &self.name.path(&self.dir, "new"),
            &serde_json::to_vec(kept)?,
        )
    }

    /// Whose it is.
    pub(super) fn player(&self) -> Uuid {
        self.name.player
    }

    /// Whether it was written so long ago that nobody needs it.
    pub(super) fn is_old(&self) -> bool {
        let written = fs::metadata(self.name.path(&self.dir, "json")).and_then(|file| file.modified());
        let age = written.map(|written| SystemTime::now().duration_since(written).unwrap_or_default());
        age.is_ok_and(|age| age > KEEP_CONFIRMED)
    }

    /// Forgets it. The lock goes last: who waits for it finds nothing then.
    pub(super) fn remove(self) {
        for ending in ["json", "new", "lock"] {
            match fs::remove_file(self.name.path(&self.dir, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!(%error, "a journal stays");
                }
                _ => {}
            }
        }
    }
}

impl Kept {
    /// Reads it; none when the bytes are no journal.
    fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Name {
    fn path(self, dir: &Path, ending: &str) -> PathBuf {
        dir.join(format!("{}.{}.{ending}", self.message, self.player))
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (message, player) = text.split_once('.').ok_or(())?;
        let id = |text: &str| text.parse().map_err(|_| ());
        Ok(Self {
            message: id(message)?,
            player: id(player)?,
        })
    }
}

fn read(dir: &Path, name: Name) -> Option<Kept> {
    let bytes = read_bounded(&name.path(dir, "json"), MAX_BYTES).ok()?;
    Kept::parse(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use voxpost_proto::Timestamp;
    use voxpost_proto::playback::{Action, HeardMap, Player};

    use super::*;

    const DURATION: i64 = 60_000;
    const MESSAGE: Uuid = Uuid::from_u128(7);

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    fn kept(player: Uuid, at: i64, position_ms: i64) -> Kept {
        let (mut machine, _) = Player::open(None, None, player, Uuid::from_u128(2), DURATION, now());
        machine.handle(now(), Action::Seek { position_ms });
        let journal = machine.journal(now().plus_millis(at));
        Kept {
            duration_ms: DURATION,
            journal,
        }
    }

    fn players(journals: &PlaybackJournals) -> Vec<(Uuid, i64)> {
        let claimed = journals.claim(MESSAGE);
        claimed
            .iter()
            .map(|(page, kept)| (page.player(), kept.journal.position_ms))
            .collect()
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).map_or(0, Iterator::count)
    }

    #[test]
    fn what_a_player_left_that_is_gone_is_taken_over_and_what_one_that_lives_has_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let journals = PlaybackJournals::new(dir.path().join("deep"));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let page = journals.create(MESSAGE, one).unwrap();
        for position in [1_000, 2_000] {
            page.save(&kept(one, 0, position)).unwrap();
        }
        let living = journals.create(MESSAGE, two).unwrap();
        living.save(&kept(two, 1, 9_000)).unwrap();
        assert!(journals.has_unsynced());
        assert_eq!(players(&journals), []);
        assert!(journals.create(MESSAGE, one).is_err());

        drop(page);
        assert_eq!(players(&journals), [(one, 2_000)]);
        drop(living);
        assert_eq!(players(&journals), [(two, 9_000), (one, 2_000)]);
        assert_eq!(journals.messages(), [MESSAGE]);
        for (page, _) in journals.claim(MESSAGE) {
            page.remove();
        }
        assert_eq!((players(&journals).len(), files(journals.dir())), (0, 0));
        assert!(!journals.has_unsynced());
    }

    #[test]
    fn a_failed_write_leaves_the_last_one_and_nothing_half_made() {
        let dir = tempfile::tempdir().unwrap();
        let journals = PlaybackJournals::new(dir.path());
        let player = Uuid::from_u128(1);
        let page = journals.create(MESSAGE, player).unwrap();
        page.save(&kept(player, 0, 1_000)).unwrap();
        // A directory in the way fails the write, whoever runs the test.
        let beside = page.name.path(dir.path(), "new");
        fs::create_dir(&beside).unwrap();
        assert!(page.save(&kept(player, 0, 2_000)).is_err());
        fs::remove_dir(&beside).unwrap();
        drop(page);
        assert_eq!(players(&journals), [(player, 1_000)]);
        assert_eq!(files(dir.path()), 2, "the journal and its lock");
    }

    #[test]
    fn a_damaged_journal_is_as_none_and_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let journals = PlaybackJournals::new(dir.path());
        let player = Uuid::from_u128(1);
        journals
            .create(MESSAGE, player)
            .unwrap()
            .save(&kept(player, 0, 1_000))
            .unwrap();
        let path = Name {
            message: MESSAGE,
            player,
        }
        .path(dir.path(), "json");
        fs::write(&path, b"{\"player").unwrap();
        fs::write(dir.path().join("x.json"), b"{}").unwrap();
        assert_eq!(players(&journals), []);
        assert!(!path.exists());
    }

    #[test]
    fn a_device_has_one_id_and_its_files_are_its_owner_s_alone() {
        let dir = tempfile::tempdir().unwrap();
        let journals = PlaybackJournals::new(dir.path().join("playback"));
        let id = journals.device_id().unwrap();
        assert_eq!(journals.device_id().unwrap(), id);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(journals.dir()), 0o700);
            assert_eq!(mode(&journals.dir().join("device")), 0o600);
        }
    }

    proptest! {
        /// Whatever a torn or damaged file says: it opens or it does not, and what a player then tells of it is a report that
        /// the server takes.
        #[test]
        fn a_torn_or_damaged_journal_never_panics_and_never_makes_a_report_that_is_refused(
            cut in 0..400_usize,
            changes in prop::collection::vec((0..400_usize, any::<u8>()), 0..4),
            whole in any::<bool>(),
        ) {
            let mut bytes = serde_json::to_vec(&kept(Uuid::from_u128(1), 0, 30_000)).unwrap();
            if !whole {
                bytes.truncate(cut);
            }
            let length = bytes.len().max(1);
            for (at, value) in changes {
                if let Some(byte) = bytes.get_mut(at % length) {
                    *byte = value;
                }
            }
            if let Some(kept) = Kept::parse(&bytes) {
                check(kept)?;
            }
        }

        /// The same for files that are well-formed and say anything.
        #[test]
        fn a_journal_that_says_anything_makes_reports_that_are_taken(
            numbers in any::<[i64; 4]>(),
            speed in any::<f32>(),
            heard in prop::collection::vec(any::<[i64; 2]>(), 0..5),
            ended in any::<bool>(),
            sequence in any::<u32>(),
        ) {
            let [duration_ms, position_ms, base_version, at] = numbers;
            let mut kept = kept(Uuid::from_u128(1), 0, 1_000);
            kept.duration_ms = duration_ms;
            kept.journal = Journal {
                position_ms,
                base_version,
                at: Timestamp::from_millis(at),
                speed,
                heard: heard.into(),
                ended,
                sequence,
                ..kept.journal
            };
            check(kept)?;
        }
    }

    fn check(kept: Kept) -> Result<(), TestCaseError> {
        let device = Uuid::from_u128(2);
        let (mut player, begin) = Player::open(
            Some(kept.journal),
            None,
            Uuid::from_u128(3),
            device,
            DURATION,
            now(),
        );
        prop_assert!((0..=DURATION).contains(&begin.position_ms));
        player.handle(now(), Action::Play);
        let position_ms = begin.position_ms + 500;
        player.handle(now().plus_millis(500), Action::Pause { position_ms });
        if let Some(report) = player.poll_report(now().plus_millis(600), Uuid::from_u128(4)) {
            let mut map = HeardMap::default();
            prop_assert!(map.apply(&report, DURATION, now()).is_ok(), "{report:?}");
        }
        Ok(())
    }
}
