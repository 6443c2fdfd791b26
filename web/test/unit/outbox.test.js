import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../src/api.js";
import { Outbox } from "../../src/uploads/outbox.js";
import { message } from "./fixtures.js";

/** @typedef {import("../../src/uploads/journal.js").Entry} Entry */

/** What Journal does, in memory. */
class MemoryStorage {
  /** @type {Map<string, Entry>} */
  entries = new Map();
  /** @type {Map<string, Blob[]>} */
  pieces = new Map();
  put = async (/** @type {Entry} */ entry) => void this.entries.set(entry.client_id, structuredClone(entry));
  get = async (/** @type {string} */ id) => structuredClone(this.entries.get(id));
  note = async (/** @type {string} */ id, /** @type {Partial<Entry>} */ change) => {
    const held = this.entries.get(id);
    if (held) this.entries.set(id, { ...held, ...structuredClone(change) });
  };
  appendFile = async (/** @type {string} */ id, /** @type {Blob} */ blob) => this.append(id, 0, blob);
  append = async (/** @type {string} */ id, /** @type {number} */ index, /** @type {Blob} */ blob) => {
    const list = this.pieces.get(id) ?? [];
    list[index] = blob;
    this.pieces.set(id, list);
  };
  list = async (/** @type {string} */ user) => [...this.entries.values()].filter(({ user_id }) => user_id === user);
  blob = async (/** @type {Entry} */ { client_id }) => new Blob(this.pieces.get(client_id) ?? []);
  remove = async (/** @type {string} */ id) => {
    this.entries.delete(id);
    this.pieces.delete(id);
  };
}

/**
 * @param {Partial<Entry>} [change]
 * @returns {Entry}
 */
const entry = (change = {}) => ({
  client_id: "x1",
  user_id: "ana",
  conversation_id: "c1",
  state: "queued",
  type: "audio/webm",
  filename: "voice.webm",
  duration_ms: 4000,
  levels: [],
  created_at: "2026-01-01T10:00:00.000Z",
  ...change,
});

const sound = new Blob(["sound"]);

/** An outbox whose server answers with `answers` one after the other, and that never really waits. */
function outboxWith(/** @type {(ApiError | ReturnType<typeof message> | { id: string, state: "processing" })[]} */ answers, storage = new MemoryStorage(), send = /** @type {import("../../src/uploads/outbox.js").Means["send"] | null} */ (null)) {
  /** @type {string[]} */
  const sent = [];
  /** @type {number[]} */
  const waits = [];
  /** @type {Set<string>} */
  const locked = new Set();
  /** @type {(() => void)[]} Tabs that wait for another one to end. */
  const waiting = [];
  /** @type {string[]} */
  const ended = [];
  /** @type {ReturnType<typeof message>[]} */
  const fetched = [];
  const outbox = new Outbox({
    storage,
    send: async (item, hooks) => {
      if (send) return send(item, hooks);
      const { entry, blob } = item;
      sent.push(`${entry.client_id}:${await blob?.text()}`);
      const answer = answers.shift();
      if (!answer || answer instanceof ApiError) throw answer ?? new Error("sent too often");
      return answer;
    },
    fetchMessage: async () => fetched.shift() ?? message(1),
    wait: async (ms) => void waits.push(ms),
    end: async (url) => void ended.push(url),
    now: () => 0,
    random: () => 1,
    lock: async (id, wait) => {
      if (locked.has(id) && !wait) return null;
      if (locked.has(id)) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
      locked.add(id);
      return () => locked.delete(id);
    },
  });
  outbox.userId = "ana";
  return { outbox, storage, sent, waits, locked, waiting, ended, fetched };
}

test("a recording is stored before it is sent and forgotten when the server has it", async () => {
  const { outbox, storage, sent, locked } = outboxWith([message(1)]);
  const delivered = outbox.attach(entry(), sound);
  assert.equal(outbox.get("x1")?.status, "storing");
  await delivered;
  assert.deepEqual(sent, ["x1:sound"]);
  assert.equal(outbox.size, 0);
  assert.equal(storage.entries.size + storage.pieces.size + locked.size, 0);
});

test("while the network is away it tries again under the same id, later each time", async () => {
  const away = () => new ApiError("network", 0);
  const { outbox, sent, waits } = outboxWith([away(), away(), new ApiError("unavailable", 503, "", 7000), message(1)]);
  await outbox.attach(entry(), sound);
  assert.deepEqual(sent, ["x1:sound", "x1:sound", "x1:sound", "x1:sound"]);
  assert.deepEqual(waits, [500, 1000, 7000], "the server's Retry-After counts");
});

test("what the server refuses is kept for its maker, who may try again or discard it", async () => {
  const { outbox, storage, sent } = outboxWith([new ApiError("voice_not_accepted", 403), new ApiError("forbidden", 403)]);
  await outbox.attach(entry(), sound);
  assert.equal(outbox.get("x1")?.status, "failed");
  assert.equal(outbox.get("x1")?.error?.code, "voice_not_accepted");
  await outbox.sendNow("x1");
  assert.equal(sent.length, 2);
  assert.equal(storage.entries.size, 1, "still stored");
  await outbox.discard("x1");
  assert.equal(storage.entries.size + storage.pieces.size, 0);
});

test("a page that comes back sends what was queued and asks about what was only recorded", async () => {
  const storage = new MemoryStorage();
  await storage.put(entry());
  await storage.append("x1", 0, new Blob(["so"]));
  await storage.append("x1", 1, new Blob(["und"]));
  await storage.put(entry({ client_id: "x2", state: "recording" }));
  await storage.append("x2", 0, sound);
  await storage.put(entry({ client_id: "x3", user_id: "ben" }));
  await storage.append("x3", 0, sound);
  const { outbox, sent } = outboxWith([message(1), message(2)], storage);
  const arrived = new Promise((resolve) => outbox.addEventListener("sent", resolve, { once: true }));
  await outbox.restore("ana");
  await arrived;
  assert.deepEqual(sent, ["x1:sound"]);
  assert.equal(outbox.get("x2")?.status, "draft");
  assert.equal(outbox.get("x3"), null, "another person's recording stays unseen");
  await outbox.sendNow("x2");
  assert.deepEqual(sent, ["x1:sound", "x2:sound"]);
});

/** An outbox beside another tab that has the only entry. */
async function besideAnotherTab() {
  const storage = new MemoryStorage();
  await storage.put(entry());
  await storage.append("x1", 0, sound);
  const made = outboxWith([message(1)], storage);
  made.locked.add("x1");
  await made.outbox.restore("ana");
  await made.outbox.restore("ana");
  assert.equal(made.outbox.size, 0);
  assert.equal(made.waiting.length, 1, "it waits once");
  return made;
}

test("what another tab is at work on is left to it, and taken up when that tab ends", async () => {
  const { outbox, sent, waiting } = await besideAnotherTab();
  assert.deepEqual(sent, []);
  const arrived = new Promise((resolve) => outbox.addEventListener("sent", resolve, { once: true }));
  waiting[0]();
  await arrived;
  assert.deepEqual(sent, ["x1:sound"]);
});

test("what another tab has delivered is not sent again", async () => {
  const { storage, sent, locked, waiting } = await besideAnotherTab();
  await storage.remove("x1");
  locked.delete("x1");
  waiting[0]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, []);
  assert.equal(locked.size, 0, "and the lock is given back");
});

test("a file whose page ended while it was read is not sent in part; its person is told", async () => {
  const storage = new MemoryStorage();
  await storage.put(entry({ state: "storing", attached: true }));
  await storage.append("x1", 0, new Blob(["so"]));
  const { outbox, sent } = outboxWith([], storage);
  await outbox.restore("ana");
  assert.equal(outbox.get("x1")?.status, "failed");
  assert.equal(outbox.get("x1")?.error?.code, "file_incomplete");
  assert.deepEqual(sent, []);
});

test("a file that is discarded while it is read leaves nothing behind and is not sent", async () => {
  const { outbox, storage, sent, locked } = outboxWith([]);
  const { appendFile } = storage;
  storage.appendFile = async (id, blob) => {
    await outbox.discard(id);
    await appendFile(id, blob);
  };
  await outbox.attach(entry(), sound);
  assert.equal(outbox.size + storage.entries.size + storage.pieces.size + locked.size, 0);
  assert.deepEqual(sent, []);
});

test("a recording of which nothing was stored is not offered", async () => {
  const storage = new MemoryStorage();
  await storage.put(entry({ state: "recording" }));
  const { outbox } = outboxWith([], storage);
  await outbox.restore("ana");
  assert.equal(outbox.size + storage.entries.size, 0);
});

test("an answer that the server is still at work is followed to its end", async () => {
  const { outbox, fetched } = outboxWith([{ id: "m1", state: "processing" }]);
  fetched.push(message(1, { state: "processing" }), message(1, { state: "processing" }), message(1));
  /** @type {any[]} */
  const done = [];
  outbox.addEventListener("sent", (event) => done.push(/** @type {CustomEvent} */ (event).detail.state));
  await outbox.attach(entry(), sound);
  assert.deepEqual(done, ["ready"]);
  assert.equal(outbox.size, 0);
});

test("when the server refuses after all, the reason that it gave is told", async () => {
  const { outbox, fetched } = outboxWith([{ id: "m1", state: "processing" }]);
  fetched.push(message(1, { state: "failed" }));
  outbox.refused("x1", "audio_too_long");
  await outbox.attach(entry(), sound);
  assert.equal(outbox.get("x1")?.status, "failed");
  assert.equal(outbox.get("x1")?.error?.code, "audio_too_long");
});

test("storage that fails does not keep a recording from being sent", async () => {
  const storage = new MemoryStorage();
  storage.put = storage.append = async () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const { outbox, sent } = outboxWith([message(1)], storage);
  await outbox.attach(entry(), sound);
  assert.deepEqual(sent, ["x1:sound"]);
});

test("a recording that was stored piece by piece is not stored again", async () => {
  const { outbox, storage } = outboxWith([new ApiError("audio_empty", 422)]);
  await outbox.begin(entry({ state: "recording" }));
  await outbox.addPiece("x1", 0, new Blob(["so"]));
  await outbox.addPiece("x1", 1, new Blob(["und"]));
  await outbox.complete(entry(), sound);
  assert.equal(await (await storage.blob(entry())).text(), "sound");
  assert.equal(storage.pieces.get("x1")?.length, 2, "not stored twice");
});

test("signing out leaves what is stored, and sends nothing any more", async () => {
  const { outbox, storage, sent } = outboxWith([new ApiError("network", 0)]);
  outbox.addEventListener("change", () => outbox.get("x1")?.status === "waiting" && outbox.leave());
  await outbox.attach(entry(), sound);
  assert.equal(outbox.size, 0);
  assert.equal(sent.length, 1);
  assert.equal(storage.entries.size, 1);
});

test("a recording that ends after its maker signed out waits in storage, unseen by the next person", async () => {
  const { outbox, storage, sent } = outboxWith([]);
  await outbox.begin(entry({ state: "recording" }));
  await outbox.addPiece("x1", 0, sound);
  outbox.leave();
  await outbox.complete(entry({ state: "recording" }), sound);
  await outbox.restore("ben");
  assert.equal(outbox.size, 0);
  assert.deepEqual(sent, []);
  await outbox.restore("ana");
  assert.equal(outbox.get("x1")?.status, "draft");
  assert.equal(await (await storage.blob(entry())).text(), "sound");
});

test("a recording whose sending is cancelled is a draft again, a file is gone; an upload that was begun is ended", async () => {
  for (const attached of [false, true]) {
    /** @type {import("../../src/uploads/outbox.js").Hooks | null} */
    let hooks = null;
    const { outbox, storage } = outboxWith([], undefined, (_item, given) => {
      hooks = given;
      given.remember({ url: "/v1/uploads/u1", offset: 2 });
      given.sending(3);
      return new Promise((_, reject) => given.signal.addEventListener("abort", () => reject(new ApiError("cancelled", 0))));
    });
    const delivered = attached ? outbox.attach(entry(), sound) : outbox.complete(entry(), sound);
    while (!hooks) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(outbox.get("x1")?.sent_bytes, 3);
    await outbox.cancel("x1");
    await delivered;
    assert.equal(/** @type {AbortSignal} */ (/** @type {any} */ (hooks).signal).reason, "cancelled");
    assert.equal(outbox.get("x1")?.status, attached ? undefined : "draft");
    assert.deepEqual([...storage.entries.values()].map(({ state, upload }) => [state, upload]), attached ? [] : [["recording", null]]);
  }
});

test("discarding what was refused ends the upload at the server", async () => {
  const { outbox, ended } = outboxWith([new ApiError("audio_corrupt", 422)]);
  await outbox.complete(entry({ upload: { url: "/v1/uploads/u1", offset: 5 } }), sound);
  assert.equal(outbox.get("x1")?.status, "failed");
  await outbox.discard("x1");
  assert.deepEqual(ended, ["/v1/uploads/u1"]);
});
