/**
 * Exponential back-off with full jitter: a random time between half of the step and the step, so that many clients that
 * lost the same server do not come back in the same instant.
 *
 * @param {number} attempt  0 for the first retry
 * @param {() => number} random  0..1
 * @param {{ first_ms?: number, most_ms?: number }} [limits]
 * @returns {number} milliseconds to wait
 */
export function backoff(attempt, random, { first_ms = 500, most_ms = 30_000 } = {}) {
  const step = Math.min(most_ms, first_ms * 2 ** Math.min(attempt, 20));
  return Math.round(step / 2 + (step / 2) * random());
}
