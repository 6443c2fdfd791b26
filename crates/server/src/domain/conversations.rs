//! What a conversation may look like. Errors are sentences for the caller.

use voxpost_proto::api::{ConversationCreate, ConversationKind};

use super::names;

/// The most members of a group: each of them is in every rendering of it.
pub(crate) const MAX_MEMBERS: usize = 1_024;

/// Delivered marks are told to the others only up to this size: with n members each message would otherwise cause
/// n events for n people, and nobody looks at a thousand ticks.
pub(crate) const MAX_DELIVERED_TOLD: usize = 32;

/// Read marks are told to the others up to this size, beyond it to the reader's own devices alone.
pub(crate) const MAX_READ_TOLD: usize = 256;

const TITLE: usize = 100;

/// A request to make a conversation that has passed the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kind: ConversationKind,
    /// Usernames of the others, folded, sorted, each once, the caller not among them.
    pub(crate) others: Vec<String>,
    pub(crate) title: Option<String>,
    pub(crate) live: bool,
}

/// Checks a request of the person called `caller`.
pub(crate) fn plan(request: &ConversationCreate, caller: &str) -> Result<Plan, String> {
    let mut others = usernames(&request.members)?;
    let oneself = others.iter().any(|name| name == caller);
    others.retain(|name| name != caller);
    if request.kind == ConversationKind::Direct {
        if oneself {
            return Err(
                "`members` of a direct conversation is one other person: you cannot talk to yourself".into(),
            );
        }
        if others.len() != 1 {
            return Err("`members` of a direct conversation must name exactly one other person".into());
        }
        if request.title.is_some() {
            return Err("`title` is for groups: a direct conversation is called after its people".into());
        }
    }
    Ok(Plan {
        kind: request.kind,
        others,
        title: request.title.as_deref().map(title).transpose()?,
        live: request.live.unwrap_or(false),
    })
}

/// Usernames as they are stored, sorted, each once.
pub(crate) fn usernames(names: &[String]) -> Result<Vec<String>, String> {
    if names.len() >= MAX_MEMBERS {
        return Err(too_many());
    }
    let mut names: Vec<String> = names
        .iter()
        .map(|name| names::username(name).map_err(|_| nobody(name)))
        .collect::<Result<_, _>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

pub(crate) fn title(text: &str) -> Result<String, String> {
    names::line("title", text, TITLE)
}

pub(crate) fn too_many() -> String {
    format!("`members`: a group has at most {MAX_MEMBERS} members")
}

/// A name that cannot be anybody's is told with no more of it than fits a line.
pub(crate) fn nobody(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("`members`: there is nobody called “{shown}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: ConversationKind, members: &[&str], title: Option<&str>) -> ConversationCreate {
        ConversationCreate {
            kind,
            members: members.iter().map(|&name| name.to_owned()).collect(),
            title: title.map(str::to_owned),
            live: None,
            client_id: None,
        }
    }

    #[test]
    fn a_direct_conversation_is_with_exactly_one_other_person() {
        let direct = |members: &[&str]| plan(&request(ConversationKind::Direct, members, None), "ana");
        assert_eq!(direct(&["Ben"]).unwrap().others, ["ben"]);
        assert_eq!(direct(&["ben", "BEN"]).unwrap().others, ["ben"]);
        for bad in [
            &[][..],
            &["ana"],
            &["ana", "ben"],
            &["ben", "cleo"],
            &["no such name"],
        ] {
            assert!(direct(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_groups_have_titles() {
        assert!(plan(&request(ConversationKind::Direct, &["ben"], Some("us")), "ana").is_err());
        let group = plan(
            &request(ConversationKind::Group, &["ben", "ana"], Some(" us ")),
            "ana",
        )
        .unwrap();
        assert_eq!(
            (group.title.as_deref(), &group.others[..]),
            (Some("us"), &["ben".to_owned()][..])
        );
        assert!(plan(&request(ConversationKind::Group, &[], Some(" ")), "ana").is_err());
    }

    #[test]
    fn a_group_is_bounded() {
        let names: Vec<String> = (0..MAX_MEMBERS).map(|i| format!("user{i}")).collect();
        assert!(usernames(&names).is_err());
        assert!(usernames(&names[1..]).is_ok());
    }
}
