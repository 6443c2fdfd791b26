//! The loop: sound, keys, journal and reports.

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use voxpost_audio::VoiceReader;
use voxpost_client::{Action, Listening, Message};

use super::PER_MS;
use super::show::Show;
use super::signals::Signals;
use crate::failure::Failure;
use crate::play::{FilePlayer, Heard, Key, Keyboard, Pace, Playout, PlayoutThread, SPEEDS};
use crate::screen::Screen;

/// How often the playhead is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often it is journalled while it moves: a player that is killed loses less than a second.
const JOURNAL_EVERY: Duration = Duration::from_millis(500);

/// How long the end waits for the server.
const TELL_WITHIN: Duration = Duration::from_secs(3);

/// Where the sound goes.
pub(super) enum Output {
    File {
        path: PathBuf,
        force: bool,
        pace: Pace,
    },
    #[cfg(feature = "sound")]
    Loudspeaker(crate::play::Loudspeaker),
}

/// What takes the sound.
enum Sink {
    File {
        path: PathBuf,
        player: FilePlayer,
    },
    #[cfg(feature = "sound")]
    Loudspeaker(crate::play::Sounding),
}

pub(super) enum Outcome {
    Ended,
    Quit,
    Interrupted,
}

pub(super) struct Player {
    playout: PlayoutThread,
    sink: Sink,
    /// None when nobody listens.
    listening: Option<Listening>,
    pub(super) keyboard: Option<Keyboard>,
    /// Where another device stopped, in ms.
    pub(super) offer: Option<i64>,
    duration_ms: i64,
    position_ms: i64,
    paused: bool,
    ended: bool,
    journalled: Instant,
    warned: bool,
    warning: Option<io::Error>,
}

impl Output {
    #[cfg(feature = "sound")]
    pub(super) fn loudspeaker() -> Result<Self, Failure> {
        crate::play::Loudspeaker::open()
            .map(Self::Loudspeaker)
            .map_err(|reason| no_loudspeaker(&reason))
    }

    #[cfg(not(feature = "sound"))]
    pub(super) fn loudspeaker() -> Result<Self, Failure> {
        Err(Failure::Usage(
            "this voxpost was built without the feature `sound` and reaches no loudspeaker: play into a file or pipe \
             with --output FILE.wav, or build it with `--features voxpost/sound` (on Linux that needs libasound2-dev)"
                .into(),
        ))
    }

    fn rate(&self) -> NonZeroU32 {
        match self {
            Self::File { .. } => crate::play::FILE_RATE,
            #[cfg(feature = "sound")]
            Self::Loudspeaker(loudspeaker) => loudspeaker.rate(),
        }
    }
}

#[cfg(feature = "sound")]
fn no_loudspeaker(reason: &str) -> Failure {
    Failure::Other(format!(
        "the loudspeaker cannot be used ({reason}); --output FILE.wav plays into a file"
    ))
}

impl Player {
    /// Ready, at the start, paused.
    pub(super) fn start(
        output: Output,
        reader: VoiceReader,
        message: &Message,
        listening: Listening,
        counts: bool,
    ) -> Result<Self, Failure> {
        let duration_ms = (reader.len() / PER_MS).cast_signed();
        let speech = message.speech.as_deref().unwrap_or_default();
        let gain_db = message.gain_db.unwrap_or(0.0);
        let (mut playout, outlet) = Playout::new(reader, speech, gain_db, output.rate());
        playout.pause(true);
        let sink = match output {
            Output::File { path, force, pace } => {
                let player = FilePlayer::start(&path, force, outlet, pace);
                let player = player.map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Failure::Exists(path.clone()),
                    _ => Failure::file(&path)(error),
                })?;
                Sink::File { path, player }
            }
            #[cfg(feature = "sound")]
            Output::Loudspeaker(loudspeaker) => Sink::Loudspeaker(
                loudspeaker
                    .start(outlet)
                    .map_err(|reason| no_loudspeaker(&reason))?,
            ),
        };
        Ok(Self {
            playout: PlayoutThread::start(playout).map_err(Failure::other)?,
            sink,
            listening: counts.then_some(listening),
            keyboard: None,
            offer: None,
            duration_ms,
            position_ms: 0,
            paused: true,
            ended: false,
            journalled: Instant::now(),
            warned: false,
            warning: None,
        })
    }

    /// Lets the sound begin here; `chosen` by a person, or where they stopped.
    pub(super) fn begin(&mut self, from_ms: i64, chosen: bool) {
        self.position_ms = from_ms;
        self.playout.lock().seek(samples(from_ms));
        self.act(Action::Play);
        self.act(match chosen {
            true => Action::Seek { position_ms: from_ms },
            // After a long break that is a little earlier than where the journal is.
            false => Action::Progress { position_ms: from_ms },
        });
        self.pause(false);
    }

    /// Until the end, a key or a signal.
    pub(super) async fn run(
        &mut self,
        signals: &mut Signals,
        show: &mut Show,
        screen: &mut Screen,
    ) -> Result<Outcome, Failure> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                told = told(self.listening.as_mut()) => {
                    if let Ok(answer) = &told.outcome && !answer.playhead_applied {
                        self.offer = Some(answer.playback.position_ms);
                        show.elsewhere(answer.playback.position_ms, screen);
                    }
                    self.keep(told.journal);
                }
                key = key(self.keyboard.as_mut()) => match key {
                    Some(Key::Quit) => {
                        self.look();
                        return Ok(Outcome::Quit);
                    }
                    Some(key) => self.press(key),
                    // Nobody is there any more.
                    None => self.keyboard = None,
                },
                () = signals.next() => {
                    self.look();
                    return Ok(Outcome::Interrupted);
                }
                _ = look.tick() => {
                    self.look();
                    if let Some(failure) = self.failure() {
                        return Err(failure);
                    }
                    if self.playout.lock().is_over() {
                        self.position_ms = self.duration_ms;
                        self.ended = true;
                        return Ok(Outcome::Ended);
                    }
                }
            }
            if let Some(error) = self.warning.take() {
                show.not_kept(&error, screen);
            }
            let playout = self.playout.lock();
            show.tick(
                self.position_ms,
                playout.speed(),
                self.paused,
                playout.skips_silence(),
            );
        }
    }

    pub(super) fn position_ms(&self) -> i64 {
        self.position_ms
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn underruns(&self) -> u64 {
        self.playout.lock().underruns()
    }

    pub(super) fn speed(&self) -> f32 {
        self.playout.lock().speed()
    }

    pub(super) fn set_speed(&mut self, speed: f32) {
        self.playout.lock().set_speed(speed);
        if self
            .listening
            .as_ref()
            .is_some_and(|listening| listening.speed() != speed)
        {
            self.act(Action::Speed { speed });
        }
    }

    pub(super) fn skip_silence(&mut self, skips: bool) {
        self.playout.lock().skip_silence(skips);
    }

    /// Keeps and tells where it stopped: whether the server knows, and whether the file is whole.
    pub(super) async fn close(mut self) -> (bool, Result<(), Failure>) {
        self.playout.lock().pause(true);
        let last = match self.ended {
            true => Action::End,
            false => Action::Pause {
                position_ms: self.position_ms,
            },
        };
        self.act(last);
        let written = match self.sink {
            Sink::File { path, player } => player.finish().await.map_err(|error| at(&path, error)),
            #[cfg(feature = "sound")]
            Sink::Loudspeaker(_) => Ok(()),
        };
        let told = match self.listening.take() {
            Some(listening) => listening.close(TELL_WITHIN).await,
            None => false,
        };
        (told, written)
    }

    fn press(&mut self, key: Key) {
        self.look();
        match key {
            Key::Pause if self.paused => {
                self.act(Action::Play);
                self.pause(false);
            }
            Key::Pause => {
                self.pause(true);
                self.act(Action::Pause {
                    position_ms: self.position_ms,
                });
            }
            Key::Skip(ms) => self.seek(self.position_ms.saturating_add(ms)),
            Key::Tenth(tenth) => self.seek(self.duration_ms / 10 * tenth),
            Key::Speed(steps) => {
                let speed = next_speed(self.speed(), steps);
                self.set_speed(speed);
            }
            Key::Silence => {
                let mut playout = self.playout.lock();
                let skips = !playout.skips_silence();
                playout.skip_silence(skips);
            }
            Key::Elsewhere => {
                if let Some(position_ms) = self.offer.take() {
                    self.seek(position_ms);
                }
            }
            Key::Quit => {}
        }
    }

    fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.playout.lock().pause(paused);
    }

    fn seek(&mut self, position_ms: i64) {
        let position_ms = position_ms.clamp(0, self.duration_ms);
        self.playout.lock().seek(samples(position_ms));
        self.position_ms = position_ms;
        self.act(Action::Seek { position_ms });
    }

    /// Takes note of what was heard.
    fn look(&mut self) {
        let Heard { stretches, position } = self.playout.lock().heard();
        self.position_ms = (position / PER_MS).cast_signed().min(self.duration_ms);
        let due = self.journalled.elapsed() >= JOURNAL_EVERY;
        // What was skipped is told apart from what was heard.
        if stretches.len() > 1 {
            for (from, to) in stretches {
                for sample in [from, to] {
                    let position_ms = (sample / PER_MS).cast_signed();
                    self.act(Action::Progress { position_ms });
                }
            }
        } else if due && !stretches.is_empty() {
            self.act(Action::Progress {
                position_ms: self.position_ms,
            });
        } else {
            return;
        }
        self.journalled = Instant::now();
    }

    fn act(&mut self, action: Action) {
        if let Some(listening) = &mut self.listening {
            let kept = listening.act(action);
            self.keep(kept);
        }
    }

    /// A disk that does not keep it is told of once.
    fn keep(&mut self, kept: io::Result<()>) {
        if let Err(error) = kept
            && !std::mem::replace(&mut self.warned, true)
        {
            self.warning = Some(error);
        }
    }

    fn failure(&mut self) -> Option<Failure> {
        match &mut self.sink {
            Sink::File { path, player } => player.failure().map(|error| at(path, error)),
            #[cfg(feature = "sound")]
            Sink::Loudspeaker(sounding) => sounding.failure().map(|reason| no_loudspeaker(&reason)),
        }
    }
}

fn samples(ms: i64) -> u64 {
    ms.max(0).unsigned_abs().saturating_mul(PER_MS)
}

fn at(path: &std::path::Path, error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::file(path)(error),
    }
}

/// The speed so many steps from here.
fn next_speed(speed: f32, steps: i32) -> f32 {
    let nearest =
        |&(_, a): &(usize, &f32), &(_, b): &(usize, &f32)| (a - speed).abs().total_cmp(&(b - speed).abs());
    let here = SPEEDS
        .iter()
        .enumerate()
        .min_by(nearest)
        .map_or(0, |(index, _)| index);
    let there = here.saturating_add_signed(steps as isize).min(SPEEDS.len() - 1);
    SPEEDS[there]
}

async fn told(listening: Option<&mut Listening>) -> voxpost_client::Told {
    match listening {
        Some(listening) => listening.next().await,
        None => std::future::pending().await,
    }
}

async fn key(keyboard: Option<&mut Keyboard>) -> Option<Key> {
    match keyboard {
        Some(keyboard) => keyboard.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_through_the_speeds_and_not_beyond() {
        assert_eq!(next_speed(1.0, 1), 1.25);
        assert_eq!(next_speed(1.0, -1), 0.75);
        assert_eq!(next_speed(1.3, 1), 1.5);
        assert_eq!(next_speed(3.0, 1), 3.0);
        assert_eq!(next_speed(0.5, -1), 0.5);
    }
}
