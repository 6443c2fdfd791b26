/** @typedef {import("../types.js").Message} Message */

/**
 * What plays by itself after a message that somebody else said: the next one of others, if it was not played yet. One's own
 * and deleted ones between are passed over; a next one that was played before ends the row.
 * @param {readonly Message[]} items  of one conversation, oldest first
 * @param {Message} ended
 * @param {string} me
 */
export function nextUnplayed(items, ended, me) {
  if (ended.sender.id === me) return null;
  const next = items.find(({ seq, sender, state }) => (seq ?? 0) > (ended.seq ?? 0) && sender.id !== me && state === "ready");
  return next && !next.playback?.played ? next : null;
}
