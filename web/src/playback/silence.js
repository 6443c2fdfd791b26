/** @typedef {import("./heard.js").Interval} Interval */

/** Kept of a silence around speech: a breath before, the last sound after. */
const BEFORE_MS = 150;
const AFTER_MS = 250;
/** What is left of a silence must be worth a jump. */
const LEAST_MS = 400;

/**
 * The silences of a message that are worth skipping, ascending. Where no speech was found at all (music, noise) there are none.
 * @param {readonly Interval[] | null | undefined} speech  in ms, ascending
 * @param {number} durationMs
 * @returns {Interval[]}
 */
export function silences(speech, durationMs) {
  if (!speech || speech.length === 0) return [];
  const starts = [...speech.map(([from]) => from - BEFORE_MS), durationMs];
  const ends = [0, ...speech.map(([, to]) => to + AFTER_MS)];
  return starts
    .map((to, i) => /** @type {Interval} */ ([ends[i], Math.min(to, durationMs)]))
    .filter(([from, to]) => to - from >= LEAST_MS);
}

/**
 * Where to go on from here, if here is silence.
 * @param {readonly Interval[]} list  of silences
 * @param {number} ms
 */
export function skipFrom(list, ms) {
  const here = list.find(([from, to]) => ms >= from && ms < to);
  return here ? here[1] : null;
}

/**
 * When the next silence begins after here.
 * @param {readonly Interval[]} list
 * @param {number} ms
 */
export function nextSilence(list, ms) {
  return list.find(([from]) => from > ms)?.[0] ?? null;
}
