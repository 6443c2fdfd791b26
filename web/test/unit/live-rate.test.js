import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LADDER, RateControl } from "../../src/live/rate.js";

/** The cases that all recorders of Voxpost are held to. @type {any} */
const vectors = JSON.parse(readFileSync(new URL("../../../crates/proto/vectors/rate.json", import.meta.url), "utf8"));

test("the ladder is the one of the other recorders", () => {
  assert.deepEqual(LADDER, vectors.ladder);
  assert.ok(vectors.cases.length >= 8);
});

for (const { name, reports, steps } of vectors.cases) {
  test(`rate: ${name}`, () => {
    const rate = new RateControl();
    const taken = reports.map((/** @type {number[]} */ [now_ms, acked_bytes, backlog_ms, rtt_ms]) => {
      rate.handleReport({ now_ms, acked_bytes, backlog_ms, rtt_ms });
      return rate.index;
    });
    assert.deepEqual(taken, steps);
  });
}
