//! How the command ends, for scripts.

use std::process::ExitCode;

use voxpost_client::ErrorCode;

/// Exit codes. They are listed in `--help` and in docs/cli.md and do not change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    /// Something that is none of the below.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// There is no session, or the server does not accept it any more.
    NotSignedIn = 3,
    /// No such message, conversation or person, or not one that the caller may see.
    NotFound = 4,
    /// The server understood and refused.
    Refused = 5,
    /// No answer from the server.
    Unreachable = 6,
    /// A local file cannot be read, written, or is no sound.
    File = 7,
    /// Ended by Ctrl-C: 128 and the number of SIGINT, as shells have it.
    Interrupted = 130,
}

/// For the end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failure that is none of the below
  2  the command line makes no sense
  3  not signed in
  4  not found: a message, conversation or person
  5  refused by the server
  6  the server cannot be reached
  7  a local file cannot be read or written, or is no sound
  130  ended by Ctrl-C";

impl Exit {
    /// What a refusal with this code amounts to.
    pub(crate) fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Unauthenticated => Self::NotSignedIn,
            ErrorCode::NotFound => Self::NotFound,
            _ => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_exit_code() {
        let all = [
            Exit::Ok,
            Exit::Failure,
            Exit::Usage,
            Exit::NotSignedIn,
            Exit::NotFound,
            Exit::Refused,
            Exit::Unreachable,
            Exit::File,
            Exit::Interrupted,
        ];
        for exit in all {
            assert!(HELP.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
        assert_eq!(HELP.lines().count(), all.len() + 1);
    }

    #[test]
    fn a_wrong_token_is_not_signed_in_and_a_full_store_is_a_refusal() {
        assert_eq!(Exit::of(ErrorCode::Unauthenticated), Exit::NotSignedIn);
        assert_eq!(Exit::of(ErrorCode::NotFound), Exit::NotFound);
        assert_eq!(Exit::of(ErrorCode::StorageFull), Exit::Refused);
    }
}
