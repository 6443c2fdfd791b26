/**
 * How much a recorder may say: from how the server keeps up, one step of a ladder of encoder settings. The same rules as in
 * `crates/proto/src/live/rate.rs`, held to the same cases (`crates/proto/vectors/rate.json`).
 *
 * @typedef {{ bitrate_bps: number, bandwidth: "narrowband" | "wideband" | "superwideband" | "fullband",
 *   frame_ms: number, vbr: boolean, dtx: boolean }} RateStep
 * @typedef {{ now_ms: number, acked_bytes: number, backlog_ms: number, rtt_ms: number }} RateReport
 */

/** @type {readonly RateStep[]} from the bottom */
export const LADDER = Object.freeze([
  { bitrate_bps: 6_000, bandwidth: "narrowband", frame_ms: 60, vbr: false, dtx: true },
  { bitrate_bps: 8_000, bandwidth: "narrowband", frame_ms: 60, vbr: true, dtx: true },
  { bitrate_bps: 12_000, bandwidth: "wideband", frame_ms: 40, vbr: true, dtx: true },
  { bitrate_bps: 16_000, bandwidth: "wideband", frame_ms: 20, vbr: true, dtx: false },
  { bitrate_bps: 24_000, bandwidth: "superwideband", frame_ms: 20, vbr: true, dtx: false },
  { bitrate_bps: 32_000, bandwidth: "fullband", frame_ms: 20, vbr: true, dtx: false },
]);

/** Where a recording begins: 24 kbit/s. */
const FIRST = 4;
/** Around each packet that travels alone. */
const OVERHEAD_BITS = 80 * 8;
/** So much sound beyond a round trip is normal. */
const NORMAL_MS = 400;
/** From here on the path is too narrow. */
const LATE_MS = 1_000;
/** From here on only the least will do. */
const VERY_LATE_MS = 3_000;
/** After a fall it takes this long, and a round trip, until its effect shows. */
const SETTLE_MS = 1_000;
/** How long all must be well before a step up; doubled each time that a step up was a mistake. */
const CLIMB_MS = 5_000;
const CLIMB_MAX_MS = 60_000;
/** A step up that holds this long was none. */
const PROVEN_MS = 15_000;
/** Throughput is measured over this time. */
const WINDOW_MS = 2_000;
const WINDOW_REPORTS = 64;

/** Chooses the step. It falls at once, and climbs slowly. */
export class RateControl {
  #step = FIRST;
  /** @type {[number, number][]} */
  #reports = [];
  /** @type {number | null} */
  #wellSince = null;
  /** @type {number | null} */
  #fellAt = null;
  /** @type {number | null} */
  #climbedAt = null;
  #climbMs = CLIMB_MS;

  /** What the encoder should be set to now. */
  get step() {
    return LADDER[this.#step];
  }

  /** The place on the ladder, from 0. */
  get index() {
    return this.#step;
  }

  /**
   * Takes news in: with every acknowledgement, and each 200 ms when none comes.
   * @param {RateReport} report
   * @returns {boolean} whether the step changed
   */
  handleReport({ now_ms: now, acked_bytes, backlog_ms, rtt_ms }) {
    this.#reports.push([now, acked_bytes]);
    while (this.#reports.length > WINDOW_REPORTS || (this.#reports.length > 0 && this.#reports[0][0] + WINDOW_MS < now)) {
      this.#reports.shift();
    }
    const late = Math.max(0, backlog_ms - rtt_ms);
    const before = this.#step;
    if (late > LATE_MS) {
      this.#wellSince = null;
      this.#fall(now, late, rtt_ms);
    } else if (late > NORMAL_MS) {
      this.#wellSince = null;
    } else {
      this.#climb(now);
    }
    return this.#step !== before;
  }

  /** @param {number} now @param {number} late @param {number} rtt */
  #fall(now, late, rtt) {
    let target = 0;
    if (late <= VERY_LATE_MS) {
      if (this.#fellAt !== null && now < this.#fellAt + SETTLE_MS + rtt) return;
      const through = this.#throughputBps();
      const fits = LADDER.findLastIndex((step) => wireBps(step) * 5 <= through * 4);
      target = Math.min(Math.max(0, fits), Math.max(0, this.#step - 1));
    }
    if (target >= this.#step) return;
    this.#step = target;
    this.#fellAt = now;
    if (this.#climbedAt !== null && now < this.#climbedAt + PROVEN_MS) {
      this.#climbMs = Math.min(this.#climbMs * 2, CLIMB_MAX_MS);
    }
    this.#climbedAt = null;
  }

  /** @param {number} now */
  #climb(now) {
    if (this.#climbedAt !== null && now >= this.#climbedAt + PROVEN_MS) {
      this.#climbMs = CLIMB_MS;
      this.#climbedAt = null;
    }
    this.#wellSince ??= now;
    if (this.#step + 1 < LADDER.length && now >= this.#wellSince + this.#climbMs) {
      this.#step += 1;
      this.#climbedAt = now;
      this.#wellSince = now;
    }
  }

  /** What was acknowledged lately, in bits a second. */
  #throughputBps() {
    const [from, first] = this.#reports[0];
    const [to, last] = this.#reports[this.#reports.length - 1];
    return to > from ? Math.floor((Math.max(0, last - first) * 8_000) / (to - from)) : 0;
  }
}

/** @param {RateStep} step */
function wireBps(step) {
  return step.bitrate_bps + Math.floor((OVERHEAD_BITS * 1_000) / step.frame_ms);
}
