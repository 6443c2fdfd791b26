//! What `voxpost play` says.

use std::io::{self, IsTerminal, Write};

use serde_json::json;
use voxpost_client::{Client, Message, Offer, Origin, Uuid};

use crate::failure::Failure;
use crate::format;
use crate::screen::{Screen, printable};

/// One line that follows the sound where somebody looks, and some that stay.
pub(super) struct Show {
    message: Uuid,
    sender: String,
    duration_ms: i64,
    live: bool,
    drawn: bool,
}

/// How it ended.
pub(super) struct End {
    pub(super) from_ms: i64,
    pub(super) position_ms: i64,
    pub(super) speed: f32,
    pub(super) ended: bool,
    /// The server knows.
    pub(super) told: bool,
    /// Somebody listened.
    pub(super) counts: bool,
    pub(super) underruns: u64,
}

impl Show {
    pub(super) fn new(message: &Message, duration_ms: i64, screen: &Screen) -> Self {
        Self {
            message: message.id,
            sender: printable(&message.sender.username),
            duration_ms,
            live: !screen.json() && io::stderr().is_terminal(),
            drawn: false,
        }
    }

    pub(super) fn begin(&self, from_ms: i64, origin: Origin, screen: &mut Screen) {
        let whose = match origin {
            Origin::Local if from_ms > 0 => ", where this device stopped",
            Origin::Server if from_ms > 0 => ", where you stopped",
            _ => "",
        };
        screen.note(format_args!(
            "{} from {} of {}{whose}",
            self.sender,
            format::duration(from_ms),
            format::duration(self.duration_ms)
        ));
    }

    /// "Continue at 2:13 from phone?" Gives where that is.
    pub(super) async fn offer(&self, client: &Client, offer: &Offer, screen: &mut Screen) -> i64 {
        let sessions = client.sessions().await;
        let name = sessions.ok().and_then(|page| {
            let of_it = page
                .items
                .into_iter()
                .find(|one| Some(one.device_id) == offer.device_id);
            of_it?.device_name
        });
        let device = name.map_or_else(|| "another device".to_owned(), |name| printable(&name));
        let at = format::duration(offer.position_ms);
        screen.note(format_args!(
            "Continue at {at} from {device}? Press c, or begin with --from {at}."
        ));
        offer.position_ms
    }

    /// This device moved, but so had another one.
    pub(super) fn elsewhere(&mut self, position_ms: i64, screen: &mut Screen) {
        self.clear();
        let at = format::duration(position_ms);
        screen.note(format_args!(
            "Another device went on to {at}; press c to continue there."
        ));
    }

    pub(super) fn keys(&self, there: bool, screen: &mut Screen) {
        if there && self.live {
            screen.note("space pause · ←/→ 5 s · ↑/↓ speed · s skip silence · q quit");
        }
    }

    /// The disk does not keep it.
    pub(super) fn not_kept(&mut self, error: &io::Error, screen: &mut Screen) {
        self.clear();
        screen.note(format_args!(
            "warning: this device cannot keep where you stop ({error}); playing goes on, and the server is told"
        ));
    }

    /// Where it is.
    pub(super) fn tick(&mut self, position_ms: i64, speed: f32, paused: bool, skips: bool) {
        if !self.live {
            return;
        }
        let mark = if paused { "⏸" } else { "▶" };
        let silence = if skips { "  no silence" } else { "" };
        let line = format!(
            "\r{mark} {} / {}  {speed}×{silence}\x1b[K",
            format::duration(position_ms),
            format::duration(self.duration_ms),
        );
        self.drawn = io::stderr().write_all(line.as_bytes()).is_ok();
    }

    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }

    pub(super) fn end(&self, end: &End, screen: &mut Screen) -> Result<(), Failure> {
        if screen.json() {
            return screen.object(&json!({
                "message_id": self.message,
                "from_ms": end.from_ms,
                "position_ms": end.position_ms,
                "duration_ms": self.duration_ms,
                "speed": end.speed,
                "ended": end.ended,
                "reported": end.told,
                "underruns": end.underruns,
            }));
        }
        match end.ended {
            true => screen.note("played to the end"),
            false => screen.note(format_args!(
                "stopped at {} of {}",
                format::duration(end.position_ms),
                format::duration(self.duration_ms)
            )),
        }
        if end.counts && !end.told {
            screen.note("The server does not know that yet; this device tells it next time.");
        }
        Ok(())
    }
}
