//! The Rust SDK of Voxpost: voice messages for any app.
//!
//! A [`Client`] knows a server and, once signed in, a person. Its calls are those of the wire contract; each is repeated
//! when the network fails for the moment, under an id that makes the repetition harmless. A [`Subscription`] is told what
//! happens, each thing once, across lost connections.
//!
//! ```no_run
//! # async fn example() -> Result<(), voxpost_client::Error> {
//! use voxpost_client::{AudioSource, Client, Outgoing, SessionCreate, Update};
//!
//! let server = Client::builder("http://127.0.0.1:8080").build()?;
//! let session = server
//!     .sign_in(&SessionCreate { username: "ana".into(), password: "long enough".into(), device_name: None })
//!     .await?;
//! let ana = server.with_token(&session.token);
//!
//! let conversation = ana.direct_conversation("ben").await?;
//! let message = Outgoing::new(AudioSource::File("hello.webm".into()))?;
//! ana.send_message(conversation.id, &message).await?;
//!
//! let mut news = ana.subscribe(None);
//! loop {
//!     if let Update::Event(event) = news.next().await? {
//!         println!("{}: {:?}", event.conversation_id, event.change);
//!     }
//! }
//! # }
//! ```
//!
//! Sound is never held in memory as a whole: files are streamed to the server, downloads to whatever takes them.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calls;
mod client;
mod error;
mod files;
mod playback;
mod player;
mod retry;
mod socket;
mod tls;
mod uploads;

pub use calls::{AudioFormat, Download, Health, Outgoing, Sent};
pub use client::{Client, ClientBuilder};
pub use error::Error;
pub use playback::{Listening, PlaybackJournals, Told};
pub use player::{VoicePlayer, VoicePlayerStats};
pub use retry::RetryPolicy;
pub use socket::{Subscription, Update};
pub use tls::{Fingerprint, InvalidFingerprint};
pub use uploads::{AudioSource, UploadJournals};
pub use voxpost_proto::api::*;
pub use voxpost_proto::playback::{Action, Heard, Offer, Origin, Resume};
pub use voxpost_proto::socket::{Change, Ephemeral, Event, SyncPage};
pub use voxpost_proto::{ErrorCode, Problem, Timestamp, Uuid};
