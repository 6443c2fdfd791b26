//! Somebody who hears a recording while it is spoken: when each packet would leave the loudspeaker.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message as Frame;
use voxpost_client::Uuid;
use voxpost_proto::rtp::RtpHeader;
use voxpost_proto::socket::ServerMessage;
use voxpost_proto::{BinaryMessage, ErrorCode};

use super::super::sockets::Socket;
use super::line::FRAME;
use crate::failure::Failure;
use crate::stats::Latencies;

/// What a listener keeps back before it begins to play, and tries to keep.
pub(super) const CUSHION: Duration = Duration::from_millis(60);

/// How much faster it plays while more than that waits.
const CATCH_UP: f64 = 1.25;

/// libopus's look-ahead at 48 kHz: 312 samples.
const LOOK_AHEAD: Duration = Duration::from_micros(6_500);

/// When which packet was spoken.
#[derive(Clone, Copy)]
pub(super) struct Spoken {
    pub(super) message_id: Uuid,
    /// When the first packet began to be spoken.
    pub(super) since: Instant,
}

/// A playout queue without sound: the times at which packets would be heard.
struct Playout {
    next: Option<Instant>,
}

impl Playout {
    /// A packet arrived; gives when it is heard.
    fn handle_packet(&mut self, arrived: Instant) -> Instant {
        let heard = self.next.map_or(arrived + CUSHION, |next| next.max(arrived));
        let behind = heard - arrived > CUSHION;
        let lasts = if behind { FRAME.div_f64(CATCH_UP) } else { FRAME };
        self.next = Some(heard + lasts);
        heard
    }
}

/// Joins the recording once there is one and listens to its end; from the mouth to the ear, for each packet.
pub(super) async fn listen(
    mut socket: Socket,
    mut spoken: watch::Receiver<Option<Spoken>>,
) -> Result<Latencies, Failure> {
    let spoken = *spoken
        .wait_for(Option::is_some)
        .await
        .map_err(|_| Failure::other("nobody spoke"))?;
    let Some(spoken) = spoken else {
        return Ok(Latencies::default());
    };
    let join =
        json!({"type": "live.join", "ref": 1, "message_id": spoken.message_id, "from": "edge"}).to_string();
    socket
        .send(Frame::text(join.clone()))
        .await
        .map_err(Failure::other)?;
    let mut playout = Playout { next: None };
    let mut latencies = Latencies::default();
    while let Some(message) = socket.next().await {
        match message.map_err(Failure::other)? {
            Frame::Binary(bytes) => {
                let arrived = Instant::now();
                let message = BinaryMessage::parse(&bytes).map_err(Failure::other)?;
                let (header, _) = RtpHeader::parse(message.body).map_err(Failure::other)?;
                let begun = spoken.since + FRAME * u32::from(header.sequence);
                let heard = playout.handle_packet(arrived);
                latencies.add(heard.saturating_duration_since(begun) + LOOK_AHEAD);
            }
            Frame::Text(text) => match serde_json::from_str(&text).map_err(Failure::other)? {
                ServerMessage::LiveEnded { .. } => return Ok(latencies),
                // Published by its first durable packet: a moment later.
                ServerMessage::Error { problem, .. } if problem.code == ErrorCode::NotFound => {
                    tokio::time::sleep(FRAME).await;
                    socket
                        .send(Frame::text(join.clone()))
                        .await
                        .map_err(Failure::other)?;
                }
                ServerMessage::Error { problem, .. } => return Err(Failure::other(problem.detail)),
                _ => {}
            },
            _ => {}
        }
    }
    Err(Failure::other("the server closed a listener's socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_keeps_its_cushion_and_catches_up_after_a_stall() {
        let mut playout = Playout { next: None };
        let start = Instant::now();
        let ms = |ms| Duration::from_millis(ms);
        let mut delay = |n: u64, late: u64| {
            let arrived = start + ms(20 * n + late);
            playout.handle_packet(arrived) - (start + ms(20 * n))
        };
        assert_eq!(delay(0, 0), ms(60));
        assert_eq!(delay(1, 10), ms(60));
        // A stall: four packets come at once, and later ones are on time again.
        assert_eq!(delay(2, 200), ms(200));
        let delays: Vec<Duration> = (3..60)
            .map(|n| delay(n, if n < 12 { 220 - 20 * n } else { 0 }))
            .collect();
        assert!(delays.windows(2).all(|pair| pair[1] <= pair[0]), "{delays:?}");
        assert!(delays.last().is_some_and(|last| *last <= ms(64)), "{delays:?}");
    }
}
