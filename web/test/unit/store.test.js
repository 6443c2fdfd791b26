import assert from "node:assert/strict";
import { test } from "node:test";
import { Store, receipt } from "../../src/store.js";
import { ana, ben, cleo, conversation, message } from "./fixtures.js";

function storeOfAna() {
  const store = new Store();
  store.me = ana.id;
  store.mergeConversation(conversation());
  return store;
}

/** @param {Store} store */
const seqs = (store) => store.stretch("c1")?.items.map(({ seq }) => seq);

/**
 * @param {Store} store
 * @param {string} type
 */
function heard(store, type) {
  /** @type {any[]} */
  const details = [];
  store.addEventListener(type, (event) => details.push(/** @type {CustomEvent} */ (event).detail));
  return details;
}

test("messages stand in the order of their seq, in whatever order they come", () => {
  const store = storeOfAna();
  store.mergePage("c1", [message(5), message(6)], false);
  store.apply({ type: "message.created", message: message(8) });
  store.apply({ type: "message.created", message: message(7) });
  store.mergePage("c1", [message(3), message(4), message(5)], true);
  assert.deepEqual(seqs(store), [3, 4, 5, 6, 7, 8]);
  assert.equal(store.stretch("c1")?.complete, true);
});

test("an older version of a message does not replace a newer one, a repeated event does nothing", () => {
  const store = storeOfAna();
  store.mergePage("c1", [message(1, { version: 3, waveform: [1] })], true);
  store.apply({ type: "message.updated", message: message(1, { version: 2 }) });
  assert.deepEqual(store.message("m1")?.waveform, [1]);
  store.apply({ type: "message.deleted", message: message(1, { version: 4, state: "deleted" }) });
  store.apply({ type: "message.created", message: message(1) });
  assert.equal(store.message("m1")?.state, "deleted");
  assert.deepEqual(seqs(store), [1]);
});

test("a message of somebody else arrives once and counts as unread, an own one does not", () => {
  const store = storeOfAna();
  const arrived = heard(store, "arrived");
  const event = { type: "message.created", message: message(1) };
  store.apply(event);
  store.apply(event);
  store.apply({ type: "message.created", message: message(2, { sender: ana }) });
  assert.deepEqual(arrived.map(({ id }) => id), ["m1"]);
  assert.equal(store.conversation("c1")?.unread_count, 1);
  assert.equal(store.conversation("c1")?.last_message?.id, "m2");
  assert.equal(store.unread(), 1);
});

test("reading on another device takes the unread mark away here", () => {
  const store = storeOfAna();
  store.apply({ type: "message.created", message: message(1) });
  store.apply({ type: "read.updated", conversation_id: "c1", user: ana, seq: 1 });
  assert.equal(store.unread(), 0);
});

test("marks never go back, whatever comes late", () => {
  const store = storeOfAna();
  store.apply({ type: "read.updated", conversation_id: "c1", user: ben, seq: 5 });
  store.apply({ type: "read.updated", conversation_id: "c1", user: ben, seq: 4 });
  store.mergeConversation(conversation({ version: 2 }));
  assert.equal(store.conversation("c1")?.members[1].read_seq, 5);
});

test("an older state of a conversation changes nothing, a newer one keeps what only lists carry", () => {
  const store = storeOfAna();
  const { last_message: _, unread_count: __, ...bare } = conversation({ kind: "group", title: "Old", version: 5 });
  store.mergeConversation(conversation({ kind: "group", title: "New", version: 6, last_message: message(2), unread_count: 2, last_seq: 2 }));
  store.mergeConversation(bare);
  assert.equal(store.conversation("c1")?.title, "New");
  store.mergeConversation({ ...bare, title: "Newest", version: 7 });
  assert.equal(store.conversation("c1")?.title, "Newest");
  assert.equal(store.conversation("c1")?.unread_count, 2);
  assert.equal(store.conversation("c1")?.last_message?.id, "m2");
  assert.equal(store.conversation("c1")?.last_seq, 2);
});

test("conversations are sorted by their newest activity", () => {
  const store = storeOfAna();
  store.mergeConversation(conversation({ id: "c2", created_at: "2026-01-01T11:00:00.000Z" }));
  assert.deepEqual(store.conversations().map(({ id }) => id), ["c2", "c1"]);
  store.apply({ type: "message.created", message: message(1, { created_at: "2026-01-02T00:00:00.000Z" }) });
  assert.deepEqual(store.conversations().map(({ id }) => id), ["c1", "c2"]);
});

test("who is taken out of a group loses it; when others come or go it is fetched again", () => {
  const store = storeOfAna();
  const stale = heard(store, "stale");
  store.apply({ type: "member.joined", conversation_id: "c1", member: { user: cleo } });
  store.apply({ type: "member.left", conversation_id: "c1", user: cleo });
  assert.deepEqual(stale, ["c1", "c1"]);
  store.apply({ type: "member.left", conversation_id: "c1", user: ana });
  assert.equal(store.conversation("c1"), null);
});

test("a message of a conversation that is not known makes it be fetched", () => {
  const store = new Store();
  const stale = heard(store, "stale");
  store.apply({ type: "message.created", message: message(1, { conversation_id: "c9" }) });
  assert.deepEqual(stale, ["c9"]);
});

test("a complete list takes away what is not in it, and stretches that may have holes now", () => {
  const store = storeOfAna();
  store.mergePage("c1", [message(1)], true);
  store.mergeConversation(conversation({ id: "gone" }));
  store.replaceAll([conversation()], store.beginList());
  assert.equal(store.conversation("gone"), null);
  assert.equal(store.stretch("c1"), null);
});

test("what events tell while a list is on its way is newer than the list", () => {
  const store = storeOfAna();
  store.mergeConversation(conversation({ id: "left" }));
  const list = store.beginList();
  const [older, stale] = [store.beginList(), heard(store, "stale")];
  assert.notEqual(list, older);
  store.apply({ type: "conversation.created", conversation: conversation({ id: "new" }) });
  store.apply({ type: "message.created", message: message(1) });
  store.apply({ type: "member.left", conversation_id: "left", user: ana });
  store.replaceAll([], list);
  assert.deepEqual(store.conversations().length, 2, "a list that another has replaced changes nothing");
  store.replaceAll([conversation(), conversation({ id: "left" })], older);
  assert.deepEqual(store.conversations().map(({ id }) => id).sort(), ["c1", "new"]);
  assert.deepEqual(stale.sort(), ["c1", "new"], "whose counts may be from before the event");
  store.replaceAll([conversation()], store.beginList());
  assert.deepEqual(store.conversations().map(({ id }) => id), ["c1"]);
});

test("a message that comes while the newest page is on its way has its place, one from before the page has none", () => {
  const store = storeOfAna();
  store.beginPage("c1");
  store.apply({ type: "message.created", message: message(9) });
  store.apply({ type: "message.updated", message: message(3, { version: 2 }) });
  store.mergePage("c1", [message(7), message(8)], false);
  assert.deepEqual(seqs(store), [7, 8, 9]);
  store.apply({ type: "message.updated", message: message(4, { version: 2 }) });
  assert.deepEqual(seqs(store), [7, 8, 9]);
  const { generation } = store;
  store.beginPage("c1");
  store.replaceAll([conversation()], store.beginList());
  assert.notEqual(store.generation, generation);
});

test("unpublished messages stay out of the list", () => {
  const store = storeOfAna();
  store.mergePage("c1", [], true);
  store.apply({ type: "message.updated", message: message(1, { seq: null, state: "processing" }) });
  assert.deepEqual(seqs(store), []);
});

const unheard = { version: 0, position_ms: 0, heard_ms: 0, played: false };

test("where oneself is in a message is merged by its own version, and what was heard only grows", () => {
  const store = storeOfAna();
  store.mergePage("c1", [message(1, { playback: { version: 5, position_ms: 3000, heard_ms: 3000, played: false } })], true);
  store.notePlayback("m1", { version: 4, position_ms: 1000, heard_ms: 1000, played: false });
  store.apply({ type: "message.updated", message: message(1, { version: 2, playback: { ...unheard, heard_ms: 3500 } }) });
  assert.deepEqual(store.message("m1")?.playback, { version: 5, position_ms: 3000, heard_ms: 3500, played: false });
  assert.equal(store.message("m1")?.version, 2);
});

test("messages of others count as unplayed until they are played, once, or deleted", () => {
  const store = storeOfAna();
  store.mergePage("c1", [], true);
  for (const seq of [1, 2, 3]) store.apply({ type: "message.created", message: message(seq, { playback: unheard }) });
  store.apply({ type: "message.created", message: message(4, { sender: ana }) });
  const count = () => store.conversation("c1")?.unplayed_count;
  assert.equal(count(), 3);
  for (let i = 0; i < 2; i += 1) assert.ok(store.notePlayback("m1", { ...unheard, version: 1, played: true }));
  assert.equal(count(), 2);
  store.apply({ type: "message.deleted", message: message(2, { version: 2, state: "deleted" }) });
  assert.equal(count(), 1);
  store.apply({ type: "read.updated", conversation_id: "c1", user: ana, seq: 4 });
  assert.equal(count(), 1, "read is not played");
  assert.equal(store.notePlayback("elsewhere", { ...unheard, played: true }), false);
});

test("who played one's own message is told once, and not forgotten when the message comes again", () => {
  const store = storeOfAna();
  store.mergePage("c1", [message(1, { sender: ana, played_by: [], played_count: 0 })], true);
  for (let i = 0; i < 2; i += 1) store.apply({ type: "played", conversation_id: "c1", message_id: "m1", user: ben });
  store.mergePage("c1", [message(1, { sender: ana, played_by: [], played_count: 0 })], true);
  assert.deepEqual(store.message("m1")?.played_by, [ben]);
  assert.equal(store.message("m1")?.played_count, 1);
});

test("a receipt says the least that is true of all others", () => {
  const member = (/** @type {typeof ana} */ user, /** @type {number} */ delivered_seq, /** @type {number} */ read_seq) => ({
    user,
    role: /** @type {const} */ ("member"),
    delivered_seq,
    read_seq,
  });
  const of = (/** @type {ReturnType<typeof member>[]} */ ...members) =>
    receipt(conversation({ members: [member(ana, 9, 9), ...members] }), message(5, { sender: ana }), ana.id);
  assert.equal(of(member(ben, 4, 4)), "sent");
  assert.equal(of(member(ben, 5, 0)), "delivered");
  assert.equal(of(member(ben, 5, 5), member(cleo, 5, 4)), "delivered");
  assert.equal(of(member(ben, 5, 5), member(cleo, 4, 0)), "sent");
  assert.equal(of(member(ben, 5, 5), member(cleo, 6, 6)), "read");
  assert.equal(of(), "sent");
});
