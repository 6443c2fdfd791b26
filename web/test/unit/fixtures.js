/** @typedef {import("../../src/types.js").Conversation} Conversation */
/** @typedef {import("../../src/types.js").Message} Message */

const person = (/** @type {string} */ name) => ({ id: name, username: name, display_name: name });
export const ana = person("ana");
export const ben = person("ben");
export const cleo = person("cleo");

/**
 * @param {Partial<Conversation>} [change]
 * @returns {Conversation}
 */
export function conversation(change = {}) {
  return {
    id: "c1",
    kind: "direct",
    title: null,
    live: false,
    members: [ana, ben].map((user) => ({ user, role: /** @type {const} */ ("member"), read_seq: 0, delivered_seq: 0 })),
    can_send: { voice: true },
    created_at: "2026-01-01T10:00:00.000Z",
    last_seq: 0,
    version: 1,
    last_message: null,
    unread_count: 0,
    ...change,
  };
}

/**
 * @param {number} seq
 * @param {Partial<Message>} [change]
 * @returns {Message}
 */
export function message(seq, change = {}) {
  return {
    id: `m${seq}`,
    conversation_id: "c1",
    seq,
    version: 1,
    state: "ready",
    sender: ben,
    client_id: null,
    created_at: `2026-01-01T10:${String(seq % 60).padStart(2, "0")}:00.000Z`,
    duration_ms: 4000,
    waveform: null,
    audio: null,
    ...change,
  };
}
