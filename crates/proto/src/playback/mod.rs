//! Where somebody stopped, on all their devices: the same rules for the server, the SDK and the web client.
//!
//! [`Heard`] is the set of intervals that were heard; it only grows. [`HeardMap`] is what the server keeps for each person and
//! message: heard part and playhead, changed by [reports](crate::api::PlaybackReport). [`Player`] decides on a device when to
//! report and what; [`resume`] where a player begins. `vectors/playback.json` holds all of it as cases for other languages.

mod heard;
mod map;
mod player;
mod resume;

pub use heard::{GAP_MS, Heard, MAX_INTERVALS};
pub use map::{HeardMap, InvalidReport, Outcome, PAST_END_MS};
pub use player::{Action, Journal, Player, REPORT_EVERY_MS};
pub use resume::{BREAK_MS, Offer, Origin, REWIND_MS, Resume, resume};
