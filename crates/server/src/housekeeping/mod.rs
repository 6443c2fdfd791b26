//! What goes on in the background: deleting, forgetting, looking for what a crash left behind, measuring sound.
//!
//! Everything here may be killed at any moment and goes on after the next start.

mod analysis;
mod deletion;
mod doctor;
mod forgetting;
mod leftovers;
mod orphans;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

pub use doctor::{DoctorReport, doctor};

use crate::app::App;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::ingest;
use crate::uploads;

/// How far the clock of the object store may be behind ours.
const MAX_SKEW_MS: i64 = 15 * 60 * 1000;

/// How often, and how old something must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// Deletions that were put off, or of which the wake-up was lost.
    pub(crate) deletion: Duration,
    /// The search for objects that no message has.
    pub(crate) orphans: Duration,
    /// An object without a message may be one that is just being published.
    pub(crate) orphan_age: Duration,
    /// Kept answers of old requests.
    pub(crate) forgetting: Duration,
    /// Uploads that rested for too long.
    pub(crate) uploads: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            deletion: Duration::from_secs(5),
            orphans: Duration::from_secs(6 * 60 * 60),
            orphan_age: Duration::from_secs(60 * 60),
            forgetting: Duration::from_secs(60 * 60),
            uploads: Duration::from_secs(60),
        }
    }
}

/// Clears up after the last process, goes on with what it had accepted, and starts the background work. To be called once,
/// before the first request.
pub(crate) async fn start(app: &App, rhythm: Rhythm) -> ApiResult<()> {
    leftovers::remove(app).await?;
    ingest::message::resume(app).await?;
    uploads::resume(app).await?;
    analysis::start(app);
    spawn(app, rhythm.deletion, "deletion", |app| async move {
        deletion::delete_due(&app).await
    });
    // Whatever an earlier process was about to publish, it will not any more; later on an object may be one of this process.
    let (started, age) = (clock::now(), rhythm.orphan_age);
    spawn(app, rhythm.orphans, "orphans", move |app| async move {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        // The clock of a store over the network is another one.
        let skew = if app.blobs.is_local() { 0 } else { MAX_SKEW_MS };
        let before = started.plus_millis(-skew).max(clock::now().plus_millis(-age));
        orphans::delete(&app, before).await
    });
    spawn(app, rhythm.forgetting, "forgetting", |app| async move {
        forgetting::forget(&app).await
    });
    spawn(app, rhythm.uploads, "presigned uploads", |app| async move {
        uploads::sweep_presigned(&app).await
    });
    spawn(app, rhythm.uploads, "uploads", |app| async move {
        uploads::sweep(&app).await
    });
    Ok(())
}

/// Does `work` now, then each `period`, until the server stops. The deletion is woken up as well.
fn spawn<F, W>(app: &App, period: Duration, name: &'static str, work: W)
where
    F: Future<Output = ApiResult<()>> + Send,
    W: Fn(App) -> F + Send + 'static,
{
    let owner = app.clone();
    app.ingest.tasks.spawn(async move {
        let stopping = &owner.ingest.stopping;
        loop {
            let done = tokio::select! {
                () = stopping.cancelled() => return,
                done = AssertUnwindSafe(work(owner.clone())).catch_unwind() => done,
            };
            let done = done.unwrap_or_else(|_| Err(ApiError::internal("background work panicked")));
            if let Err(error) = done {
                tracing::warn!(
                    work = name,
                    code = error.code().as_str(),
                    "background work failed and is tried again"
                );
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = owner.ingest.to_delete.notified(), if name == "deletion" => {}
                () = tokio::time::sleep(period) => {}
            }
        }
    });
}
