import assert from "node:assert/strict";
import { test } from "node:test";
import { barPath, forDisplay, meterLevel, resample } from "../../src/waveform.js";

test("fewer bars keep the loudest of each stretch, so that no peak is lost", () => {
  assert.deepEqual(resample([1, 9, 2, 3, 8, 1], 3), [9, 3, 8]);
  assert.equal(Math.max(...resample(Array.from({ length: 100 }, (_, i) => (i === 57 ? 1024 : 0)), 46)), 1024);
});

test("more bars go straight from one level to the next", () => {
  assert.deepEqual(resample([0, 10], 3), [0, 5, 10]);
  assert.deepEqual(resample([7], 3), [7, 7, 7]);
  assert.deepEqual(resample([], 2), [0, 0]);
});

test("every bar is drawn, and none leaves the box, whatever the levels are", () => {
  for (const waveform of [null, [], [0, 512, 1024], [-5, 5000]]) {
    const path = barPath(waveform, 46, 32);
    const strokes = [...path.matchAll(/M([\d.]+) ([\d.-]+)V([\d.-]+)/g)];
    assert.equal(strokes.length, 46);
    for (const [, x, top, bottom] of strokes) {
      assert.ok(Number(x) > 0 && Number(x) < 46);
      assert.ok(Number(top) >= 0 && Number(bottom) <= 32.01 && Number(top) < Number(bottom));
    }
  }
});

test("a quiet message is lifted until its shape shows, near silence is not", () => {
  assert.deepEqual(forDisplay([0, 256, 512]), [0, 512, 1024]);
  assert.deepEqual(forDisplay([1024, 512]), [1024, 512]);
  assert.deepEqual(forDisplay([0, 1]), [0, 4]);
  assert.equal(forDisplay(null), null);
  assert.equal(forDisplay([]), null);
});

test("the meter is empty at −60 dBFS and full at −6", () => {
  const constant = (/** @type {number} */ value) => new Float32Array(64).fill(value);
  assert.equal(meterLevel(constant(0)), 0);
  assert.ok(meterLevel(constant(0.001)) < 1e-6);
  assert.ok(Math.abs(meterLevel(constant(10 ** (-33 / 20))) - 0.5) < 1e-3);
  assert.equal(meterLevel(constant(1)), 1);
  assert.equal(meterLevel(new Float32Array(0)), 0);
});
