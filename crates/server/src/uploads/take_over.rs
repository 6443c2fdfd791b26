//! Becoming the one writer of an upload.

use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;
use voxpost_proto::upload::Refusal;

use super::holders::Hold;
use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::store::uploads::{self, UploadRow};

/// How long whoever wrote until now may take to keep what it has received. It is fenced off afterwards, so this only saves
/// sending bytes twice.
const HAND_OVER: Duration = Duration::from_millis(500);

/// An upload in the hands of its one writer.
pub(crate) struct Taken {
    pub(crate) row: UploadRow,
    pub(super) lease: u64,
    pub(super) hold: Hold,
}

/// Takes an upload over from whoever writes it: that one keeps what it has received, stops, and can promise nothing more.
/// Also how one learns the offset: it does not move afterwards until the caller moves it.
pub(crate) async fn take_over(app: &App, user_id: Uuid, id: Uuid) -> ApiResult<Taken> {
    let (hold, before) = app.uploads.holders.hold(id);
    if let Some(gone) = before {
        let _ = timeout(HAND_OVER, gone.cancelled()).await;
    }
    let gate = app.uploads.gates.lock(id).await;
    // Somebody came after; to go on would fence off the one who is to win.
    if hold.stop().is_cancelled() {
        return Err(Refusal::Fenced.into());
    }
    let (row, lease) = app
        .store
        .write(move |c| {
            Box::pin(async move {
                let mut row = uploads::of_user(c, user_id, id)
                    .await?
                    .ok_or_else(ApiError::not_found)?;
                if row.is_expired(clock::now()) {
                    return Err(Refusal::Expired.into());
                }
                let mut machine = row.machine();
                let lease = machine.take_over(clock::now())?;
                row.set_machine(&machine);
                uploads::save(c, &row).await?;
                Ok::<_, ApiError>((row, lease))
            })
        })
        .await?;
    hold.set_lease(lease);
    drop(gate);
    Ok(Taken { row, lease, hold })
}
