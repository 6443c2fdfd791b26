//! Resumable uploads, without sockets, files and clocks: what both ends must agree on.
//!
//! [`Upload`] is what the receiving end has promised: it is stored and loaded around each step, and says what may happen
//! next. A [`Cursor`] is one stream of bytes on its way in. [`Sender`] is the other end: what to send next, and what the
//! acknowledgements mean. [`Chunk`] is how bytes travel in a binary message of the socket.
//!
//! An upload has one writer at a time. Whoever begins to write (or asks for the offset) takes the lease; who had it before is
//! fenced off and can promise nothing any more. Only what was promised counts: bytes beyond it are cut before the next writer
//! begins.

mod chunk;
mod machine;
mod sender;

pub use chunk::{Chunk, ChunkError};
pub use machine::{Cursor, Limits, Refusal, Upload};
pub use sender::{AckError, Sender};
