//! Progress bars: on a terminal, and only when it takes over a second.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

/// Below this nobody wants a bar.
const SHOW_AFTER: Duration = Duration::from_secs(1);

const REDRAW: Duration = Duration::from_millis(250);

/// The bars of one command.
pub(crate) struct Progress {
    bars: MultiProgress,
    reveal: Option<JoinHandle<()>>,
}

impl Progress {
    /// Bars that appear after a second when `wanted` and standard error is a terminal.
    pub(crate) fn new(wanted: bool) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let reveal = wanted.then(|| {
            let bars = bars.clone();
            tokio::spawn(async move {
                tokio::time::sleep(SHOW_AFTER).await;
                bars.set_draw_target(ProgressDrawTarget::stderr());
            })
        });
        Self { bars, reveal }
    }

    /// A bar for `length` bytes.
    pub(crate) fn bar(&self, label: &str, length: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(length));
        let template = "{msg:24!} [{bar:30}] {bytes:>10} / {total_bytes:<10} {bytes_per_sec:>12} {eta:>4}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        // Drawn also while nothing moves, which is when somebody wants to know.
        bar.enable_steady_tick(REDRAW);
        bar.with_message(label.to_owned())
    }

    /// Writes something else without tearing the bars.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(reveal) = &self.reveal {
            reveal.abort();
        }
        // Finished or not, nothing of the bars stays on the terminal.
        let _ = self.bars.clear();
    }
}

/// Moves a bar to where a transfer is.
pub(crate) fn follow(bar: ProgressBar) -> Arc<dyn Fn(u64) + Send + Sync> {
    Arc::new(move |bytes| bar.set_position(bytes))
}
