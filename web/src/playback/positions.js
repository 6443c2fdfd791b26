import { merge } from "./heard.js";
import { PlaybackMachine } from "./machine.js";
import { Reporter } from "./reporter.js";
import { beginAt, offer } from "./resume.js";

/** @typedef {import("./heard.js").Interval} Interval */
/** @typedef {import("./journal-store.js").Kept} Kept */
/** @typedef {import("./machine.js").Action} Action */
/** @typedef {import("./machine.js").Report} Report */
/** @typedef {import("./resume.js").Offer} Offer */
/** @typedef {import("../types.js").Message} Message */
/** @typedef {import("../types.js").Playback} Playback */
/** @typedef {import("../types.js").PlaybackAnswer} PlaybackAnswer */
/** @typedef {import("../types.js").PlaybackSummary} PlaybackSummary */
/**
 * What it needs from outside.
 * @typedef {object} Means
 * @property {(messageId: string) => Promise<Playback>} ask
 * @property {(messageId: string, report: Report) => Promise<PlaybackAnswer>} send
 * @property {Pick<import("./journal-store.js").JournalStore, "get" | "list" | "put" | "remove">} journals
 * @property {Pick<import("./tabs.js").Tabs, "take" | "takeIfFree" | "answered">} tabs
 * @property {() => number} now
 * @property {() => string} uuid
 * @property {(run: () => void, ms: number) => () => void} schedule
 *
 * The player of a message in this tab.
 * @typedef {{ id: string, durationMs: number, machine: PlaybackMachine, reporter: Reporter, release: () => void,
 *   touchedAt: string | null, offer: Offer | null }} Seat
 */

/** Sound does not wait longer for the server's opinion of where to begin. */
const ASK_MS = 1500;

/**
 * Where one person is in every message, on this device and, as far as the server has told, on the others. Events, `detail`
 * names the message: `change` (position, heard part or offer), `summary` (`detail` is {id, playback}; the server's value is
 * newer than what the message itself says), `moved` (`detail` is {id, position_ms}: another device moved the idle playhead).
 */
export class Positions extends EventTarget {
  #means;
  #userId = "";
  #deviceId = "";
  /** @type {Map<string, Seat>} */
  #seats = new Map();
  /** @type {Map<string, Promise<Seat | null>>} */
  #opening = new Map();
  /** The whole of what the server said. @type {Map<string, Playback>} */
  #known = new Map();
  /** @type {Set<string>} */
  #asking = new Set();

  /** @param {Means} means */
  constructor(means) {
    super();
    this.#means = means;
  }

  /**
   * Takes up what earlier pages of this person did not get through to the server.
   * @param {string} userId
   * @param {string} deviceId
   */
  async start(userId, deviceId) {
    this.#userId = userId;
    this.#deviceId = deviceId;
    const kept = await this.#means.journals.list(userId).catch(() => []);
    await Promise.all(kept.map((entry) => this.#once(entry.message_id, this.#restore(entry))));
  }

  /** The person is gone. What is not told waits in storage for them. */
  stop() {
    this.#userId = "";
    for (const { id } of this.#seats.values()) this.yield(id);
    this.#known.clear();
    this.#asking.clear();
  }

  /**
   * What the controls of a message show.
   * @param {Message} message
   */
  view(message) {
    const seat = this.#seats.get(message.id);
    const summary = message.playback;
    const known = this.#known.get(message.id);
    const total = message.duration_ms ?? 0;
    const played = summary?.played || known?.played || false;
    const heard = merge(played ? [[0, total]] : (known?.heard ?? []), seat?.machine.heard ?? []);
    const position = seat?.machine.positionMs ?? summary?.position_ms ?? 0;
    return { position_ms: Math.min(total, Math.max(0, position)), heard, played, offer: seat?.offer ?? null };
  }

  /** Somebody sees the message: what was heard of it is shown exactly. @param {Message} message */
  look({ id, playback }) {
    if (!playback || playback.heard_ms === 0 || playback.played || this.#asking.has(id)) return;
    const known = this.#known.get(id);
    if (known && known.version >= playback.version && known.heard_ms >= playback.heard_ms) return;
    this.#asking.add(id);
    const finished = () => this.#asking.delete(id);
    this.#means.ask(id).then((answer) => this.learn(id, answer), () => {}).finally(finished);
  }

  /**
   * Where to begin to play now. Takes the message over from other tabs.
   * @param {Message} message
   * @returns {Promise<number | null>}  null: another tab was quicker, or the person is gone
   */
  async begin(message) {
    const seat = await this.open(message);
    return seat && beginAt(seat.machine.positionMs, seat.touchedAt, seat.durationMs, this.#means.now());
  }

  /** @param {Message} message @returns {Promise<Seat | null>}  null as above */
  async open(message) {
    const { id } = message;
    while (this.#opening.has(id)) await this.#opening.get(id);
    return this.#seats.get(id) ?? this.#once(id, this.#open(message));
  }

  /**
   * What happened at the player of a message that is open.
   * @param {string} messageId
   * @param {Action} action
   */
  handle(messageId, action) {
    const seat = this.#seats.get(messageId);
    if (!seat) return;
    seat.reporter.handle(action);
    if (action.action !== "speed" && action.action !== "hide") seat.touchedAt = new Date(this.#means.now()).toISOString();
    if (action.action === "end") seat.offer = null;
    if (action.action !== "progress") this.#tell("change", messageId);
  }

  /** @param {string} messageId */
  dismiss(messageId) {
    const seat = this.#seats.get(messageId);
    if (!seat?.offer) return;
    seat.offer = null;
    this.#tell("change", messageId);
  }

  /** The page may go away. */
  hide() {
    for (const { reporter } of this.#seats.values()) reporter.handle({ action: "hide" });
  }

  /** The network is back. */
  online() {
    for (const { reporter } of this.#seats.values()) reporter.online();
  }

  /**
   * The server's value, whole (from its list, or another tab's answer) or in short (from an event).
   * @param {string} messageId
   * @param {Playback | PlaybackSummary} playback
   */
  learn(messageId, playback) {
    const known = this.#known.get(messageId);
    if (known && playback.version < known.version) return;
    if ("heard" in playback) this.#known.set(messageId, playback);
    const { version, position_ms, heard_ms, played } = playback;
    const seat = this.#seats.get(messageId);
    const moved = seat?.machine.handleElsewhere(playback) ?? null;
    if (seat && moved !== null) {
      seat.touchedAt = new Date(this.#means.now()).toISOString();
      this.#tell("moved", { id: messageId, position_ms: moved });
    }
    this.#tell("summary", { id: messageId, playback: { version, position_ms, heard_ms, played } });
    this.#tell("change", messageId);
  }

  /** Another tab takes this message; resolves when it may. @param {string} messageId */
  async yield(messageId) {
    const seat = this.#seats.get(messageId);
    if (!seat) return;
    this.#seats.delete(messageId);
    await seat.reporter.close();
    seat.release();
  }

  /**
   * Nobody else opens the message meanwhile.
   * @param {string} id
   * @param {Promise<Seat | null>} opening
   */
  #once(id, opening) {
    const end = opening.finally(() => this.#opening.delete(id));
    this.#opening.set(id, end);
    return end;
  }

  /** @param {Message} message */
  async #open({ id, duration_ms, playback }) {
    const userId = this.#userId;
    let lost = false;
    const release = await this.#means.tabs.take(id, () => {
      lost = true;
      this.#lost(id);
    });
    const kept = await this.#means.journals.get(userId, id).catch(() => undefined);
    const journal = kept?.journal ?? null;
    const server = await this.#ask(id, playback, journal?.moved ?? false);
    if (lost || !userId || userId !== this.#userId) {
      release();
      return null;
    }
    const seat = this.#seat({ user_id: userId, message_id: id, duration_ms: duration_ms ?? 0, journal }, server, release);
    if (playback) seat.machine.handleElsewhere(playback);
    return seat;
  }

  /** @param {Kept} kept @returns {Promise<Seat | null>}  null: another tab has it */
  async #restore(kept) {
    const { message_id: id, user_id: userId } = kept;
    const release = await this.#means.tabs.takeIfFree(id, () => this.#lost(id)).catch(() => null);
    if (!release) return null;
    const server = await this.#ask(id, undefined, true);
    if (userId === this.#userId) return this.#seat(kept, server, release);
    release();
    return null;
  }

  /**
   * @param {Omit<Kept, "journal"> & { journal: import("./machine.js").Journal | null }} kept
   * @param {Playback | null} server
   * @param {() => void} release
   */
  #seat(kept, server, release) {
    const { message_id: id, user_id: userId, duration_ms: durationMs, journal } = kept;
    const { now, uuid, schedule, journals, send, tabs } = this.#means;
    const machine = new PlaybackMachine({ journal, server, freshPlayerId: uuid(), deviceId: this.#deviceId, durationMs, now: now() });
    const reporter = new Reporter(machine, journal !== null, {
      now,
      uuid,
      schedule,
      send: (report) => send(id, report),
      keep: (entry, durable) => journals.put({ user_id: userId, message_id: id, duration_ms: durationMs, journal: entry }, durable),
      forget: () => journals.remove(userId, id),
      onAnswer: (answer, report) => {
        tabs.answered(id, answer);
        this.#answered(id, answer, report);
      },
      onGone: () => this.yield(id),
    });
    // What the server knows was left long ago has been rewound already.
    const touchedAt = journal?.moved ? journal.at : new Date(now()).toISOString();
    /** @type {Seat} */
    const seat = { id, durationMs, machine, reporter, release, touchedAt, offer: machine.begin.offer };
    this.#seats.set(id, seat);
    if (server) this.learn(id, server);
    reporter.start();
    this.#tell("change", id);
    return seat;
  }

  /**
   * @param {string} id
   * @param {PlaybackAnswer} answer
   * @param {Report} report
   */
  #answered(id, answer, report) {
    const seat = this.#seats.get(id);
    if (seat && !answer.playhead_applied) {
      const local = { ...seat.machine.journal(this.#means.now()), base_version: report.base_version };
      seat.offer = offer(local, answer) ?? seat.offer;
    }
    this.learn(id, answer);
  }

  /**
   * The server's value, in time; while it cannot be had, what the message itself says has to do.
   * @param {string} id
   * @param {PlaybackSummary | undefined} summary
   * @param {boolean} unconfirmed  this device has something to tell, so its own position counts
   * @returns {Promise<Playback | null>}
   */
  async #ask(id, summary, unconfirmed) {
    const known = this.#known.get(id);
    if (known && known.version >= (summary?.version ?? 0)) return known;
    if (summary?.version === 0 && !unconfirmed) return null;
    const late = new Promise((/** @type {(value: null) => void} */ resolve) => this.#means.schedule(() => resolve(null), ASK_MS));
    const answer = await Promise.race([this.#means.ask(id).catch(() => null), late]);
    if (answer || unconfirmed || !summary) return answer;
    return { ...summary, speed: 1, heard: [], player_id: null, device_id: null, updated_at: null };
  }

  /** Another tab took the message without being let. @param {string} id */
  #lost(id) {
    const seat = this.#seats.get(id);
    this.#seats.delete(id);
    seat?.reporter.abandon();
    if (seat) this.#tell("lost", id);
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
