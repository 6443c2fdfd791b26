//! The session that `voxpost login` keeps: one small file that only its owner can read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use voxpost_client::{User, Uuid};

use crate::failure::Failure;

/// Where the caller is signed in, and as whom.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The server's address.
    pub(crate) url: String,
    /// The bearer token.
    pub(crate) token: String,
    pub(crate) user: User,
    pub(crate) device_id: Uuid,
    /// The fingerprint of the server's own certificate, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trust: Option<String>,
}

/// Where the session is kept unless somebody says otherwise.
pub(crate) fn default_path() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("voxpost").join("session.json"))
}

impl Session {
    /// The kept session; `None` when nobody is signed in.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file(path)(error)),
        };
        let damaged = |error: serde_json::Error| {
            Failure::file(path)(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no session of voxpost ({error}); remove it and sign in again"),
            ))
        };
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Keeps the session. The file is whole at every instant, and nobody else can read it.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let dir = path
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let written = || {
            fs::create_dir_all(dir)?;
            // Made with mode 0600 from its first byte on.
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        written().map_err(Failure::file(path))
    }

    /// Forgets the session.
    pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::file(path)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn session() -> Session {
        Session {
            url: "http://127.0.0.1:8080".into(),
            token: "secret".into(),
            user: User {
                id: Uuid::nil(),
                username: "ana".into(),
                display_name: "Ana".into(),
            },
            device_id: Uuid::nil(),
            trust: None,
        }
    }

    #[test]
    fn a_session_is_kept_where_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep").join("session.json");
        session().save(&path).unwrap();
        let kept = Session::load(&path).unwrap().unwrap();
        assert_eq!(
            (kept.token.as_str(), kept.user.username.as_str()),
            ("secret", "ana")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        session().save(&path).unwrap();
        Session::remove(&path).unwrap();
        Session::remove(&path).unwrap();
        assert!(Session::load(&path).unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_no_session_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.json");
        fs::write(&path, "{}").unwrap();
        let failure = Session::load(&path).err().unwrap();
        assert_eq!(failure.exit(), Exit::File);
        assert!(failure.to_string().contains("session.json"));
    }
}
