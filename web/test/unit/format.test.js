import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, day, duration, hue, initials, stopwatch, when } from "../../src/format.js";

test("a duration is minutes and seconds, with hours only when there are any", () => {
  assert.equal(duration(0), "0:00");
  assert.equal(duration(null), "0:00");
  assert.equal(duration(4180), "0:04");
  assert.equal(duration(59_600), "1:00");
  assert.equal(duration(3_723_000), "1:02:03");
});

test("a running clock never shows time that is not yet over", () => {
  assert.equal(stopwatch(1999), "0:01.9");
  assert.equal(stopwatch(59_999), "0:59.9");
  assert.equal(stopwatch(60_000), "1:00.0");
});

test("a day is named by how long ago it was", () => {
  const now = new Date(2026, 4, 20, 9, 0);
  const at = (/** @type {Date} */ date) => day(date.toISOString(), "en", now);
  assert.equal(at(new Date(2026, 4, 20, 0, 1)), "Today");
  assert.equal(at(new Date(2026, 4, 19, 23, 59)), "Yesterday");
  assert.equal(at(new Date(2026, 4, 16)), "Saturday");
  assert.equal(at(new Date(2026, 2, 3)), "March 3");
  assert.equal(at(new Date(2024, 2, 3)), "March 3, 2024");
  assert.equal(day(new Date(2026, 4, 20, 1).toISOString(), "zh-CN", now), "今天");
});

test("a list shows the time of today, the weekday of this week, else the date", () => {
  const now = new Date(2026, 4, 20, 9, 0);
  assert.match(when(new Date(2026, 4, 20, 8, 5).toISOString(), "en-GB", now), /8:05/);
  assert.equal(when(new Date(2026, 4, 18).toISOString(), "en", now), "Mon");
  assert.equal(when(new Date(2025, 4, 18).toISOString(), "en", now), "5/18/25");
});

test("initials come from the first and the last word, of any script", () => {
  assert.equal(initials("Ana Maria Lindqvist"), "AL");
  assert.equal(initials("ben"), "B");
  assert.equal(initials("王 小明"), "王小");
  assert.equal(initials("  "), "");
  assert.equal(initials("🦊 fox"), "🦊F");
});

test("a colour belongs to an id", () => {
  assert.equal(hue("a"), hue("a"));
  assert.notEqual(hue("a"), hue("b"));
  assert.ok(hue("0192e4a0-0000-7000-8000-000000000000") < 360);
});

test("sizes are in kilobytes until they are megabytes", () => {
  assert.equal(bytes(12_544, "en"), "12.5 kB");
  assert.equal(bytes(5_300_000, "en"), "5.3 MB");
});
