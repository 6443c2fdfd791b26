//! Ends the sockets of sessions that end.

use tokio::sync::broadcast::error::RecvError;

use super::Goodbye;
use crate::app::App;

const MISSED: Goodbye = Goodbye {
    code: 1013,
    reason: "connect again",
};

pub(super) async fn run(app: App) {
    let mut revoked = app.sessions.subscribe();
    loop {
        match revoked.recv().await {
            Ok(ended) => app
                .hub
                .cut(Goodbye::SESSION_ENDED, |user, session| ended.hits(user, session)),
            // Nobody knows whom the news that were missed concerned: all show their tokens again, and lose nothing.
            Err(RecvError::Lagged(_)) => app.hub.cut(MISSED, |_, _| true),
            Err(RecvError::Closed) => return,
        }
    }
}
