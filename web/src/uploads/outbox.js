import { ApiError } from "../api.js";
import { backoff } from "../backoff.js";
import { Rate } from "./rate.js";

/** @typedef {import("./journal.js").Begun} Begun */
/** @typedef {import("./journal.js").Entry} Entry */
/** @typedef {import("../types.js").Message} Message */
/** @typedef {Pick<import("./journal.js").Journal, "put" | "note" | "get" | "append" | "appendFile" | "list" | "blob" | "remove">} Storage */

/**
 * A recording or a chosen file that is not yet with the server.
 * @typedef {object} Item
 * @property {Entry} entry
 * @property {Blob | null} blob    null while it is being recorded
 * @property {"recording" | "draft" | "storing" | "queued" | "sending" | "finishing" | "waiting" | "failed"} status   `queued`:
 *   others go first; `finishing`: all bytes are on their way or there
 * @property {number} sent_bytes   that have gone out
 * @property {number | null} bytes_per_second
 * @property {number | null} left_ms
 * @property {ApiError | null} error
 */

/**
 * What whoever sends an item tells the outbox, and has from it.
 * @typedef {object} Hooks
 * @property {AbortSignal} signal                     its reason is `cancelled` or `left`
 * @property {() => void} queued                      it waits for its turn
 * @property {(bytes: number) => void} sending        so many bytes have gone out
 * @property {(error: ApiError | null) => void} waiting   to try again after an error; null: for the server, which is at work
 * @property {(begun: Begun | null) => Promise<void>} remember   where the upload is, for the next page; resolves when it is kept
 * @property {(ms: number) => Promise<void>} pause    ends early when the network is back or the person is impatient
 */

/**
 * What the outbox needs from outside.
 * @typedef {object} Means
 * @property {Storage} storage
 * @property {(item: Item, hooks: Hooks) => Promise<Message | { id: string, state: "processing" }>} send
 * @property {(url: string) => Promise<void>} end     an upload that was begun and is not wanted any more
 * @property {(entry: Entry) => void} [drop]          a recording that the server may have a part of, and that is not wanted any more
 * @property {(id: string) => Promise<Message>} fetchMessage
 * @property {(ms: number) => Promise<void>} wait
 * @property {() => number} now                       ms on a clock that only goes forward
 * @property {() => number} random
 * @property {(clientId: string, wait?: boolean) => Promise<(() => void) | null>} lock   exclusive over the tabs of one browser;
 *   null when another tab has it, unless that one is waited for
 */

/** An item about whose way nothing is known yet. */
const AT_REST = { sent_bytes: 0, bytes_per_second: null, left_ms: null, error: null };

/**
 * Sees to it that what was recorded or chosen is delivered exactly once: it is stored before it is sent, sent again until
 * the server answers, always under the same `client_id`, and forgotten only when the server has it or its maker says so.
 * Tells of changes by the events `change` and `sent` (`detail` is the message).
 */
export class Outbox extends EventTarget {
  /** Whose recordings these are; null while nobody is signed in. @type {string | null} */
  userId = null;
  /** @type {Map<string, Item>} */
  #items = new Map();
  /** @type {Map<string, () => void>} Releases of the locks that are held. */
  #locks = new Map();
  /** @type {Map<string, () => void>} Ends a wait before its time. */
  #wakes = new Map();
  /** @type {Map<string, string>} Why the server refused what it was still at work on. */
  #refusals = new Map();
  /** @type {Map<string, AbortController>} Of those that are being delivered. */
  #delivering = new Map();
  /** @type {Set<string>} Those that another tab has, and whose end is awaited. */
  #elsewhere = new Set();
  /** The end of the last file that is copied. */
  #storing = Promise.resolve();
  #means;

  /** @param {Means} means */
  constructor(means) {
    super();
    this.#means = means;
  }

  /** @param {string} conversationId */
  of(conversationId) {
    return [...this.#items.values()].filter(({ entry }) => entry.conversation_id === conversationId);
  }

  /** @param {string} clientId */
  get(clientId) {
    return this.#items.get(clientId) ?? null;
  }

  get size() {
    return this.#items.size;
  }

  /**
   * Takes up what an earlier page of this person left behind. What another tab is at work on is left to it, and taken up
   * when that tab ends without having delivered it.
   * @param {string} userId
   */
  async restore(userId) {
    this.userId = userId;
    const entries = await this.#means.storage.list(userId).catch(() => []);
    for (const { client_id } of entries) {
      if (this.#items.has(client_id) || this.#elsewhere.has(client_id)) continue;
      if (await this.#lock(client_id)) await this.#takeUp(client_id);
      else this.#takeUpLater(client_id);
    }
  }

  /** A recording begins. @param {Entry} entry */
  async begin(entry) {
    this.#set({ ...AT_REST, entry, blob: null, status: "recording" });
    await this.#lock(entry.client_id);
    await this.#store(entry);
  }

  /**
   * One more piece of a running recording.
   * @param {string} clientId
   * @param {number} index
   * @param {Blob} piece
   */
  async addPiece(clientId, index, piece) {
    await this.#means.storage.append(clientId, index, piece).catch(() => {});
  }

  /**
   * A recording is complete: `queued` to be sent, `recording` to be kept until its maker decides.
   * @param {Entry} entry
   * @param {Blob} blob
   */
  async complete(entry, blob) {
    // Its maker signed out while it was recorded: it waits in storage for them.
    if (entry.user_id !== this.userId) return this.#store(entry);
    this.#set({ ...AT_REST, entry, blob, status: entry.state === "queued" ? "sending" : "draft" });
    await this.#store(entry);
    if (entry.state === "queued") await this.#deliver(entry.client_id);
  }

  /**
   * A chosen file is to be sent. It is copied first: the original may change, or be on a stick that is pulled.
   * @param {Entry} entry
   * @param {Blob} file
   */
  async attach(entry, file) {
    const { client_id } = entry;
    const queued = { ...entry, attached: true, state: /** @type {const} */ ("queued") };
    this.#set({ ...AT_REST, entry: queued, blob: file, status: "storing" });
    // One after the other, so that the order in which they were chosen stays theirs.
    const stored = this.#storing.then(() => this.#copy(queued, file));
    this.#storing = stored;
    await stored;
    if (this.#items.has(client_id)) await this.#deliver(client_id);
  }

  /** What the server calls a recording that goes up packet by packet. @param {string} clientId @param {string} messageId */
  async noteMessage(clientId, messageId) {
    const item = this.#items.get(clientId);
    if (!item?.entry.live || item.entry.live.message_id === messageId) return;
    const live = { ...item.entry.live, message_id: messageId };
    item.entry = { ...item.entry, live };
    await this.#means.storage.note(clientId, { live }).catch(() => {});
  }

  /** Its maker says: send it (again). @param {string} clientId */
  async sendNow(clientId) {
    const item = this.#items.get(clientId);
    if (!item?.blob) return;
    this.#wakes.get(clientId)?.();
    item.entry = { ...item.entry, state: "queued" };
    await this.#store(item.entry);
    await this.#deliver(clientId);
  }

  /**
   * The server, which had taken the bytes, refused them after all.
   * @param {string} clientId
   * @param {string} code
   */
  refused(clientId, code) {
    this.#refusals.set(clientId, code);
    this.#wakes.get(clientId)?.();
  }

  /** The network is back: end all waiting. */
  wake() {
    for (const wake of this.#wakes.values()) wake();
  }

  /** Its maker does not want it any more, here or at the server. @param {string} clientId */
  async discard(clientId) {
    const entry = this.#items.get(clientId)?.entry;
    const begun = entry?.upload;
    if (entry?.live) this.#means.drop?.(entry);
    if (!this.#stop(clientId, "cancelled") && begun) this.#means.end(begun.url);
    await this.#forget(clientId);
  }

  /** Its maker does not want it to be sent now: a recording is kept, a file is still where it came from. @param {string} clientId */
  async cancel(clientId) {
    const item = this.#items.get(clientId);
    if (!item || item.entry.attached) return this.discard(clientId);
    this.#stop(clientId, "cancelled");
    const entry = { ...item.entry, state: /** @type {const} */ ("recording"), upload: null };
    this.#set({ ...item, ...AT_REST, entry, status: "draft" });
    await this.#store(entry);
  }

  /** Whether there was anything to be stopped. @param {string} clientId @param {"cancelled" | "left"} why */
  #stop(clientId, why) {
    const controller = this.#delivering.get(clientId);
    this.#delivering.delete(clientId);
    controller?.abort(why);
    return controller !== undefined;
  }

  /** @param {string} clientId */
  async #forget(clientId) {
    if (this.#items.delete(clientId)) this.#tell();
    this.#wakes.get(clientId)?.();
    await this.#means.storage.remove(clientId).catch(() => {});
    this.#unlock(clientId);
  }

  /** The person signed out: what is stored stays for the next time. */
  leave() {
    this.userId = null;
    const clientIds = [...this.#items.keys()];
    this.#items.clear();
    for (const clientId of clientIds) {
      this.#stop(clientId, "left");
      this.#wakes.get(clientId)?.();
      this.#locks.get(clientId)?.();
    }
    this.#locks.clear();
    this.#tell();
  }

  /** @param {Entry} entry @param {Blob} file */
  async #copy(entry, file) {
    const { client_id } = entry;
    const { storage } = this.#means;
    const wanted = () => this.#items.has(client_id) || entry.user_id !== this.userId;
    if (!wanted()) return;
    await this.#lock(client_id);
    try {
      await storage.put({ ...entry, state: "storing" });
      await storage.appendFile(client_id, file);
      if (wanted()) await storage.put(entry);
      else await storage.remove(client_id);
      const blob = await storage.blob(entry);
      if (blob.size === file.size && this.#items.has(client_id)) this.#update(client_id, { blob });
    } catch {
      // A private window, a full disk: it goes from where it is, as long as this page lasts.
      await storage.remove(client_id).catch(() => {});
    }
    if (!this.#items.has(client_id)) this.#unlock(client_id);
  }

  /** This tab has the lock. @param {string} clientId */
  async #takeUp(clientId) {
    const { storage } = this.#means;
    const entry = await storage.get(clientId).catch(() => undefined);
    if (!entry || entry.user_id !== this.userId) return this.#unlock(clientId);
    const blob = await storage.blob(entry);
    if (entry.state === "storing") {
      // The page ended while the file was copied: the rest of it is only where it came from.
      return this.#set({ ...AT_REST, entry, blob, status: "failed", error: new ApiError("file_incomplete", 400) });
    }
    if (blob.size === 0) return this.#forget(clientId);
    const queued = entry.state === "queued";
    this.#set({ ...AT_REST, entry, blob, sent_bytes: entry.upload?.offset ?? 0, status: queued ? "sending" : "draft" });
    if (queued) this.#deliver(clientId);
  }

  /** @param {string} clientId */
  async #takeUpLater(clientId) {
    this.#elsewhere.add(clientId);
    await this.#lock(clientId, true);
    this.#elsewhere.delete(clientId);
    await this.#takeUp(clientId);
  }

  /** @param {string} clientId */
  async #deliver(clientId) {
    if (this.#delivering.has(clientId)) return;
    const controller = new AbortController();
    const { signal } = controller;
    this.#delivering.set(clientId, controller);
    try {
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        const error = await this.#tryOnce(clientId, signal);
        if (!error || signal.aborted) return;
        if (!error.passing) {
          this.#update(clientId, { status: "failed", error });
          return;
        }
        this.#update(clientId, { status: "waiting", error });
        await this.#pause(clientId, error.retryAfterMs ?? backoff(attempt, this.#means.random));
      }
    } finally {
      if (this.#delivering.get(clientId) === controller) this.#delivering.delete(clientId);
    }
  }

  /**
   * @param {string} clientId
   * @param {AbortSignal} signal
   * @returns {Promise<ApiError | null>} null when the server has it
   */
  async #tryOnce(clientId, signal) {
    const item = this.#update(clientId, { status: "sending", error: null });
    try {
      const answer = await this.#means.send(item, this.#hooks(clientId, item.blob?.size ?? 0, signal));
      const message = answer.state === "processing" ? await this.#follow(clientId, answer.id, signal) : /** @type {Message} */ (answer);
      if (signal.aborted) return null;
      this.dispatchEvent(new CustomEvent("sent", { detail: message }));
      await this.#forget(clientId);
      return null;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  /**
   * @param {string} clientId
   * @param {number} total
   * @param {AbortSignal} signal
   * @returns {Hooks}
   */
  #hooks(clientId, total, signal) {
    const rate = new Rate();
    /** @param {Partial<Item>} change */
    const update = (change) => {
      if (!signal.aborted) this.#update(clientId, change);
    };
    return {
      signal,
      queued: () => update({ status: "queued" }),
      sending: (bytes) => {
        rate.handleBytes(this.#means.now(), bytes);
        const { bytes_per_second } = rate;
        const status = bytes < total ? "sending" : "finishing";
        update({ status, error: null, sent_bytes: bytes, bytes_per_second, left_ms: rate.left_ms(total) });
      },
      waiting: (error) => {
        rate.handleBreak();
        update({ status: error ? "waiting" : "finishing", error, bytes_per_second: null, left_ms: null });
      },
      remember: (upload) => {
        const item = this.#items.get(clientId);
        if (!item || signal.aborted) return Promise.resolve();
        update({ entry: { ...item.entry, upload } });
        return this.#means.storage.note(clientId, { upload }).catch(() => {});
      },
      pause: (ms) => this.#pause(clientId, ms),
    };
  }

  /**
   * The server has the bytes and is still at work on them.
   * @param {string} clientId
   * @param {string} messageId
   * @param {AbortSignal} signal
   * @returns {Promise<Message>}
   */
  async #follow(clientId, messageId, signal) {
    for (let attempt = 0; ; attempt += 1) {
      const message = await this.#means.fetchMessage(messageId);
      if (signal.aborted) return message;
      if (message.state !== "processing") {
        if (message.state === "failed") throw new ApiError(this.#refusals.get(clientId) ?? "audio_corrupt", 422);
        return message;
      }
      await this.#pause(clientId, backoff(attempt, this.#means.random, { most_ms: 5000 }));
    }
  }

  /**
   * @param {string} clientId
   * @param {number} ms
   */
  async #pause(clientId, ms) {
    const woken = new Promise((resolve) => this.#wakes.set(clientId, () => resolve(undefined)));
    await Promise.race([this.#means.wait(ms), woken]);
    this.#wakes.delete(clientId);
  }

  /** @param {string} clientId @param {boolean} [wait] */
  async #lock(clientId, wait) {
    const release = await this.#means.lock(clientId, wait);
    if (release) this.#locks.set(clientId, release);
    return release !== null;
  }

  /** @param {string} clientId */
  #unlock(clientId) {
    this.#locks.get(clientId)?.();
    this.#locks.delete(clientId);
  }

  /** Without storage (a private window, a full disk) the recording is still held in memory. @param {Entry} entry */
  async #store(entry) {
    await this.#means.storage.put(entry).catch(() => {});
  }

  /** @param {Item} item */
  #set(item) {
    this.#items.set(item.entry.client_id, item);
    this.#tell();
  }

  /**
   * @param {string} clientId
   * @param {Partial<Item>} change
   */
  #update(clientId, change) {
    const item = { .../** @type {Item} */ (this.#items.get(clientId)), ...change };
    if (this.#items.has(clientId)) this.#set(item);
    return item;
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
