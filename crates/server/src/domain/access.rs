//! Who may do what. Every route that touches a conversation or a message asks here.

use voxpost_proto::api::{ConversationKind, Role};

/// What somebody wants to do in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// See the conversation, its messages and its events; hear a message.
    See,
    /// Send a message, or tell that one is recording.
    Send,
    /// Change the title or the settings.
    Edit,
    /// Add people.
    AddMembers,
    /// Remove somebody else.
    RemoveMember,
    /// Leave it.
    Leave,
    /// Delete a message of one's own.
    DeleteOwnMessage,
    /// Delete a message of somebody else.
    DeleteAnyMessage,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The caller must not learn that it exists.
    NotFound,
    /// The caller sees it, but may not do this; the text says who may.
    Forbidden(&'static str),
}

/// Why a member may not send voice messages to a direct conversation. A group takes them from every member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoiceRefusal {
    /// The other person has turned them off.
    NotAccepted,
    /// There is nobody on the other side any more.
    AccountDeleted,
}

impl VoiceRefusal {
    /// As in `can_send.reason`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotAccepted => "voice_not_accepted",
            Self::AccountDeleted => "account_deleted",
        }
    }
}

/// Whether the other person of a direct conversation can be sent voice messages.
pub(crate) fn voice_refusal(other_accepts: bool, other_deleted: bool) -> Option<VoiceRefusal> {
    if other_deleted {
        Some(VoiceRefusal::AccountDeleted)
    } else if !other_accepts {
        Some(VoiceRefusal::NotAccepted)
    } else {
        None
    }
}

/// `role` is None for who is not a member at present.
pub(crate) fn check(action: Action, kind: ConversationKind, role: Option<Role>) -> Result<(), Denied> {
    use Action::*;
    let Some(role) = role else {
        return Err(Denied::NotFound);
    };
    let owner = role == Role::Owner;
    match (action, kind) {
        (See | Send | DeleteOwnMessage, _) => Ok(()),
        (Edit, ConversationKind::Direct) => Ok(()),
        (AddMembers | RemoveMember | Leave, ConversationKind::Direct) => Err(Denied::Forbidden(
            "A direct conversation has two members, always the same. Make a group instead.",
        )),
        (Leave, ConversationKind::Group) => Ok(()),
        (Edit | AddMembers | RemoveMember | DeleteAnyMessage, ConversationKind::Group) if owner => Ok(()),
        (Edit | AddMembers | RemoveMember, ConversationKind::Group) => {
            Err(Denied::Forbidden("Only an owner of the group may do that."))
        }
        (DeleteAnyMessage, _) => Err(Denied::Forbidden(
            "Only its sender, or an owner of the group, may delete a message.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Action; 8] = [
        Action::See,
        Action::Send,
        Action::Edit,
        Action::AddMembers,
        Action::RemoveMember,
        Action::Leave,
        Action::DeleteOwnMessage,
        Action::DeleteAnyMessage,
    ];

    #[test]
    fn who_is_not_a_member_finds_nothing() {
        for action in ALL {
            for kind in [ConversationKind::Direct, ConversationKind::Group] {
                assert_eq!(check(action, kind, None), Err(Denied::NotFound));
            }
        }
    }

    #[test]
    fn an_owner_of_a_group_may_do_everything_in_it() {
        for action in ALL {
            assert_eq!(check(action, ConversationKind::Group, Some(Role::Owner)), Ok(()));
        }
    }

    #[test]
    fn a_plain_member_sees_sends_leaves_and_deletes_what_is_their_own() {
        for action in ALL {
            let allowed = check(action, ConversationKind::Group, Some(Role::Member)).is_ok();
            let expected = matches!(
                action,
                Action::See | Action::Send | Action::Leave | Action::DeleteOwnMessage
            );
            assert_eq!(allowed, expected, "{action:?}");
        }
    }

    #[test]
    fn a_deleted_account_is_the_stronger_reason() {
        assert_eq!(voice_refusal(true, false), None);
        assert_eq!(voice_refusal(false, false), Some(VoiceRefusal::NotAccepted));
        assert_eq!(voice_refusal(false, true), Some(VoiceRefusal::AccountDeleted));
        assert_eq!(voice_refusal(true, true), Some(VoiceRefusal::AccountDeleted));
    }

    #[test]
    fn a_direct_conversation_keeps_its_two_members() {
        for role in [Role::Owner, Role::Member] {
            for action in [
                Action::AddMembers,
                Action::RemoveMember,
                Action::Leave,
                Action::DeleteAnyMessage,
            ] {
                assert!(matches!(
                    check(action, ConversationKind::Direct, Some(role)),
                    Err(Denied::Forbidden(_))
                ));
            }
            assert_eq!(check(Action::Edit, ConversationKind::Direct, Some(role)), Ok(()));
        }
    }
}
