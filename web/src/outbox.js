import { ApiError } from "./api.js";
import { backoff } from "./backoff.js";

/** @typedef {import("./outbox-store.js").Entry} Entry */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {Pick<import("./outbox-store.js").OutboxStore, "put" | "addPiece" | "list" | "blob" | "remove">} Storage */

/**
 * A recording that is not yet with the server.
 * @typedef {object} Item
 * @property {Entry} entry
 * @property {Blob | null} blob    null while it is being recorded
 * @property {"recording" | "draft" | "sending" | "waiting" | "failed"} status
 * @property {number} progress     0..1, of the bytes
 * @property {ApiError | null} error
 */

/**
 * What the outbox needs from outside.
 * @typedef {object} Means
 * @property {Storage} storage
 * @property {(item: Item, onProgress: (share: number) => void) => Promise<Message | { id: string, state: "processing" }>} send
 * @property {(id: string) => Promise<Message>} fetchMessage
 * @property {(ms: number) => Promise<void>} wait
 * @property {() => number} random
 * @property {(clientId: string) => Promise<(() => void) | null>} lock   exclusive over the tabs of one browser; null when
 *   another tab has it
 */

/**
 * Sees to it that a recording that was made is delivered exactly once: it is stored before it is sent, sent again until
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
  /** @type {Set<string>} */
  #delivering = new Set();
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

  /** Takes up what an earlier page of this person left behind. @param {string} userId */
  async restore(userId) {
    this.userId = userId;
    const entries = await this.#means.storage.list(userId).catch(() => []);
    for (const entry of entries) {
      if (this.#items.has(entry.client_id) || !(await this.#lock(entry.client_id))) continue;
      const blob = await this.#means.storage.blob(entry);
      if (blob.size === 0) {
        await this.discard(entry.client_id);
        continue;
      }
      this.#set({ entry, blob, status: entry.state === "queued" ? "sending" : "draft", progress: 0, error: null });
      if (entry.state === "queued") this.#deliver(entry.client_id);
    }
  }

  /** A recording begins. @param {Entry} entry */
  async begin(entry) {
    this.#set({ entry, blob: null, status: "recording", progress: 0, error: null });
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
    await this.#means.storage.addPiece(clientId, index, piece).catch(() => {});
  }

  /**
   * A recording or a chosen file is complete: `queued` to be sent, `recording` to be kept until its maker decides.
   * @param {Entry} entry
   * @param {Blob} blob
   */
  async complete(entry, blob) {
    // Its maker signed out while it was recorded: it waits in storage for them.
    if (entry.user_id !== this.userId) return this.#store(entry);
    const isNew = !this.#items.has(entry.client_id);
    this.#set({ entry, blob, status: entry.state === "queued" ? "sending" : "draft", progress: 0, error: null });
    if (isNew) {
      await this.#lock(entry.client_id);
      await this.addPiece(entry.client_id, 0, blob);
    }
    await this.#store(entry);
    if (entry.state === "queued") await this.#deliver(entry.client_id);
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

  /** @param {string} clientId */
  async discard(clientId) {
    if (this.#items.delete(clientId)) this.#tell();
    this.#wakes.get(clientId)?.();
    await this.#means.storage.remove(clientId).catch(() => {});
    this.#locks.get(clientId)?.();
    this.#locks.delete(clientId);
  }

  /** The person signed out: what is stored stays for the next time. */
  leave() {
    this.userId = null;
    const clientIds = [...this.#items.keys()];
    this.#items.clear();
    for (const clientId of clientIds) {
      this.#wakes.get(clientId)?.();
      this.#locks.get(clientId)?.();
    }
    this.#locks.clear();
    this.#tell();
  }

  /** @param {string} clientId */
  async #deliver(clientId) {
    if (this.#delivering.has(clientId)) return;
    this.#delivering.add(clientId);
    try {
      for (let attempt = 0; this.#items.has(clientId); attempt += 1) {
        const error = await this.#tryOnce(clientId);
        if (!error || !this.#items.has(clientId)) return;
        if (!error.passing) {
          this.#update(clientId, { status: "failed", error });
          return;
        }
        this.#update(clientId, { status: "waiting", error });
        await this.#pause(clientId, error.retryAfterMs ?? backoff(attempt, this.#means.random));
      }
    } finally {
      this.#delivering.delete(clientId);
    }
  }

  /**
   * @param {string} clientId
   * @returns {Promise<ApiError | null>} null when the server has it
   */
  async #tryOnce(clientId) {
    const item = this.#update(clientId, { status: "sending", progress: 0, error: null });
    try {
      const answer = await this.#means.send(item, (progress) => this.#update(clientId, { progress }));
      const message = answer.state === "processing" ? await this.#follow(clientId, answer.id) : /** @type {Message} */ (answer);
      this.dispatchEvent(new CustomEvent("sent", { detail: message }));
      await this.discard(clientId);
      return null;
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  /**
   * The server has the bytes and is still at work on them.
   * @param {string} clientId
   * @param {string} messageId
   * @returns {Promise<Message>}
   */
  async #follow(clientId, messageId) {
    for (let attempt = 0; ; attempt += 1) {
      const message = await this.#means.fetchMessage(messageId);
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

  /** @param {string} clientId */
  async #lock(clientId) {
    const release = await this.#means.lock(clientId);
    if (release) this.#locks.set(clientId, release);
    return release !== null;
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

/**
 * A lock over the tabs of this browser by the Web Locks API. Where that is missing (plain http) every tab gets its lock:
 * the worst that can come of it is a second upload that the server recognises by its `client_id`.
 * @param {string} clientId
 * @returns {Promise<(() => void) | null>}
 */
export function tabLock(clientId) {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve) => {
    navigator.locks.request(`voxpost.outbox.${clientId}`, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((/** @type {(value?: unknown) => void} */ release) => resolve(() => release()));
    });
  });
}
