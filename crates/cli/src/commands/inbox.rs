//! `voxpost inbox`.

use clap::Args;
use unicode_width::UnicodeWidthStr;
use voxpost_client::{
    Change, Client, ConversationKind, ConversationSummary, Event, Message, MessageState, Update, Uuid,
};

use super::{conversation, journals};
use crate::client::{ClientArgs, SignedIn};
use crate::draw;
use crate::failure::Failure;
use crate::format;
use crate::screen::{Ink, Screen, printable};

const EXAMPLES: &str = "\
Examples:
  voxpost inbox                       conversations, those with news first
  voxpost inbox ben                   the newest messages of the conversation with ben
  voxpost inbox ben --mark-read
  voxpost inbox --watch               what arrives, until Ctrl-C
  voxpost inbox --watch --json | jq -r 'select(.type == \"message.created\") | .message.id'

● was not played yet, ◐ in part: up to where you stopped. With --json --watch each line is an event with its token; `--since TOKEN` goes on behind it.";

/// The least that is left of a waveform on a narrow terminal, and the most that is drawn on a wide one.
const WAVEFORM_COLUMNS: std::ops::RangeInclusive<usize> = 8..=48;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InboxArgs {
    /// List the messages of this conversation: a person by username, or an id.
    #[arg(value_name = "USER|CONVERSATION_ID")]
    conversation: Option<String>,

    /// How many to list.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200), value_name = "N")]
    limit: u32,

    /// Mark what was listed as read.
    #[arg(long, requires = "conversation")]
    mark_read: bool,

    /// Follow what arrives, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,

    /// With --watch: begin behind this token instead of now.
    // A token may begin with a hyphen.
    #[arg(long, requires = "watch", value_name = "TOKEN", allow_hyphen_values = true)]
    since: Option<String>,

    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn inbox(args: &InboxArgs, screen: &mut Screen) -> Result<(), Failure> {
    let signed_in = args.client.signed_in()?;
    journals::tell_what_was_left(&signed_in).await;
    let me = me(&signed_in).await?;
    let client = signed_in.client;
    let place = match &args.conversation {
        Some(text) => Some(conversation::find(&client, text).await?),
        None => None,
    };
    if !args.watch {
        return list(args, &client, me, place, screen).await;
    }
    let mut subscription = client.subscribe(args.since.clone());
    loop {
        match subscription.next().await? {
            Update::Connected { .. } => {}
            // Connected first, listed then: nothing falls between the two.
            Update::Synced { .. } if args.since.is_none() && !screen.json() => {
                screen.note("Watching; Ctrl-C ends it.");
            }
            Update::Event(event) if place.is_none_or(|place| place == event.conversation_id) => {
                tell_event(&event, me, screen)?;
            }
            Update::ResyncRequired { .. } => {
                screen.note("Too much happened to be told; here is what there is now:");
                list(args, &client, me, place, screen).await?;
            }
            Update::Disconnected { reason, retry_in } => {
                screen.note(format_args!(
                    "Connection lost ({reason}); next try in {:.1} s",
                    retry_in.as_secs_f32()
                ));
            }
            _ => {}
        }
    }
}

/// Who asks.
async fn me(signed_in: &SignedIn) -> Result<Uuid, Failure> {
    match &signed_in.session {
        Some(session) => Ok(session.user.id),
        None => Ok(signed_in.client.me().await?.id),
    }
}

async fn list(
    args: &InboxArgs,
    client: &Client,
    me: Uuid,
    place: Option<Uuid>,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let Some(place) = place else {
        for summary in conversation::list(client, args.limit as usize).await? {
            tell_conversation(&summary, me, screen)?;
        }
        return Ok(());
    };
    let page = client.messages(place, None, args.limit).await?;
    for message in &page.items {
        tell_message(message, me, screen)?;
    }
    match page.items.iter().filter_map(|message| message.seq).max() {
        Some(seq) if args.mark_read => Ok(client.mark_read(place, seq).await?),
        _ => Ok(()),
    }
}

fn tell_conversation(summary: &ConversationSummary, me: Uuid, screen: &mut Screen) -> Result<(), Failure> {
    if screen.json() {
        return screen.object(summary);
    }
    let unread = match summary.unread_count {
        0 => "   ".to_owned(),
        count => screen.paint(Ink::Good, format_args!("{count:>3}")),
    };
    let unplayed = match summary.unplayed_count {
        0 => pad("", 4),
        count => screen.paint(Ink::Good, pad(&format!("●{count}"), 4)),
    };
    let name = screen.paint(Ink::Strong, pad(&printable(conversation::name(summary, me)), 20));
    let last = summary
        .last_message
        .as_ref()
        .map_or_else(String::new, |message| sound(message, screen, 56));
    // A group has no other name that every command takes.
    let id = match summary.conversation.kind {
        ConversationKind::Group => screen.paint(Ink::Faint, summary.conversation.id),
        ConversationKind::Direct => String::new(),
    };
    screen.line(format!("{unread}  {unplayed}  {name}  {last}  {id}").trim_end())
}

fn tell_message(message: &Message, me: Uuid, screen: &mut Screen) -> Result<(), Failure> {
    if screen.json() {
        return screen.object(message);
    }
    let sender = pad(&printable(&message.sender.username), 12);
    let mark = screen.paint(Ink::Good, pad(&heard(message, me), 7));
    let sound = sound(message, screen, 83);
    let id = screen.paint(Ink::Faint, message.id);
    screen.line(format_args!(
        "{}  {mark}  {sound}  {id}",
        screen.paint(Ink::Strong, sender)
    ))?;
    match &message.caption {
        Some(caption) => screen.line(format_args!("{:23}{}", "", printable(caption))),
        None => Ok(()),
    }
}

fn tell_event(event: &Event, me: Uuid, screen: &mut Screen) -> Result<(), Failure> {
    if screen.json() {
        return screen.object(event);
    }
    match &event.change {
        Change::MessageCreated { message } => tell_message(message, me, screen),
        Change::MessageDeleted { message } => screen.line(format_args!(
            "{}  deleted  {}",
            pad(&message.sender.username, 12),
            message.id
        )),
        _ => Ok(()),
    }
}

/// `●` for what somebody else said and the caller did not play, `◐` with the playhead for what they played in part.
fn heard(message: &Message, me: Uuid) -> String {
    let playback = &message.playback;
    if message.sender.id == me || playback.played || message.state != MessageState::Ready {
        String::new()
    } else if playback.heard_ms > 0 || playback.position_ms > 0 {
        format!("◐ {}", format::duration(playback.position_ms))
    } else {
        "●".to_owned()
    }
}

/// Waveform, duration and time on what the rest of the line leaves; `taken` columns are spoken for.
fn sound(message: &Message, screen: &Screen, taken: usize) -> String {
    let when = screen.paint(Ink::Faint, format::time(message.created_at));
    let columns = screen
        .width()
        .saturating_sub(taken)
        .clamp(*WAVEFORM_COLUMNS.start(), *WAVEFORM_COLUMNS.end());
    let drawn = match (&message.state, &message.waveform) {
        (MessageState::Deleted, _) => "(deleted)".to_owned(),
        (MessageState::Recording, _) => "(being spoken)".to_owned(),
        (_, Some(waveform)) => draw::waveform(waveform, columns, 1).concat(),
        (_, None) => String::new(),
    };
    let duration = message.duration_ms.map(format::duration).unwrap_or_default();
    let drawn = screen.paint(Ink::Sound, pad(&drawn, columns));
    format!("{drawn}  {duration:>7}  {when}")
}

/// Text in exactly `columns` columns, East Asian wide characters included.
fn pad(text: &str, columns: usize) -> String {
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) > columns {
            break;
        }
        short.push(c);
    }
    let gap = columns.saturating_sub(short.width());
    short + &" ".repeat(gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sender: u128, played: bool, heard_ms: i64, position_ms: i64) -> Message {
        let value = serde_json::json!({
            "id": Uuid::nil(), "conversation_id": Uuid::nil(), "seq": 1, "version": 1, "state": "ready",
            "sender": {"id": Uuid::from_u128(sender), "username": "ana", "display_name": "Ana"}, "client_id": null,
            "reply_to": null, "caption": null, "created_at": "2026-01-01T10:00:00.000Z", "duration_ms": 90_000,
            "truncated": false, "missing_ms": 0, "waveform": null, "gain_db": null, "loudness_lufs": null,
            "speech": null, "audio": null, "source": null, "reactions": [],
            "playback": {"version": 1, "position_ms": position_ms, "heard_ms": heard_ms, "played": played},
            "played_by": [], "played_count": 0, "transcript": null,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_was_not_heard_and_what_was_half_heard_are_marked_and_one_s_own_is_not() {
        let me = Uuid::from_u128(2);
        assert_eq!(heard(&message(1, false, 0, 0), me), "●");
        assert_eq!(heard(&message(1, false, 42_000, 42_000), me), "◐ 0:42");
        assert_eq!(heard(&message(1, true, 90_000, 90_000), me), "");
        assert_eq!(heard(&message(2, false, 0, 0), me), "");
    }

    #[test]
    fn names_take_their_columns_in_every_script() {
        assert_eq!(pad("ana", 5), "ana  ");
        assert_eq!(pad("李小龙", 5), "李小 ");
        assert_eq!(pad("abcdef", 5), "abcde");
    }
}
