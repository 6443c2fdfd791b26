//! `voxpost play`.

mod arguments;
mod fetch;
mod player;
mod show;
mod signals;

use voxpost_client::{Message, MessageState};

pub(crate) use arguments::PlayArgs;
use player::{Outcome, Player};
use show::Show;
use signals::Signals;

use super::journals;
use crate::failure::Failure;
use crate::play::Keyboard;
use crate::screen::Screen;

/// Samples at 48 kHz in a millisecond.
const PER_MS: u64 = 48;

pub(crate) async fn play(args: &PlayArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::other)?;
    let opened = tokio::select! {
        opened = open(args, screen) => opened?,
        () = signals.next() => return Err(Failure::Interrupted),
    };
    let Opened {
        mut player,
        mut show,
        from_ms,
    } = opened;
    let outcome = player.run(&mut signals, &mut show, screen).await;
    show.clear();
    let position_ms = player.position_ms();
    let speed = player.speed();
    let underruns = player.underruns();
    let ended = player.is_ended();
    let counts = args.counts();
    // A second Ctrl-C does not wait for the server; the journal has it all.
    let closing = player.close();
    let (told, written) = tokio::select! {
        closed = closing => closed,
        () = signals.next() => (false, Ok(())),
    };
    show.end(
        &show::End {
            from_ms,
            position_ms,
            speed,
            ended,
            told: told && counts,
            counts,
            underruns,
        },
        screen,
    )?;
    written?;
    match outcome? {
        Outcome::Interrupted => Err(Failure::Interrupted),
        Outcome::Ended | Outcome::Quit => Ok(()),
    }
}

struct Opened {
    player: Player,
    show: Show,
    from_ms: i64,
}

/// Everything up to the first sample.
async fn open(args: &PlayArgs, screen: &mut Screen) -> Result<Opened, Failure> {
    let output = args.output()?;
    let signed_in = args.client.signed_in()?;
    let client = &signed_in.client;
    let message = client.message(args.message).await?;
    check(&message)?;
    let reader = fetch::reader(client, &message).await?;
    let (journals, device_id) = journals::of(&signed_in).await?;
    let (listening, resume) = client.open_playback(&journals, &message, device_id).await?;
    tokio::spawn({
        let (client, journals) = (client.clone(), journals.clone());
        async move {
            if let Err(error) = client.flush_playback(&journals, device_id).await {
                tracing::debug!(%error, "what other players left is told next time");
            }
        }
    });
    let duration_ms = (reader.len() / PER_MS).cast_signed();
    let from_ms = args.from.unwrap_or(resume.position_ms).min(duration_ms);
    let speed = args.speed.unwrap_or(listening.speed());
    let show = Show::new(&message, duration_ms, screen);
    show.begin(from_ms, resume.origin, screen);
    let offer = match &resume.offer {
        Some(offer) => Some(show.offer(client, offer, screen).await),
        None => None,
    };
    let keyboard = if screen.json() { None } else { Keyboard::open() };
    show.keys(keyboard.is_some(), screen);
    let mut player = Player::start(output, reader, &message, listening, args.counts())?;
    player.keyboard = keyboard;
    player.offer = offer;
    player.set_speed(speed);
    player.skip_silence(args.skip_silence);
    player.begin(from_ms, args.from.is_some());
    Ok(Opened {
        player,
        show,
        from_ms,
    })
}

fn check(message: &Message) -> Result<(), Failure> {
    match message.state {
        MessageState::Ready => Ok(()),
        MessageState::Recording => Err(Failure::NotFound(
            "sound to play yet: this message is still being spoken".into(),
        )),
        MessageState::Processing => Err(Failure::NotFound(
            "sound to play yet: the server is still working on this message".into(),
        )),
        MessageState::Failed | MessageState::Deleted => {
            Err(Failure::NotFound("sound in this message any more".into()))
        }
    }
}
