//! A network in a computer: loss, jitter, stalls, changes of route, queues and drift, from a seed.
//!
//! A [`Path`] makes a [`Trace`], which says for every packet when it arrives; nothing waits for a real clock. Traces can be
//! kept as text: those of `fixtures/traces` are checked in.

mod loss;
mod path;
mod rng;
mod trace;

pub use loss::Loss;
pub use path::{Bottleneck, Jitter, Path};
pub use rng::Rng;
pub use trace::{Arrival, Fate, Trace};
