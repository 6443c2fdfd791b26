import { clamp, merge } from "./heard.js";
import { resume } from "./resume.js";

/** @typedef {import("./heard.js").Interval} Interval */
/** @typedef {import("../types.js").Playback} Playback */
/** @typedef {import("../types.js").PlaybackSummary} PlaybackSummary */
/**
 * What happened at the player. Positions are whole ms. `progress` is told about once a second while sound goes on; `end` when
 * the end was reached by playing; `hide` when the page goes away or into the background: there may be no later.
 * @typedef {{ action: "play" | "end" | "hide" }
 *   | { action: "progress" | "pause" | "seek", position_ms: number }
 *   | { action: "speed", speed: number }} Action
 *
 * What a device keeps of a player, so that it survives a crash: written at once with each action, atomically.
 * @typedef {object} Journal
 * @property {string} player_id      the player that comes back from it is the same one
 * @property {number} sequence       the last report's
 * @property {number} base_version   the version that was known when the playhead was moved
 * @property {number} position_ms
 * @property {number} speed
 * @property {boolean} moved         there is something that the server has not confirmed
 * @property {Interval[]} heard      what was heard and is not confirmed
 * @property {boolean} ended         the end was reached, and that is not confirmed
 * @property {string} at             when it was written, RFC 3339 by this device's clock
 *
 * The body of `PUT /v1/messages/{id}/playback`.
 * @typedef {{ player_id: string, device_id: string, report_id: string, base_version: number, position_ms: number, speed: number,
 *   heard: Interval[], ended: boolean, sequence: number }} Report
 */

/** While it plays, a report goes out this often. */
const REPORT_EVERY_MS = 10_000;

/** A playhead may advance this much more than the clock: timers are late. Beyond it the player jumped. */
const SLACK_MS = 1_000;

/** The first pause after a failed report; it doubles up to the longest. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/**
 * One player of one message on one device, without clock, network and disk: decides what is reported and when. The same
 * rules as `voxpost-proto::playback::Player`, held to the same cases.
 *
 * After each `handle…` its owner stores `journal()`, sends what `pollReport()` gives, and polls again at `pollTimeout()`.
 * A movement is told with the version that was known when it was made: so one that was made while the device was away does not
 * move the playhead elsewhere back, and one that a person makes now does count. Who did nothing yet reports nothing.
 */
export class PlaybackMachine {
  #playerId;
  #deviceId;
  #durationMs;
  /** The newest version that is known, and the one that was known at the last movement. */
  #knownVersion;
  #baseVersion;
  #positionMs;
  #speed;
  /** While it plays: when the playhead was where it is. @type {number | null} */
  #playing = null;
  #moved = false;
  /** @type {Interval[]} */
  #heard = [];
  #ended = false;
  #urgent = false;
  #hiding = false;
  #sequence = 0;
  /** @type {Report | null} */
  #inFlight = null;
  #retryAt;
  #failures = 0;
  #reportedAt;
  /** Where to begin; decided once. @type {import("./resume.js").Resume} */
  begin;

  /**
   * Opens a message.
   * @param {object} from
   * @param {Journal | null} from.journal   what this device kept; something unconfirmed in it is told first
   * @param {Playback | null} from.server   null while it cannot be asked
   * @param {string} from.freshPlayerId     used unless the journal holds something unconfirmed
   * @param {string} from.deviceId
   * @param {number} from.durationMs
   * @param {number} from.now
   */
  constructor({ journal, server, freshPlayerId, deviceId, durationMs, now }) {
    this.begin = resume(journal, server, durationMs, now);
    this.#playerId = freshPlayerId;
    this.#deviceId = deviceId;
    this.#durationMs = Math.max(0, durationMs);
    this.#knownVersion = server?.version ?? Math.max(0, journal?.base_version ?? 0);
    this.#baseVersion = this.#knownVersion;
    this.#positionMs = this.begin.position_ms;
    this.#speed = possible(server?.speed ?? 1);
    this.#retryAt = now;
    this.#reportedAt = now;
    if (journal?.moved) {
      this.#playerId = journal.player_id;
      this.#sequence = journal.sequence;
      this.#baseVersion = Math.max(0, journal.base_version);
      this.#positionMs = this.#inside(journal.position_ms);
      this.#speed = possible(journal.speed);
      this.#heard = clamp(journal.heard, durationMs);
      this.#ended = journal.ended;
      this.#moved = true;
      this.#urgent = true;
    }
  }

  get playerId() {
    return this.#playerId;
  }

  get positionMs() {
    return this.#positionMs;
  }

  get playing() {
    return this.#playing !== null;
  }

  /** What was heard and is not confirmed. */
  get heard() {
    return merge(this.#heard, this.#inFlight?.heard ?? []);
  }

  /**
   * @param {number} now
   * @param {Action} what
   */
  handle(now, what) {
    switch (what.action) {
      case "play":
        if (this.#playing === null) this.#playing = this.#reportedAt = now;
        break;
      case "progress":
        this.#advance(now, what.position_ms);
        break;
      case "pause":
        if (this.#playing !== null) this.#advance(now, what.position_ms);
        this.#playing = null;
        this.#urgent = true;
        break;
      case "seek":
        this.#moveTo(what.position_ms);
        if (this.#playing !== null) this.#playing = now;
        this.#urgent = true;
        break;
      case "speed":
        this.#speed = possible(what.speed);
        break;
      case "end":
        this.#advance(now, this.#durationMs);
        this.#moveTo(this.#durationMs);
        this.#ended = true;
        this.#playing = null;
        this.#urgent = true;
        break;
      case "hide":
        this.#urgent = true;
        this.#hiding = true;
        break;
    }
    this.#urgent &&= this.#moved || this.#inFlight !== null;
    this.#hiding &&= this.#urgent;
  }

  /**
   * The report to send now, if one is due. One is under way at a time, but for the last words of a page that goes away.
   * @param {number} now
   * @param {string} reportId  a fresh id, used when the report is a new one
   * @returns {Report | null}
   */
  pollReport(now, reportId) {
    const hiding = this.#hiding;
    this.#hiding = false;
    if (this.#inFlight && !hiding) return this.#retry(now);
    // A page that goes away may take what is under way with it: the same again.
    if (!this.#moved) return this.#inFlight;
    const due = this.#urgent || (this.#playing !== null && now >= this.#nextRegular);
    if (!due) return null;
    if (this.#inFlight) {
      this.#heard = merge(this.#heard, this.#inFlight.heard);
      this.#ended ||= this.#inFlight.ended;
    }
    this.#sequence += 1;
    this.#inFlight = {
      player_id: this.#playerId,
      device_id: this.#deviceId,
      report_id: reportId,
      base_version: this.#baseVersion,
      position_ms: this.#positionMs,
      speed: this.#speed,
      heard: this.#heard,
      ended: this.#ended,
      sequence: this.#sequence,
    };
    this.#heard = [];
    this.#ended = false;
    this.#moved = false;
    this.#urgent = false;
    this.#failures = 0;
    this.#retryAt = now + LONGEST_RETRY_MS;
    this.#reportedAt = now;
    return this.#inFlight;
  }

  /** When to poll again without anything having happened; null: not at all. */
  pollTimeout() {
    if (this.#inFlight) return this.#retryAt;
    if (this.#moved && this.#urgent) return this.#reportedAt;
    return this.#moved && this.#playing !== null ? this.#nextRegular : null;
  }

  /**
   * The server's answer to a report.
   * @param {string} reportId
   * @param {Pick<Playback, "version">} answer
   */
  handleAnswer(reportId, answer) {
    this.#knownVersion = Math.max(this.#knownVersion, answer.version);
    this.handleRefusal(reportId);
  }

  /**
   * The report did not get through, or no answer came: the same one is sent again later.
   * @param {number} now
   * @param {string} reportId
   */
  handleFailure(now, reportId) {
    if (this.#inFlight?.report_id !== reportId) return;
    this.#retryAt = now + Math.min(FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 5), LONGEST_RETRY_MS);
    this.#failures += 1;
  }

  /** The server refused the report for good (the message is gone): it is not sent again. @param {string} reportId */
  handleRefusal(reportId) {
    if (this.#inFlight?.report_id === reportId) this.#inFlight = null;
  }

  /** The network is back: what waits for its next attempt need not wait any longer. @param {number} now */
  handleOnline(now) {
    if (this.#failures > 0) this.#retryAt = Math.min(this.#retryAt, now);
  }

  /**
   * Another device moved the playhead.
   * @param {Pick<PlaybackSummary, "version" | "position_ms">} playback
   * @returns {number | null}  where this player, if it is idle, should show it
   */
  handleElsewhere({ version, position_ms }) {
    if (version <= this.#knownVersion) return null;
    this.#knownVersion = version;
    if (this.#playing !== null || this.#moved || this.#inFlight) return null;
    this.#positionMs = this.#inside(position_ms);
    return this.#positionMs;
  }

  /** What to keep on this device. @param {number} now @returns {Journal} */
  journal(now) {
    return {
      player_id: this.#playerId,
      sequence: this.#sequence,
      base_version: this.#baseVersion,
      position_ms: this.#positionMs,
      speed: this.#speed,
      moved: this.#moved || this.#inFlight !== null,
      heard: this.heard,
      ended: this.#ended || (this.#inFlight?.ended ?? false),
      at: new Date(now).toISOString(),
    };
  }

  /**
   * @param {number} now
   * @param {number} positionMs
   */
  #advance(now, positionMs) {
    const to = this.#inside(positionMs);
    const passed = Math.max(0, now - (this.#playing ?? now)) * this.#speed;
    const step = to - this.#positionMs;
    if (this.#playing === null) this.#reportedAt = now;
    this.#playing = now;
    if (step === 0) return;
    if (step > 0 && step <= passed + SLACK_MS) this.#heard = merge(this.#heard, [[this.#positionMs, to]]);
    this.#moveTo(to);
  }

  /** @param {number} positionMs */
  #moveTo(positionMs) {
    this.#positionMs = this.#inside(positionMs);
    this.#baseVersion = this.#knownVersion;
    this.#moved = true;
  }

  /** @param {number} positionMs */
  #inside(positionMs) {
    return Math.min(Math.max(0, positionMs), this.#durationMs);
  }

  get #nextRegular() {
    return this.#reportedAt + REPORT_EVERY_MS;
  }

  /** @param {number} now */
  #retry(now) {
    if (now < this.#retryAt) return null;
    this.#retryAt = now + LONGEST_RETRY_MS;
    return this.#inFlight;
  }
}

/** The nearest speed that may be reported. @param {number} speed */
const possible = (speed) => (Number.isFinite(speed) ? Math.min(10, Math.max(0.1, speed)) : 1);
