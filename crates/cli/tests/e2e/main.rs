//! The built binary, driven from outside over HTTP and WebSocket as people and hostile strangers would.
//!
//! One test binary with a module for each story. Tests named `soak_…` run with small numbers here and with large ones
//! when `VOXPOST_SOAK` is set (`make soak`).

mod documents;
