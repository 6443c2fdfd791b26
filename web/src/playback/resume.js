/** @typedef {import("../types.js").Playback} Playback */
/** @typedef {import("./machine.js").Journal} Journal */
/**
 * Another device moved too: "continue at 2:13 from your phone?".
 * @typedef {{ position_ms: number, device_id: string | null }} Offer
 *
 * Where to begin, and whose value that is: this device's which the server does not know yet, the server's, or nobody's.
 * @typedef {{ position_ms: number, origin: "local" | "server" | "start", offer: Offer | null }} Resume
 */

/** After a longer break a player goes back a little. */
const BREAK_MS = 60_000;

/** How far: enough to find the thread again. */
const REWIND_MS = 3_000;

/** Who stopped this close to the end has heard it, and begins again from the start. */
export const END_MS = 250;

/** Two positions closer than this are one for people. */
const SAME_MS = 1_000;

/**
 * Where a player begins: at the position of this device that the server does not have yet, else the server's, else the start.
 * @param {Journal | null} journal
 * @param {Playback | null} server
 * @param {number} durationMs
 * @param {number} now  this device's clock; one that is wrong costs no more than a rewind
 * @returns {Resume}
 */
export function resume(journal, server, durationMs, now) {
  const local = journal?.moved ? journal : null;
  const remote = server && server.version > 0 ? server : null;
  if (local) {
    return { position_ms: beginAt(local.position_ms, local.at, durationMs, now), origin: "local", offer: offer(local, remote) };
  }
  if (remote) {
    return { position_ms: beginAt(remote.position_ms, remote.updated_at, durationMs, now), origin: "server", offer: null };
  }
  return { position_ms: 0, origin: "start", offer: null };
}

/**
 * A playhead that was left some time ago: from the start when it was at the end, a little earlier after a long break.
 * @param {number} positionMs
 * @param {string | null} at  when it was left, RFC 3339; null: not known
 * @param {number} durationMs
 * @param {number} now
 */
export function beginAt(positionMs, at, durationMs, now) {
  const inside = Math.min(Math.max(0, positionMs), Math.max(0, durationMs));
  if (inside >= durationMs - END_MS) return 0;
  const long = at !== null && Math.abs(now - Date.parse(at)) > BREAK_MS;
  return long ? Math.max(0, inside - REWIND_MS) : inside;
}

/**
 * What to ask the person when the server's playhead was moved elsewhere since this device moved its own.
 * @param {Journal} local
 * @param {Playback | null} server
 * @returns {Offer | null}
 */
export function offer(local, server) {
  if (!server || server.version <= local.base_version || server.player_id === local.player_id) return null;
  if (Math.abs(server.position_ms - local.position_ms) < SAME_MS) return null;
  return { position_ms: server.position_ms, device_id: server.device_id };
}
