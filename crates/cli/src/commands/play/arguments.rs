//! The command line of `voxpost play`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use voxpost_client::Uuid;

use super::player::Output;
use crate::client::ClientArgs;
use crate::failure::Failure;
use crate::play::Pace;

const EXAMPLES: &str = "\
Examples:
  voxpost play 0192f0c1-…                      from where you stopped, on whatever device
  voxpost play 0192f0c1-… --from 2:13 --speed 1.5 --skip-silence
  voxpost play 0192f0c1-… --output note.wav    into a file instead of the loudspeaker
  voxpost play 0192f0c1-… --output - | aplay

Keys on a terminal: space pauses; left and right (or j and l) go 5 s back and on, 0 to 9 to a tenth; up and down (or + and -)
change the speed; s skips silence; c continues where another device stopped; q quits.

Where you stopped is kept on this device at once and told to the server every 10 s: it survives Ctrl-C, a crash, and a
network that is away.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlayArgs {
    /// The id of the message, as `voxpost inbox` lists it.
    #[arg(value_name = "MESSAGE_ID")]
    pub(super) message: Uuid,

    /// Begin here instead of where you stopped: seconds, or M:SS, or H:MM:SS.
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    pub(super) from: Option<i64>,

    /// How fast: 1 is as it was spoken, 0.5 to 3 [default: as last time].
    #[arg(long, value_parser = parse_speed, value_name = "FACTOR")]
    pub(super) speed: Option<f32>,

    /// Leave out most of the silence.
    #[arg(long)]
    pub(super) skip_silence: bool,

    /// Play into this WAV file (48 kHz, mono) instead of the loudspeaker, as fast as it is spoken; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// With --output: write at once. Nothing counts as heard then.
    #[arg(long, requires = "output")]
    no_wait: bool,

    /// Overwrite a file that is there.
    #[arg(short, long, requires = "output")]
    force: bool,

    #[command(flatten)]
    pub(super) client: ClientArgs,
}

impl PlayArgs {
    /// Where the sound goes.
    pub(super) fn output(&self) -> Result<Output, Failure> {
        match &self.output {
            Some(path) => Ok(Output::File {
                path: path.clone(),
                force: self.force,
                pace: if self.no_wait {
                    Pace::AtOnce
                } else {
                    Pace::RealTime
                },
            }),
            None => Output::loudspeaker(),
        }
    }

    /// Whether somebody listens.
    pub(super) fn counts(&self) -> bool {
        !self.no_wait
    }
}

/// `133`, `133.5`, `2:13`, `1:02:03` in ms.
fn parse_time(text: &str) -> Result<i64, String> {
    let wrong = || "write it as seconds, M:SS or H:MM:SS".to_owned();
    let parts: Vec<&str> = text.split(':').collect();
    let (seconds, more) = parts.split_last().ok_or_else(wrong)?;
    if more.len() > 2 || !text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.')) {
        return Err(wrong());
    }
    let seconds = f64::from_str(seconds).map_err(|_| wrong())?;
    let mut minutes = 0_i64;
    for part in more {
        let value = i64::from_str(part).map_err(|_| wrong())?;
        minutes = minutes
            .checked_mul(60)
            .and_then(|minutes| minutes.checked_add(value))
            .ok_or_else(wrong)?;
    }
    let ms = (seconds * 1000.0).round();
    if !more.is_empty() && seconds >= 60.0 || ms > 1e12 || minutes > 1_000_000 {
        return Err(wrong());
    }
    Ok(minutes * 60_000 + ms as i64)
}

fn parse_speed(text: &str) -> Result<f32, String> {
    let speed = text.trim_end_matches(['x', '×']).parse::<f32>();
    speed
        .ok()
        .filter(|speed| (0.5..=3.0).contains(speed))
        .ok_or_else(|| "it must lie between 0.5 and 3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_players_show_them() {
        for (text, ms) in [
            ("0", 0),
            ("83", 83_000),
            ("83.25", 83_250),
            ("2:13", 133_000),
            ("0:00.5", 500),
            ("1:02:03", 3_723_000),
        ] {
            assert_eq!(parse_time(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            ":",
            "a",
            "-1",
            "1:60",
            "1:2:3:4",
            "1e9",
            "9999999999999999999:00",
            "NaN",
            "1:-2",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_speed_is_one_at_which_speech_can_be_followed() {
        assert_eq!(parse_speed("1.5x"), Ok(1.5));
        for text in ["0.4", "3.1", "NaN", "inf", "fast", ""] {
            assert!(parse_speed(text).is_err(), "{text}");
        }
    }
}
