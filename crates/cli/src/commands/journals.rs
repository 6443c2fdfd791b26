//! What this machine keeps for its people: where they stopped, and what they did not send to its end.

use std::path::PathBuf;

use voxpost_client::{PlaybackJournals, UploadJournals, Uuid};

use crate::client::SignedIn;
use crate::failure::Failure;

/// The journals of whoever is signed in, and the device's id.
pub(super) async fn of(signed_in: &SignedIn) -> Result<(PlaybackJournals, Uuid), Failure> {
    let dir = dir(signed_in, "playback").await?.ok_or_else(|| {
        Failure::Usage("no directory to keep where you stopped; set HOME or XDG_STATE_HOME".into())
    })?;
    let journals = PlaybackJournals::new(dir);
    let device_id = match &signed_in.session {
        Some(session) => session.device_id,
        None => journals.device_id()?,
    };
    Ok((journals, device_id))
}

/// What whoever is signed in has on its way. Without a place for it everything is sent all the same.
pub(super) async fn of_uploads(signed_in: &SignedIn) -> Result<Option<UploadJournals>, Failure> {
    Ok(dir(signed_in, "uploads").await?.map(UploadJournals::new))
}

/// Where such things of this person are; none when the system names no place.
async fn dir(signed_in: &SignedIn, what: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(state) = dirs::state_dir().or_else(dirs::data_local_dir) else {
        return Ok(None);
    };
    let user = match &signed_in.session {
        Some(session) => session.user.id,
        None => signed_in.client.me().await?.id,
    };
    Ok(Some(state.join("voxpost").join(what).join(user.to_string())))
}

/// Tells the server what players left that were killed or had no network. What does not get through is no failure of what is
/// done besides.
pub(super) async fn tell_what_was_left(signed_in: &SignedIn) {
    let Ok((journals, device_id)) = of(signed_in).await else {
        return;
    };
    if journals.has_unsynced()
        && let Err(error) = signed_in.client.flush_playback(&journals, device_id).await
    {
        tracing::debug!(%error, "what players left is told next time");
    }
}
