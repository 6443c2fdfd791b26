//! `/v1/messages` and the messages of a conversation.

pub(super) mod audio;
pub(super) mod audio_url;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod finish;
mod form;
pub(super) mod get;
pub(super) mod list;
mod negotiate;
mod range;
#[cfg(test)]
pub(in crate::http) mod tests;
pub(super) mod waveform;

pub(crate) use form::caption;
