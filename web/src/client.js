import { Api, ApiError } from "./api.js";
import { backoff } from "./backoff.js";
import { uuid } from "./dom.js";
import { errorText } from "./i18n.js";
import { Hearing } from "./live/hearing.js";
import { Recordings } from "./live/recordings.js";
import { Listening } from "./playback/listening.js";
import { Socket } from "./socket.js";
import { Store } from "./store.js";
import { Typing } from "./typing.js";
import { Delivery } from "./uploads/delivery.js";
import { Journal } from "./uploads/journal.js";
import { tabLock } from "./uploads/lock.js";
import { Outbox } from "./uploads/outbox.js";

/** @typedef {import("./types.js").Config} Config */
/** @typedef {import("./types.js").Me} Me */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").SignedIn} SignedIn */
/** @typedef {import("./types.js").SocketEvent} SocketEvent */
/** @typedef {import("./sync-machine.js").Status} Status */
/**
 * Something to tell the person. `action` is a button on it.
 * @typedef {{ text: string, tone?: "error" | "plain", action?: { label: string, run: () => void } }} Notice
 */

const STORED = "voxpost.session";
const PAGE = 50;
/** What is played elsewhere in one go is counted in one go. */
const COUNT_AFTER_MS = 1000;

/**
 * One person at this page: owns the connection and the state, and is what the elements talk to. Events: `session` (signed
 * in or out), `status` (of the connection), `notice` (`detail` is a Notice), `me` (own profile changed), `progress` (of a recording).
 */
export class Client extends EventTarget {
  api = new Api();
  store = new Store();
  socket = new Socket();
  typing = new Typing();
  #delivery = new Delivery(() => this.api.token ?? "");
  recordings = new Recordings({
    token: () => this.api.token ?? "",
    keep: (clientId, index, piece) => void this.outbox.addPiece(clientId, index, piece),
    opened: (clientId, messageId) => void this.outbox.noteMessage(clientId, messageId),
    fetchMessage: (id) => this.api.message(id),
    deleteMessage: (id) => this.api.deleteMessage(id),
    left: ({ live: _, ...entry }, rest) =>
      void this.outbox.attach({ ...entry, client_id: uuid(), type: rest.type, filename: "voice.ogg", upload: null }, rest),
  });
  hearing = new Hearing({
    token: () => this.api.token ?? "",
    url: async (id) => (await this.api.audioUrl(id)).url,
    ready: (message, position_ms) => void this.player.seek(message, position_ms).then(() => this.player.play(message)),
  });
  outbox = new Outbox({
    storage: new Journal(),
    send: (item, hooks) => this.#whileSignedIn(item.entry.live ? this.recordings.send(item, hooks) : this.#delivery.send(item, hooks)),
    drop: (entry) => void this.recordings.discard(entry),
    end: (url) => this.#delivery.end(url),
    fetchMessage: (id) => this.api.message(id),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: () => performance.now(),
    random: Math.random,
    lock: tabLock,
  });
  #listening;
  player;
  positions;
  /** @type {Config | null} */
  config = null;
  /** @type {Me | null} */
  me = null;
  /** @type {Status} */
  status = "connecting";
  /** Pictures of own recordings until the server's waveform is there, by client_id. @type {Map<string, number[]>} */
  ownLevels = new Map();
  /** @type {Set<string>} Conversations whose next older page is on its way. */
  #loading = new Set();
  /** @type {Map<string, number>} What was told to the server as read. */
  #read = new Map();
  /** The names of one's own devices. @type {Promise<Map<string, string>> | null} */
  #devices = null;
  #deviceId = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #counting;

  /** @param {HTMLAudioElement} audio */
  constructor(audio) {
    super();
    this.#listening = new Listening(audio, this.api, this.store, (id) => this.loadOlder(id));
    this.player = this.#listening.player;
    this.positions = this.#listening.positions;
    this.#listening.addEventListener("uncounted", () => this.#countAgain());
    this.api.onUnauthenticated = () => this.#forget("unauthenticated");
    this.socket.onStatus = (status) => this.#statusChanged(status);
    this.socket.onEvent = (event) => this.#eventCame(event);
    this.socket.onList = () => this.#listAll();
    this.socket.onRefused = () => void this.api.me().catch(() => {});
    this.outbox.addEventListener("sent", (event) => this.store.mergeMessage(/** @type {CustomEvent} */ (event).detail));
    this.store.addEventListener("stale", (event) => this.#refetch(/** @type {CustomEvent} */ (event).detail));
    // Another tab of the same browser signed in or out.
    addEventListener("storage", ({ key }) => key === STORED && this.#resume());
    addEventListener("online", () => this.outbox.wake());
    // What another tab took on since, and left behind.
    addEventListener("focus", () => this.me && this.outbox.restore(this.me.id));
  }

  /** Takes up the session that is stored, if any. */
  async start() {
    await this.loadConfig();
    await this.#resume();
  }

  async loadConfig() {
    this.config = await this.api.config().catch(() => null);
    return this.config;
  }

  /** @param {SignedIn} answer */
  async signedIn({ token, user, device_id }) {
    localStorage.setItem(STORED, JSON.stringify({ token, user_id: user.id, device_id }));
    await this.#resume();
  }

  async signOut() {
    this.player.stop();
    await this.api.signOut().catch(() => {});
    this.#forget();
  }

  /** @param {Partial<Me>} change */
  async changeMe(change) {
    this.me = await this.api.changeMe(change);
    this.#tell("me");
  }

  async deleteAccount() {
    await this.api.deleteMe();
    this.#forget();
  }

  /** What a device of one's own is called; null when it has no name, is gone, or is this one. @param {string | null} deviceId */
  async deviceName(deviceId) {
    if (!deviceId || deviceId === this.#deviceId) return null;
    this.#devices ??= this.api.sessions().then(({ items }) => new Map(items.map((item) => [item.device_id, item.device_name ?? ""])));
    const names = await this.#devices.catch(() => (this.#devices = null));
    return names?.get(deviceId) || null;
  }

  /** @param {Notice} notice */
  notify(notice) {
    this.#tell("notice", notice);
  }

  /** Tells what went wrong, if anything did. @param {Promise<unknown>} work */
  async attempt(work) {
    try {
      await work;
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.notify({ text: errorText(error.code), tone: "error" });
      return false;
    }
  }

  /**
   * Starts talking: with one person, or in a new group when there is a title.
   * @param {string[]} usernames
   * @param {string} [title]
   */
  async startConversation(usernames, title) {
    const conversation = await this.api.createConversation({
      kind: title ? "group" : "direct",
      members: usernames,
      client_id: uuid(),
      ...(title ? { title } : {}),
    });
    this.store.mergeConversation(conversation);
    return conversation;
  }

  /** Loads the newest messages, or the page before those that are there. @param {string} conversationId */
  async loadOlder(conversationId) {
    const stretch = this.store.stretch(conversationId);
    if (stretch?.complete || this.#loading.has(conversationId)) return;
    this.#loading.add(conversationId);
    try {
      while (!(await this.#loadPage(conversationId)));
    } finally {
      this.#loading.delete(conversationId);
    }
  }

  /**
   * False when everything was listed anew meanwhile, so that the page has no place any more.
   * @param {string} conversationId
   */
  async #loadPage(conversationId) {
    const { generation } = this.store;
    this.store.beginPage(conversationId);
    const before = this.store.stretch(conversationId)?.items[0]?.seq ?? undefined;
    const { items } = await this.api.messages(conversationId, { before, limit: PAGE });
    if (generation !== this.store.generation) return false;
    this.store.mergePage(conversationId, items, items.length < PAGE);
    return true;
  }

  /** The person has this conversation before their eyes. @param {string} conversationId */
  markRead(conversationId) {
    const conversation = this.store.conversation(conversationId);
    const seq = conversation?.last_seq ?? 0;
    const own = conversation?.members.find(({ user }) => user.id === this.me?.id)?.read_seq ?? 0;
    if (seq <= Math.max(own, this.#read.get(conversationId) ?? 0)) return;
    this.#read.set(conversationId, seq);
    this.api.markRead(conversationId, seq).then(
      () => this.store.apply({ type: "read.updated", conversation_id: conversationId, user: this.me, seq }),
      () => this.#read.delete(conversationId),
    );
  }

  /** @param {Message} message */
  async deleteMessage(message) {
    this.player.stop(message.id);
    await this.api.deleteMessage(message.id);
  }

  async #resume() {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? "null");
    if (stored?.token === this.api.token) return;
    if (this.api.token) this.#close();
    if (!stored) return this.#tell("session");
    this.api.token = stored.token;
    const me = await this.#whoAmI();
    if (!me) return this.#forget();
    this.me = me;
    this.store.me = me.id;
    this.#deviceId = stored.device_id ?? (await this.#ownDevice());
    if (stored.token !== this.api.token) return;
    this.socket.start(stored.token);
    this.#tell("session");
    await Promise.all([this.outbox.restore(me.id), this.#listening.start(me.id, this.#deviceId)]);
  }

  /** Sessions from before devices were remembered do not know theirs. */
  async #ownDevice() {
    const page = await this.api.sessions().catch(() => null);
    return page?.items.find(({ current }) => current)?.device_id ?? uuid();
  }

  /** Whose session it is; null when it is over. A server that is away for a moment is waited for. */
  async #whoAmI() {
    const token = this.api.token;
    for (let attempt = 0; this.api.token === token; attempt += 1) {
      try {
        return await this.api.me();
      } catch (error) {
        if (!(error instanceof ApiError) || !error.passing) return null;
        this.#tell("session");
        await new Promise((resolve) => setTimeout(resolve, backoff(attempt, Math.random, { most_ms: 5000 })));
      }
    }
    return null;
  }

  /** The session is over: nothing of it stays but recordings that wait for their maker. @param {string} [code] */
  #forget(code) {
    if (!this.api.token) return;
    localStorage.removeItem(STORED);
    this.#close();
    this.#tell("session");
    if (code) this.notify({ text: errorText(code), tone: "error" });
  }

  #close() {
    clearTimeout(this.#counting);
    this.#devices = null;
    this.#listening.stop();
    this.api.token = null;
    this.me = null;
    this.socket.stop();
    this.outbox.leave();
    this.recordings.leave();
    this.hearing.stop();
    this.#read.clear();
    this.store.clear();
  }

  /** @template T @param {Promise<T>} work */
  async #whileSignedIn(work) {
    try {
      return await work;
    } catch (error) {
      if (error instanceof ApiError && error.code === "unauthenticated") this.api.onUnauthenticated();
      throw error;
    }
  }

  async #listAll() {
    const list = this.store.beginList();
    this.store.replaceAll(await this.#list(), list);
  }

  /** Something was played on another device, in a conversation that is not loaded here. */
  #countAgain() {
    clearTimeout(this.#counting);
    this.#counting = setTimeout(async () => {
      for (const conversation of await this.#list().catch(() => [])) this.store.mergeConversation(conversation);
    }, COUNT_AFTER_MS);
  }

  async #list() {
    /** @type {import("./types.js").Conversation[]} */
    const all = [];
    /** @type {string | null} */
    let next = null;
    do {
      const page = await this.api.conversations(next);
      all.push(...page.items);
      next = page.next;
    } while (next);
    return all;
  }

  /** @param {string} conversationId */
  async #refetch(conversationId) {
    try {
      this.store.mergeConversation(await this.api.conversation(conversationId));
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_found") this.store.removeConversation(conversationId);
    }
  }

  /** @param {Status} status */
  #statusChanged(status) {
    this.status = status;
    if (status === "live") {
      this.outbox.wake();
      this.#listening.live();
    }
    this.#tell("status", status);
  }

  /** @param {SocketEvent} event */
  #eventCame(event) {
    if (event.type === "typing") return this.typing.saw(event.conversation_id ?? "", event.user);
    if (event.type === "message.failed") return this.outbox.refused(event.message.client_id, event.problem.code);
    if (event.type === "recording.progress") return this.#recordingCame(event);
    if (event.type.startsWith("message.") && event.message) this.hearing.saw(event.message);
    if (event.message && event.message.state !== "recording") this.typing.ended(event.message.conversation_id, event.message.sender.id);
    if (this.#listening.apply(event)) return;
    this.store.apply(event);
  }

  /** @param {SocketEvent} event */
  #recordingCame(event) {
    const user = this.store.conversation(event.conversation_id ?? "")?.members.find(({ user }) => user.id === event.user_id)?.user;
    if (user && user.id !== this.store.me) {
      if (event.state === "recording") this.typing.saw(event.conversation_id ?? "", user);
      else this.typing.ended(event.conversation_id ?? "", user.id);
    }
    this.#tell("progress", event);
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
