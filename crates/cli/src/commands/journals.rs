//! Where this machine keeps where its people stopped.

use voxpost_client::{PlaybackJournals, Uuid};

use crate::client::SignedIn;
use crate::failure::Failure;

/// The journals of whoever is signed in, and the device's id.
pub(super) async fn of(signed_in: &SignedIn) -> Result<(PlaybackJournals, Uuid), Failure> {
    let user = match &signed_in.session {
        Some(session) => session.user.id,
        None => signed_in.client.me().await?.id,
    };
    let state = dirs::state_dir().or_else(dirs::data_local_dir).ok_or_else(|| {
        Failure::Usage("no directory to keep where you stopped; set HOME or XDG_STATE_HOME".into())
    })?;
    let dir = state.join("voxpost").join("playback").join(user.to_string());
    let journals = PlaybackJournals::new(dir);
    let device_id = match &signed_in.session {
        Some(session) => session.device_id,
        None => journals.device_id()?,
    };
    Ok((journals, device_id))
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
