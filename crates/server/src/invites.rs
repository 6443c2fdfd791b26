//! `voxpost invite`: a code that lets one person sign up.

use std::path::Path;

use voxpost_proto::Timestamp;

use crate::serve::ServeError;
use crate::store::{Store, StoreError, invites};
use crate::{auth, clock};

/// How long an invite can be used.
const GOOD_FOR_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A code to hand over, shown once: the server keeps a hash of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Such as `K7QF-3M9T-XH2B-84VD`; case and dashes do not matter.
    pub code: String,
    /// When it ends, if nobody has used it until then.
    pub expires_at: Timestamp,
}

/// Makes an invite in the database of `data_dir`, whether or not a server is running on it: SQLite lets one of the two
/// write at a time and the other wait.
pub async fn create_invite(data_dir: &Path) -> Result<Invite, ServeError> {
    if !data_dir.join("voxpost.db").is_file() {
        let error = std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "there is no database: start a server on it first",
        );
        return Err(ServeError::DataDir(data_dir.display().to_string(), error));
    }
    let store = Store::open(data_dir).await?;
    let (code, hash) = auth::new_code();
    let now = clock::now();
    let expires_at = now.plus_millis(GOOD_FOR_MS);
    let written = store
        .write(move |c| {
            Box::pin(async move {
                invites::insert(c, &hash, now, expires_at)
                    .await
                    .map_err(StoreError::from)
            })
        })
        .await;
    store.close().await;
    written?;
    Ok(Invite { code, expires_at })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use voxpost_proto::ErrorCode;

    use super::*;
    use crate::testing::{PASSWORD, TestApp};

    #[tokio::test]
    async fn an_invite_made_beside_a_running_server_lets_one_person_in() {
        let test = TestApp::with(&["--sign-up", "invite"]).await;
        let sign_up = |name: &str, code: Option<&str>| {
            let body = json!({"username": name, "password": PASSWORD, "invite": code});
            async { test.post("/v1/accounts", "", body).await }
        };
        sign_up("ana", None).await.problem(ErrorCode::Forbidden);
        sign_up("ana", Some("0000-0000-0000-0000"))
            .await
            .problem(ErrorCode::Forbidden);
        let invite = create_invite(&test.app.config.data_dir).await.unwrap();
        sign_up("ana", Some(&invite.code.to_lowercase()))
            .await
            .expect(201);
        sign_up("ben", Some(&invite.code))
            .await
            .problem(ErrorCode::Forbidden);
    }

    #[tokio::test]
    async fn a_folder_without_a_server_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(create_invite(dir.path()).await.is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
