//! One command, one file.

mod completions;
mod conversation;
mod doctor;
mod get;
mod inbox;
mod inspect;
mod invite;
mod journals;
mod login;
mod logout;
mod play;
mod progress;
mod send;
mod whoami;

pub(crate) use completions::{CompletionsArgs, completions};
pub(crate) use doctor::{DoctorArgs, doctor};
pub(crate) use get::{GetArgs, get};
pub(crate) use inbox::{InboxArgs, inbox};
pub(crate) use inspect::{InspectArgs, inspect};
pub(crate) use invite::{InviteArgs, invite};
pub(crate) use login::{LoginArgs, login};
pub(crate) use logout::{LogoutArgs, logout};
pub(crate) use play::{PlayArgs, play};
pub(crate) use send::{SendArgs, send};
pub(crate) use whoami::{WhoamiArgs, whoami};
