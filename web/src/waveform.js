/** The arithmetic of waveforms. Levels on the wire are integers 0..1024. */

export const FULL_SCALE = 1024;

/**
 * Brings a list of levels to `count` of them: the loudest of each stretch when there are more, a straight line between
 * neighbours when there are fewer.
 * @param {readonly number[]} levels
 * @param {number} count
 * @returns {number[]}
 */
export function resample(levels, count) {
  if (levels.length === 0 || count <= 0) return new Array(Math.max(0, count)).fill(0);
  if (levels.length === count) return [...levels];
  if (levels.length > count) {
    return Array.from({ length: count }, (_, i) => {
      const from = Math.floor((i * levels.length) / count);
      const to = Math.max(from + 1, Math.floor(((i + 1) * levels.length) / count));
      return Math.max(...levels.slice(from, to));
    });
  }
  return Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? 0 : (i * (levels.length - 1)) / (count - 1);
    const left = Math.floor(at);
    const right = Math.min(left + 1, levels.length - 1);
    return levels[left] + (levels[right] - levels[left]) * (at - left);
  });
}

/**
 * The bars of a waveform as the `d` of one SVG path: upright strokes around the middle line. Stroke it with round caps and
 * `vector-effect: non-scaling-stroke`, so that it may be stretched to any size.
 * @param {readonly number[] | null | undefined} waveform  null: not known yet, gives a dotted line
 * @param {number} count  number of bars; bar `i` stands at x = i + 0.5
 * @param {number} height  of the view box
 */
export function barPath(waveform, count, height) {
  const levels = waveform && waveform.length > 0 ? resample(waveform, count) : new Array(count).fill(0);
  const middle = height / 2;
  return levels
    .map((level, i) => {
      const half = Math.min(1, Math.max(0, level / FULL_SCALE)) * middle;
      return `M${i + 0.5} ${round(middle - half)}V${round(middle + half + 0.01)}`;
    })
    .join("");
}

/**
 * Lifts a quiet waveform so that its shape can be seen; what is all but silent stays flat.
 * @param {readonly number[] | null | undefined} waveform
 */
export function forDisplay(waveform) {
  if (!waveform || waveform.length === 0) return null;
  const lift = Math.min(4, FULL_SCALE / Math.max(1, ...waveform));
  return waveform.map((level) => level * lift);
}

/**
 * A CSS mask that lets through what of a message was heard, from the start at the left to the end at the right.
 * @param {readonly (readonly [number, number])[]} heard  in ms, ascending
 * @param {number} durationMs
 */
export function heardMask(heard, durationMs) {
  if (durationMs <= 0 || heard.length === 0) return "linear-gradient(transparent, transparent)";
  const percent = (/** @type {number} */ ms) => `${round(Math.min(1, Math.max(0, ms / durationMs)) * 100)}%`;
  const stops = heard.flatMap(([from, to]) => [`transparent ${percent(from)}`, `#000 ${percent(from)}`, `#000 ${percent(to)}`, `transparent ${percent(to)}`]);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** @param {number} value */
const round = (value) => Math.round(value * 100) / 100;

/**
 * Loudness of a block of samples for a meter, 0..1: root mean square in decibels, −60 dBFS at the bottom and −6 at the top.
 * @param {Float32Array} samples  −1..1
 */
export function meterLevel(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  const db = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.min(1, Math.max(0, (db + 60) / 54));
}
