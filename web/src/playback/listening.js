import { uuid } from "../dom.js";
import { Loudness } from "../loudness.js";
import { conversationName } from "../names.js";
import { t } from "../i18n.js";
import { nextUnplayed } from "./advance.js";
import { JournalStore } from "./journal-store.js";
import { Player } from "./player.js";
import { Positions } from "./positions.js";
import { PlaybackSettings } from "./settings.js";
import { Sound } from "./sound.js";
import { Tabs } from "./tabs.js";

/** @typedef {import("../api.js").Api} Api */
/** @typedef {import("../store.js").Store} Store */
/** @typedef {import("../types.js").Message} Message */
/** @typedef {import("../types.js").SocketEvent} SocketEvent */

/** What of the changes on other devices was seen, so that a page need not ask for all of them. */
const SEEN = "voxpost.playback.since";

/**
 * All that one person's listening is made of: the player, the positions behind it, the other tabs, and the ways to the server.
 * Event `uncounted`: something was played elsewhere in a conversation whose messages are not loaded.
 */
export class Listening extends EventTarget {
  player;
  positions;
  #tabs = new Tabs();
  #settings = new PlaybackSettings(localStorage);
  #api;
  #store;
  #userId = "";
  /** @type {Promise<void> | null} */
  #catchingUp = null;

  /**
   * @param {HTMLAudioElement} audio
   * @param {Api} api
   * @param {Store} store
   * @param {(conversationId: string) => Promise<void>} load   the newest messages of a conversation
   */
  constructor(audio, api, store, load) {
    super();
    this.#api = api;
    this.#store = store;
    this.positions = new Positions({
      ask: api.playback,
      send: api.reportPlayback,
      journals: new JournalStore(),
      tabs: this.#tabs,
      now: Date.now,
      uuid,
      schedule: (run, ms) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    });
    this.player = new Player({
      sound: new Sound(audio, async (id) => (await api.audioUrl(id)).url),
      loudness: new Loudness(audio),
      positions: this.positions,
      tabs: this.#tabs,
      settings: this.#settings,
      describe: (message) => this.#describe(message),
      next: async (message) => {
        const { conversation_id: id } = message;
        if (!store.stretch(id)) await load(id).catch(() => {});
        return nextUnplayed(store.stretch(id)?.items ?? [], message, store.me);
      },
      neighbour: (message, step) => this.#neighbour(message, step),
    });
    this.positions.addEventListener("summary", (event) => {
      const { id, playback } = /** @type {CustomEvent} */ (event).detail;
      if (!store.notePlayback(id, playback) && playback.played) this.dispatchEvent(new CustomEvent("uncounted"));
    });
    store.addEventListener("messages", () => this.#refresh());
    addEventListener("online", () => this.positions.online());
    addEventListener("pagehide", () => this.player.hide());
    document.addEventListener("visibilitychange", () => document.hidden && this.player.hide());
  }

  /**
   * @param {string} userId
   * @param {string} deviceId
   */
  start(userId, deviceId) {
    this.#userId = userId;
    this.#settings.load(userId);
    this.#tabs.join(userId);
    return this.positions.start(userId, deviceId);
  }

  stop() {
    this.#userId = "";
    this.player.stop();
    this.positions.stop();
    this.#tabs.leave();
  }

  /** The connection is there (again): tells what waits, and asks what changed meanwhile. */
  async live() {
    this.positions.online();
    this.#catchingUp ??= this.#catchUp().finally(() => (this.#catchingUp = null));
    await this.#catchingUp;
  }

  /** @param {SocketEvent} event @returns {boolean}  it was about listening */
  apply(event) {
    if (event.type === "playback.updated") this.positions.learn(event.message_id, event.playback);
    else if (event.type === "message.deleted") this.player.stop(event.message.id);
    return event.type === "playback.updated";
  }

  async #catchUp() {
    const key = `${SEEN}.${this.#userId}`;
    const userId = this.#userId;
    let since = Number(localStorage.getItem(key)) || 0;
    for (;;) {
      const page = await this.#api.playbackChanges(since).catch(() => null);
      if (!page || this.#userId !== userId) return;
      for (const { message_id, ...playback } of page.items) this.positions.learn(message_id, playback);
      since = page.next;
      if (page.items.length === 0) break;
    }
    try {
      localStorage.setItem(key, String(since));
    } catch {
      // A full disk: the next page asks for a little more.
    }
  }

  /** What plays may have been analysed meanwhile. */
  #refresh() {
    const { current } = this.player;
    const newer = current && this.#store.message(current.id);
    if (newer && newer !== current) this.player.refresh(newer);
  }

  /** @param {Message} message */
  #describe({ sender, conversation_id }) {
    const conversation = this.#store.conversation(conversation_id);
    return {
      title: t("player.title", { name: sender.display_name }),
      artist: conversation ? conversationName(conversation, this.#store.me) : "",
    };
  }

  /**
   * @param {Message} message
   * @param {1 | -1} step
   */
  #neighbour(message, step) {
    const ready = (this.#store.stretch(message.conversation_id)?.items ?? []).filter(({ state }) => state === "ready");
    return ready[ready.findIndex(({ id }) => id === message.id) + step] ?? null;
  }
}
