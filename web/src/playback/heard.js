/**
 * The set of intervals of a message that were heard: `[from, to)` in ms, ascending, none empty, at least GAP_MS apart, at
 * most MAX_INTERVALS. Merging is union, so the order in which things come does not matter, and nothing heard is ever lost.
 * The same rules as `voxpost-proto::playback::Heard`.
 * @typedef {[from_ms: number, to_ms: number]} Interval
 */

/** Gaps shorter than this are closed: nobody skips a quarter of a second on purpose, players report that roughly. */
const GAP_MS = 250;

/** More intervals are not kept: the shortest gaps are closed until they fit. */
const MAX_INTERVALS = 256;

/**
 * The union of intervals in any order; empty and inverted ones count for nothing.
 * @param {...readonly (readonly number[])[]} lists
 * @returns {Interval[]}
 */
export function merge(...lists) {
  const sorted = lists.flat().filter(([from, to]) => from < to).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  /** @type {Interval[]} */
  const union = [];
  for (const [from, to] of sorted) {
    const last = union[union.length - 1];
    if (last && from - last[1] < GAP_MS) last[1] = Math.max(last[1], to);
    else union.push([from, to]);
  }
  return closeShortest(union);
}

/**
 * What of it lies between 0 and the end.
 * @param {readonly (readonly number[])[]} heard
 * @param {number} durationMs
 */
export function clamp(heard, durationMs) {
  const cut = (/** @type {number} */ at) => Math.min(Math.max(0, at), Math.max(0, durationMs));
  return merge(heard.map(([from, to]) => [cut(from), cut(to)]));
}

/** The sum of the lengths. @param {readonly (readonly number[])[]} heard  merged */
export function totalMs(heard) {
  return heard.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** Closes the shortest gaps, of equal ones the earliest, until no more than MAX_INTERVALS are left. @param {Interval[]} union */
function closeShortest(union) {
  const surplus = union.length - MAX_INTERVALS;
  if (surplus <= 0) return union;
  const gaps = union.slice(1).map(([from], i) => ({ gap: from - union[i][1], at: i + 1 }));
  gaps.sort((a, b) => a.gap - b.gap || a.at - b.at);
  const closed = new Set(gaps.slice(0, surplus).map(({ at }) => at));
  /** @type {Interval[]} */
  const kept = [];
  union.forEach((interval, at) => {
    if (closed.has(at)) kept[kept.length - 1][1] = interval[1];
    else kept.push(interval);
  });
  return kept;
}
