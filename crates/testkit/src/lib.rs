//! Test harness of Voxpost: a server process, the people who talk over it, the clips they send.
//!
//! Nothing here sleeps for a guessed time. What must happen is awaited with [`patiently`] or [`eventually`], and a wait that
//! takes longer than [`PATIENCE`] fails with what it waited for. Functions panic with a readable message: they are for
//! tests only.

mod answer;
mod clip;
pub mod net;
mod patience;
mod person;
mod proxy;
mod recorder;
mod s3;
mod server;
mod socket;
pub mod sound;
pub mod wav;

pub use answer::Answer;
pub use clip::{Clip, Probe};
pub use patience::{PATIENCE, eventually, patiently};
pub use person::{Person, Voice, client, exchange, fresh_id, try_exchange};
pub use proxy::Proxy;
pub use recorder::{Encoded, Recorder};
pub use s3::S3;
pub use server::{Server, ServerOptions, Stopped};
pub use socket::{Goodbye, Socket};
