import { t } from "./i18n.js";

/** @typedef {import("./types.js").Conversation} Conversation */

/**
 * The other one of two people; null in a group, and in a conversation that everybody else has left.
 * @param {Conversation} conversation
 * @param {string} me
 */
export function partner(conversation, me) {
  if (conversation.kind !== "direct") return null;
  return conversation.members.find(({ user }) => user.id !== me)?.user ?? null;
}

/**
 * What a conversation is called for the one who looks at it.
 * @param {Conversation} conversation
 * @param {string} me
 */
export function conversationName(conversation, me) {
  if (conversation.kind === "group") return conversation.title ?? t("conversation.group");
  return partner(conversation, me)?.display_name ?? t("conversation.gone");
}
