//! The way to a server.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::fmt::rfc2822;
use voxpost_client::{Client, RetryPolicy, Update};

use super::Report;
use super::checks::Check;
use crate::client::ClientArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// Beyond this, times in the inbox look wrong and tokens of other issuers expire too early or too late.
const MAX_SKEW: Duration = Duration::from_secs(5);
/// A socket that takes longer is not worth waiting for.
const SOCKET_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn check(url: &str, args: &ClientArgs, report: &mut Report<'_>) -> Result<(), Failure> {
    let client = match args.anonymous(url) {
        Ok(client) => client,
        Err(failure) => return report.tell(&Check::failure("address", &failure)),
    };
    let start = Instant::now();
    let health = match client.health().await {
        Ok(health) => health,
        Err(error) => return report.tell(&Check::failure("reachable", &error.into())),
    };
    let took = start.elapsed();
    report.tell(&Check::ok(
        "reachable",
        format!("{} in {:.0} ms", client.url(), took.as_secs_f64() * 1e3),
    ))?;
    report.tell(&tls(client.url(), args))?;
    report.tell(&ready(health.ready, &health.body))?;
    report.tell(&clock(health.date.as_deref()))?;
    report.tell(&version(&client).await)?;
    match args.signed_in() {
        Ok(signed_in) => {
            report.tell(&session(&signed_in.client).await)?;
            report.tell(&socket(&signed_in.client).await)
        }
        Err(Failure::NotSignedIn | Failure::Usage(_)) => {
            let advice = "sign in with `voxpost login URL USERNAME` to have the rest checked";
            report.tell(&Check::warning("session", "not signed in at this server", advice))
        }
        Err(other) => report.tell(&Check::failure("session", &other)),
    }
}

fn tls(url: &str, args: &ClientArgs) -> Check {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|near| url.starts_with(near));
    if url.starts_with("https://") {
        let pinned = args.trust.is_some()
            || args
                .session()
                .ok()
                .flatten()
                .is_some_and(|session| session.url == url && session.trust.is_some());
        Check::ok(
            "tls",
            if pinned {
                "its own certificate, by fingerprint"
            } else {
                "certificate of an authority"
            },
        )
    } else if local {
        Check::ok("tls", "none, and none needed on this machine")
    } else {
        let advice =
            "use https://: `voxpost serve --tls self-signed`, or a certificate with --tls-cert and --tls-key";
        Check::warning("tls", "none: everybody on the way can read and listen", advice)
    }
}

fn ready(ready: bool, body: &str) -> Check {
    if ready {
        return Check::ok("ready", "database, store and bus");
    }
    let detail = body.chars().take(200).collect::<String>();
    Check::failed(
        "ready",
        Exit::Refused,
        detail,
        "see the log of the server, and run `voxpost doctor --data-dir DIR` there",
    )
}

fn clock(date: Option<&str>) -> Check {
    let Some(server) = date.and_then(|date| rfc2822::parse(date).ok()) else {
        return Check::warning(
            "clock",
            "the server does not tell the time",
            "a proxy may have removed the Date header",
        );
    };
    let here = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as i64;
    skew(here, server.timestamp().as_millisecond())
}

/// `Date` has whole seconds, so up to one of difference is none.
fn skew(here_ms: i64, server_ms: i64) -> Check {
    let ahead = here_ms - server_ms;
    let skew = Duration::from_millis(ahead.unsigned_abs().saturating_sub(1000));
    if skew <= MAX_SKEW {
        return Check::ok("clock", "as the server's, to within seconds");
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let detail = format!("this machine is {} s {side} the server", skew.as_secs());
    Check::warning("clock", detail, "let NTP set both clocks")
}

async fn version(client: &Client) -> Check {
    match client.config().await {
        Ok(config) => versions(&config.version, env!("CARGO_PKG_VERSION")),
        Err(error) => Check::failure("version", &error.into()),
    }
}

/// The wire contract is the same within a major version (a minor one before 1.0).
fn versions(server: &str, here: &str) -> Check {
    let line = |version: &str| {
        let mut parts = version.split('.').map(str::to_owned);
        let major = parts.next();
        if major.as_deref() == Some("0") {
            (major, parts.next())
        } else {
            (major, None)
        }
    };
    if line(server) == line(here) {
        return Check::ok("version", format!("server {server}, here {here}"));
    }
    let detail = format!("server {server}, here {here}");
    Check::warning("version", detail, "use the same release on both sides")
}

async fn session(client: &Client) -> Check {
    match client.me().await {
        Ok(me) => Check::ok("session", format!("signed in as {}", me.username)),
        Err(error) => Check::failure("session", &error.into()),
    }
}

async fn socket(client: &Client) -> Check {
    let mut subscription = client.subscribe_with(None, None, RetryPolicy::NEVER);
    let start = Instant::now();
    let synced = async {
        loop {
            match subscription.next().await {
                Ok(Update::Synced { .. }) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    };
    let advice = "a proxy on the way must pass WebSocket upgrades of /v1/socket on";
    match tokio::time::timeout(SOCKET_WITHIN, synced).await {
        Ok(Ok(())) => Check::ok(
            "socket",
            format!("live in {:.0} ms", start.elapsed().as_secs_f64() * 1e3),
        ),
        Ok(Err(error)) => Check::failed(
            "socket",
            Failure::from(error).exit(),
            "no live connection",
            advice,
        ),
        Err(_) => Check::failed("socket", Exit::Unreachable, "no answer within 10 s", advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::Status;
    use super::*;

    #[test]
    fn a_skewed_clock_is_a_warning_and_a_second_is_none() {
        assert_eq!(skew(10_000, 9_000).status, Status::Ok);
        assert_eq!(skew(100_000, 9_000).status, Status::Warning);
        assert!(skew(9_000, 100_000).detail.contains("behind"));
        assert!(skew(100_000, 9_000).detail.contains("90 s ahead"));
    }

    #[test]
    fn the_date_header_of_http_is_understood() {
        assert_eq!(
            clock(Some("Sun, 06 Nov 1994 08:49:37 GMT")).status,
            Status::Warning
        );
        assert!(
            clock(Some("Sun, 06 Nov 1994 08:49:37 GMT"))
                .detail
                .contains("ahead")
        );
        assert_eq!(clock(Some("yesterday")).status, Status::Warning);
    }

    #[test]
    fn releases_of_one_line_fit_together() {
        assert_eq!(versions("0.1.7", "0.1.0").status, Status::Ok);
        assert_eq!(versions("0.2.0", "0.1.0").status, Status::Warning);
        assert_eq!(versions("1.9.0", "1.0.3").status, Status::Ok);
        assert_eq!(versions("2.0.0", "1.0.3").status, Status::Warning);
    }

    #[test]
    fn plain_http_is_fine_on_this_machine_only() {
        let args = ClientArgs::default();
        assert_eq!(tls("http://127.0.0.1:8080", &args).status, Status::Ok);
        assert_eq!(tls("http://voice.example.org", &args).status, Status::Warning);
    }
}
