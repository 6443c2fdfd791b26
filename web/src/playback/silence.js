/** @typedef {import("./heard.js").Interval} Interval */

/** What is kept of a silence before somebody speaks and after: less would cut words. The same as on the command line. */
const BEFORE_MS = 150;
const AFTER_MS = 200;
/** Less than this is not worth a jump. */
const LEAST_MS = 300;

/**
 * The silences of a message that are worth skipping, ascending. Where no speech was found at all (music, noise) there are none.
 * @param {readonly Interval[] | null | undefined} speech  in ms, ascending
 * @param {number} durationMs
 * @returns {Interval[]}
 */
export function silences(speech, durationMs) {
  if (!speech || speech.length === 0) return [];
  /** @type {Interval[]} */
  const list = [];
  let spokenUntil = -Infinity;
  for (const [from, to] of speech) {
    list.push([Math.max(0, spokenUntil + AFTER_MS), from - BEFORE_MS]);
    spokenUntil = Math.max(spokenUntil, to);
  }
  list.push([Math.max(0, spokenUntil + AFTER_MS), durationMs]);
  return list.filter(([from, to]) => to - from >= LEAST_MS && to <= durationMs);
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
