//! What the command prints: text for people or JSON for programs, colour only where it is seen.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Standard output and standard error.
pub(crate) struct Screen {
    json: bool,
    color_out: bool,
    color_err: bool,
}

/// The few colours there are, by meaning.
#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
    Sound,
}

impl Ink {
    /// SGR parameters (ECMA-48 §8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
            Self::Sound => "36",
        }
    }
}

impl Screen {
    pub(crate) fn new(json: bool, choice: ColorChoice) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !no_color,
        };
        Self {
            json,
            color_out: wanted(io::stdout().is_terminal()),
            color_err: wanted(io::stderr().is_terminal()),
        }
    }

    /// Whether programs read the output.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Columns of the terminal; 80 where there is none.
    pub(crate) fn width(&self) -> usize {
        terminal_size::terminal_size().map_or(80, |(terminal_size::Width(columns), _)| columns.into())
    }

    /// Text in a colour, when standard output shows colours.
    pub(crate) fn paint(&self, ink: Ink, text: impl Display) -> String {
        paint(self.color_out, ink, text)
    }

    /// A line on standard output, written at once.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// A JSON value on a line of its own.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(Failure::other)?;
        self.line(text)
    }

    /// For people on standard error: never in the way of the output, silent where programs read.
    pub(crate) fn note(&mut self, text: impl Display) {
        if !self.json {
            self.error_line(text);
        }
    }

    /// Tells why the command failed, and gives the exit code.
    pub(crate) fn report(&mut self, failure: &Failure) -> Exit {
        let exit = failure.exit();
        match failure {
            Failure::ReaderGone => {}
            Failure::Interrupted if !self.json => {}
            _ if self.json => self.error_line(json!({ "error": problem(failure) })),
            _ => {
                let error = paint(self.color_err, Ink::Bad, "error:");
                self.error_line(format_args!("{error} {failure}"));
                if let Some(advice) = failure.advice() {
                    self.error_line(format_args!("  {advice}"));
                }
            }
        }
        exit
    }

    fn error_line(&mut self, text: impl Display) {
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// A failure for programs.
pub(crate) fn problem(failure: &Failure) -> serde_json::Value {
    json!({
        "code": failure.code(),
        "message": failure.to_string(),
        "advice": failure.advice(),
        "exit": failure.exit() as u8,
    })
}

fn paint(color: bool, ink: Ink, text: impl Display) -> String {
    if color {
        format!("\x1b[{}m{text}\x1b[0m", ink.code())
    } else {
        text.to_string()
    }
}

/// Text from others with every control character made visible: a name or caption cannot steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("ana\x1b[2J\r\n\u{202e}x 李"), "ana�[2J���x 李");
    }

    #[test]
    fn without_colour_nothing_but_the_text_is_printed() {
        assert_eq!(paint(false, Ink::Good, "ok"), "ok");
        assert_eq!(paint(true, Ink::Good, "ok"), "\x1b[32mok\x1b[0m");
    }
}
