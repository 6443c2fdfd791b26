import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SAME, decode, likeness } from "./sound.js";

const file = (/** @type {string} */ name) => fileURLToPath(new URL(`../sounds/${name}`, import.meta.url));
const jfk = decode(file("jfk.opus"), { opus: true });
const numbers = decode(file("numbers.opus"), { opus: true });

/** @param {string[]} filter  ffmpeg arguments */
const changed = (...filter) => {
  const opus = execFileSync("ffmpeg", ["-loglevel", "error", "-i", file("jfk.opus"), ...filter, "-c:a", "libopus", "-b:a", "16k", "-f", "ogg", "-"]);
  return decode(opus, { opus: true });
};

test("the same speech is recognised late, quiet, coded once more and in some noise", () => {
  for (const heard of [
    changed("-af", "adelay=430"),
    changed("-af", "volume=-14dB"),
    changed("-filter_complex", "anoisesrc=a=0.004:r=48000:d=6[n];[0][n]amix=normalize=0"),
  ]) {
    const { envelope, waveform } = likeness(jfk, heard);
    assert.ok(envelope > SAME.envelope && waveform > SAME.waveform, `${envelope} ${waveform}`);
  }
});

test("other speech, noise, silence, and the same speech backwards are told apart", () => {
  const noise = Float32Array.from({ length: jfk.length }, (_, i) => Math.sin(i * i * 0.7) * 0.1);
  for (const heard of [numbers, noise, new Float32Array(jfk.length), Float32Array.from(jfk).reverse()]) {
    const { envelope, waveform } = likeness(jfk, heard);
    assert.ok(envelope < SAME.envelope && waveform < SAME.waveform, `${envelope} ${waveform}`);
  }
});

test("speech of which the second half is missing is told apart", () => {
  for (const heard of [jfk.subarray(0, jfk.length / 2), Float32Array.from(jfk).fill(0, jfk.length / 2)]) {
    const { waveform } = likeness(jfk, heard);
    assert.ok(waveform < SAME.waveform, String(waveform));
  }
});
