import { clamp, merge, totalMs } from "../../src/playback/heard.js";

/** @typedef {import("../../src/playback/heard.js").Interval} Interval */
/** @typedef {import("../../src/types.js").PlaybackAnswer} PlaybackAnswer */
/** @typedef {Omit<import("../../src/playback/machine.js").Report, "sequence" | "ended"> & { sequence?: number, ended?: boolean }} Report */

const PAST_END_MS = 1_000;

/** The server's part of the rules (`voxpost-proto::playback::HeardMap`), for tests with several devices. */
export class HeardMap {
  #durationMs;
  #version = 0;
  #position = 0;
  #speed = 1;
  /** @type {Interval[]} */
  #heard = [];
  #ended = false;
  /** @type {Report | null} */
  #writer = null;
  /** @type {string | null} */
  #updatedAt = null;
  /** @type {Map<string, boolean>} */
  #reports = new Map();

  /** @param {number} durationMs */
  constructor(durationMs) {
    this.#durationMs = durationMs;
  }

  /**
   * @param {Report} report
   * @param {number} now
   * @returns {PlaybackAnswer | "invalid_request"}
   */
  apply(report, now) {
    const inside = (/** @type {number} */ at) => at >= 0 && at <= this.#durationMs + PAST_END_MS;
    const good = inside(report.position_ms) && report.heard.every(([from, to]) => inside(from) && inside(to) && from <= to);
    if (!good || report.speed < 0.1 || report.speed > 10 || report.base_version < 0) return "invalid_request";
    const before = this.#reports.get(report.report_id);
    if (before !== undefined) return { playhead_applied: before, ...this.playback() };
    this.#heard = merge(this.#heard, clamp(report.heard, this.#durationMs));
    this.#ended ||= report.ended ?? false;
    const applied = this.#mayMove(report);
    if (applied) {
      this.#version += 1;
      this.#position = Math.min(report.position_ms, this.#durationMs);
      this.#speed = report.speed;
      this.#updatedAt = new Date(now).toISOString();
      this.#writer = report;
    }
    this.#reports.set(report.report_id, applied);
    return { playhead_applied: applied, ...this.playback() };
  }

  playback() {
    const heard_ms = totalMs(this.#heard);
    return {
      version: this.#version,
      position_ms: this.#position,
      speed: this.#speed,
      heard: this.#heard,
      heard_ms,
      played: this.#ended || (this.#durationMs > 0 && heard_ms * 10 >= this.#durationMs * 9),
      player_id: this.#writer?.player_id ?? null,
      device_id: this.#writer?.device_id ?? null,
      updated_at: this.#updatedAt,
    };
  }

  /** @param {Report} report */
  #mayMove(report) {
    const writer = this.#writer;
    if (writer?.player_id !== report.player_id) return report.base_version === this.#version;
    return report.sequence === undefined || writer.sequence === undefined || report.sequence > writer.sequence;
  }
}
