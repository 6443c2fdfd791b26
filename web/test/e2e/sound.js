import { execFileSync } from "node:child_process";

/** Measuring whether two recordings are the same speech. Everything is mono at 16 kHz, floats −1..1. */

/** Above these it is the same speech; sound.test.js shows that they tell it from other sounds. */
export const SAME = { envelope: 0.85, waveform: 0.8 };

const RATE = 16_000;
const FRAME = 160; // 10 ms
const SEGMENT = RATE / 2;
const SLACK = RATE / 20; // ±50 ms around where the envelopes fit best

/**
 * Decodes a file with ffmpeg; Opus with libopus, because ffmpeg's own decoder is two samples off in SILK.
 * @param {string | Uint8Array} input  a path, or the bytes
 * @param {{ opus?: boolean }} [options]
 */
export function decode(input, { opus = false } = {}) {
  const source = typeof input === "string" ? input : "pipe:0";
  const args = ["-loglevel", "error", ...(opus ? ["-c:a", "libopus"] : []), "-i", source, "-f", "f32le", "-ar", String(RATE), "-ac", "1", "-"];
  const bytes = execFileSync("ffmpeg", args, { input: typeof input === "string" ? undefined : input, maxBuffer: 1 << 28 });
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/**
 * How alike two sounds are after they were put in line: `envelope` compares loudness over time, `waveform` the
 * oscillation itself in half-second stretches, weighted by their energy. Both are correlations, 1 for the same sound.
 * @param {Float32Array} spoken
 * @param {Float32Array} heard
 */
export function likeness(spoken, heard) {
  const { lag, value: envelope } = bestLag(logEnergy(spoken), logEnergy(heard), 200);
  let sum = 0;
  let weight = 0;
  for (let at = 0; at + SEGMENT <= spoken.length; at += SEGMENT) {
    const part = spoken.subarray(at, at + SEGMENT);
    const energy = part.reduce((total, sample) => total + sample * sample, 0);
    sum += energy * bestAround(part, heard, at + lag * FRAME);
    weight += energy;
  }
  return { envelope, waveform: weight > 0 ? sum / weight : 0, lag_ms: lag * 10 };
}

/** @param {Float32Array} samples */
function logEnergy(samples) {
  const frames = new Float32Array(Math.floor(samples.length / FRAME));
  for (let i = 0; i < frames.length; i += 1) {
    let sum = 0;
    for (let k = i * FRAME; k < (i + 1) * FRAME; k += 1) sum += samples[k] * samples[k];
    // Below −60 dBFS it is noise, and a noise suppressor's business.
    frames[i] = Math.max(-60, 10 * Math.log10(sum / FRAME + 1e-12));
  }
  return frames;
}

/**
 * The shift of `b` against `a` at which they correlate best over the whole of `a`.
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @param {number} most
 */
function bestLag(a, b, most) {
  let best = { lag: 0, value: -1 };
  for (let lag = -most; lag <= most; lag += 1) {
    const value = correlation(a, b, lag);
    if (value > best.value) best = { lag, value };
  }
  return best;
}

/**
 * @param {Float32Array} part
 * @param {Float32Array} whole
 * @param {number} at
 */
function bestAround(part, whole, at) {
  let best = 0;
  for (let lag = at - SLACK; lag <= at + SLACK; lag += 1) best = Math.max(best, correlation(part, whole, lag));
  return best;
}

/**
 * Pearson's correlation of a[i] with b[i + lag], where b has such a place; at least half of `a` must.
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @param {number} lag
 */
function correlation(a, b, lag) {
  const from = Math.max(0, -lag);
  const to = Math.min(a.length, b.length - lag);
  const n = to - from;
  if (n < a.length / 2) return -1;
  let sa = 0;
  let sb = 0;
  let saa = 0;
  let sbb = 0;
  let sab = 0;
  for (let i = from; i < to; i += 1) {
    const x = a[i];
    const y = b[i + lag];
    sa += x;
    sb += y;
    saa += x * x;
    sbb += y * y;
    sab += x * y;
  }
  const spread = (saa - (sa * sa) / n) * (sbb - (sb * sb) / n);
  return spread > 0 ? (sab - (sa * sb) / n) / Math.sqrt(spread) : 0;
}
