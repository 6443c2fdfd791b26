import assert from "node:assert/strict";
import { test } from "node:test";
import { byteRate, roughTime } from "../../src/format.js";
import { Rate } from "../../src/uploads/rate.js";

test("the rate follows the last seconds, and the time left follows the rate", () => {
  const rate = new Rate();
  for (let s = 0; s <= 20; s += 1) rate.handleBytes(s * 1000, s * 1_000_000);
  assert.equal(rate.bytes_per_second, 1_000_000);
  assert.equal(rate.left_ms(25_000_000), 5000);
  for (let s = 21; s <= 40; s += 1) rate.handleBytes(s * 1000, 20_000_000 + (s - 20) * 100_000);
  assert.equal(rate.bytes_per_second, 100_000);
});

test("nothing is said before there is something to say, nor across a break or lost bytes", () => {
  const rate = new Rate();
  assert.equal(rate.bytes_per_second, null);
  rate.handleBytes(0, 0);
  rate.handleBytes(500, 9_000_000);
  assert.equal(rate.bytes_per_second, null, "the first bytes only fill buffers");
  rate.handleBytes(2000, 9_000_000);
  assert.equal(rate.bytes_per_second, 4_500_000);
  rate.handleBytes(2100, 5_000_000);
  assert.equal(rate.left_ms(10_000_000), null);
  rate.handleBytes(4100, 7_000_000);
  assert.equal(rate.bytes_per_second, 1_000_000);
  rate.handleBreak();
  assert.equal(rate.left_ms(10_000_000), null);
});

test("rates and times are told in one unit with few digits", () => {
  assert.equal(byteRate(1_234_567, "en"), "1.2 MB/s");
  assert.equal(byteRate(98_765, "en"), "99 kB/s");
  assert.equal(roughTime(400, "en"), "1 sec");
  assert.equal(roughTime(61_000, "en"), "61 sec");
  assert.equal(roughTime(150_000, "en"), "3 min");
  assert.equal(roughTime(7_300_000, "en"), "2 hr");
});
