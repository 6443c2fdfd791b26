import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../src/api.js";
import { UploadMachine } from "../../src/uploads/machine.js";

/** @typedef {import("../../src/uploads/machine.js").Effect} Effect */

const URL_1 = "/v1/uploads/u1";
const away = () => new ApiError("network", 0);
const kinds = (/** @type {Effect[]} */ effects) => effects.map((effect) => effect.do);

const machine = (/** @type {import("../../src/uploads/journal.js").Begun | null} */ begun = null, length = 25) =>
  new UploadMachine({ length, chunk_bytes: 10, begun, random: () => 1 });

/** One that is created and sends its first chunk. */
function sending() {
  const made = machine();
  made.handleStart();
  made.handleCreated(URL_1);
  return made;
}

test("a file goes up in chunks, and its message ends it", () => {
  const made = machine();
  assert.deepEqual(made.handleStart(), [{ do: "create" }]);
  assert.deepEqual(made.handleCreated(URL_1), [
    { do: "remember", begun: { url: URL_1, offset: 0 } },
    { do: "send", url: URL_1, offset: 0, length: 10 },
  ]);
  assert.deepEqual(made.handleSent(10, null).at(-1), { do: "send", url: URL_1, offset: 10, length: 10 });
  assert.deepEqual(made.handleSent(20, null), [
    { do: "remember", begun: { url: URL_1, offset: 20 } },
    { do: "send", url: URL_1, offset: 20, length: 5 },
  ]);
  assert.deepEqual(made.handleSent(25, "m1").at(-1), { do: "done", messageId: "m1" });
});

test("an upload of an earlier page is asked where it is before a byte is sent", () => {
  const made = machine({ url: URL_1, offset: 10 });
  assert.deepEqual(made.handleStart(), [{ do: "look", url: URL_1 }]);
  // The answer to the last request was lost; the server had taken more.
  assert.deepEqual(made.handleOffset(17).at(-1), { do: "send", url: URL_1, offset: 17, length: 8 });
});

test("after a broken request it waits, later each time, and asks where it is", () => {
  const made = sending();
  for (const ms of [500, 1000, 2000]) {
    const error = away();
    assert.deepEqual(made.handleFailed(error), [{ do: "wait", ms, error }]);
    assert.deepEqual(made.handleTimer(), [{ do: "look", url: URL_1 }]);
  }
  assert.deepEqual(kinds(made.handleOffset(4)), ["remember", "send"]);
  assert.equal(made.handleFailed(away()).find((effect) => effect.do === "wait")?.ms, 500, "small again after it went forward");
});

test("a server that says when it will be back is not asked before", () => {
  const error = new ApiError("unavailable", 503, "", 7000);
  assert.deepEqual(sending().handleFailed(error), [{ do: "wait", ms: 7000, error }]);
});

test("an offset that is wrong is looked up at once, and with a pause when that does not help", () => {
  const made = sending();
  const mismatch = () => new ApiError("upload_offset_mismatch", 409);
  assert.deepEqual(made.handleFailed(mismatch()), [{ do: "look", url: URL_1 }]);
  assert.deepEqual(made.handleOffset(0), [{ do: "send", url: URL_1, offset: 0, length: 10 }]);
  assert.deepEqual(kinds(made.handleFailed(mismatch())), ["wait"]);
});

test("an upload that is gone is begun anew, at once if it had come somewhere, and never in a hot loop", () => {
  for (const error of [new ApiError("not_found", 404), new ApiError("upload_expired", 410)]) {
    const resumed = machine({ url: URL_1, offset: 10 });
    resumed.handleStart();
    assert.deepEqual(resumed.handleFailed(error), [{ do: "remember", begun: null }, { do: "create" }]);
    assert.equal(resumed.handleCreated("/v1/uploads/u2").at(-1)?.do, "send");
    assert.deepEqual(kinds(resumed.handleFailed(error)), ["remember", "wait"]);
    assert.deepEqual(resumed.handleTimer(), [{ do: "create" }]);
  }
});

test("what is refused ends it: before it begins, in the middle, and when all is there", () => {
  const refusals = [["voice_not_accepted", 403], ["not_found", 404], ["audio_too_large", 413], ["quota_exceeded", 429]];
  for (const [code, status] of refusals) {
    const error = new ApiError(String(code), Number(status));
    const made = machine();
    made.handleStart();
    assert.deepEqual(made.handleFailed(error), [{ do: "failed", error }]);
  }
  const error = new ApiError("audio_corrupt", 422);
  assert.deepEqual(sending().handleFailed(error), [{ do: "failed", error }]);
});

test("a whole upload is asked what became of it, until it is known", () => {
  const whole = () => {
    const made = machine({ url: URL_1, offset: 20 });
    made.handleStart();
    // The answer to the last chunk was lost: an empty one brings it again, or tells that there is none yet.
    assert.deepEqual(made.handleOffset(25).at(-1), { do: "send", url: URL_1, offset: 25, length: 0 });
    assert.deepEqual(made.handleSent(25, null), [{ do: "ask", url: URL_1 }]);
    return made;
  };
  const sent = whole();
  assert.deepEqual(sent.handleState("ingesting", null, null), [{ do: "wait", ms: 500, error: null }]);
  assert.equal(sent.handleTimer().at(-1)?.do, "send");
  sent.handleSent(25, null);
  assert.deepEqual(sent.handleState("sent", "m1", null), [{ do: "done", messageId: "m1" }]);

  const [failed] = whole().handleState("failed", null, "audio_too_long");
  assert.equal(failed.do === "failed" && failed.error.code, "audio_too_long");

  const held = whole();
  assert.deepEqual(held.handleState("held", null, null), [{ do: "claim", url: URL_1 }]);
  assert.deepEqual(held.handleClaimed("m2"), [{ do: "done", messageId: "m2" }]);

  const odd = whole();
  assert.deepEqual(odd.handleState("receiving", null, null), [{ do: "look", url: URL_1 }]);
  odd.handleOffset(25);
  odd.handleSent(25, null);
  assert.deepEqual(kinds(odd.handleState("receiving", null, null)), ["wait"], "a server that contradicts itself is not asked in a hot loop");
});

test("a server that takes nothing of a chunk is not asked again at once", () => {
  assert.deepEqual(kinds(sending().handleSent(0, null)), ["wait"]);
});

test("cancelling ends the request, and the upload at the server", () => {
  const made = sending();
  assert.deepEqual(made.handleCancel(), [{ do: "abort" }, { do: "delete", url: URL_1 }]);
  assert.deepEqual(made.handleSent(10, null), [], "what is still on its way changes nothing");
  assert.deepEqual(kinds(made.handleFailed(away())), ["wait"]);
  assert.deepEqual(made.handleTimer(), [{ do: "delete", url: URL_1 }]);
  assert.deepEqual(made.handleDeleted(), [{ do: "ended" }]);

  const waiting = sending();
  waiting.handleFailed(away());
  assert.deepEqual(kinds(waiting.handleCancel()), ["abort", "delete"]);
});

test("cancelling while it is created waits for the address, so that nothing is left at the server", () => {
  const made = machine();
  made.handleStart();
  assert.deepEqual(made.handleCancel(), []);
  assert.deepEqual(made.handleCreated(URL_1), [{ do: "delete", url: URL_1 }]);
  assert.deepEqual(made.handleFailed(new ApiError("not_found", 404)), [{ do: "ended" }]);

  const never = machine();
  never.handleStart();
  never.handleCancel();
  assert.deepEqual(never.handleFailed(away()), [{ do: "ended" }]);
});

test("an upload that cannot be ended is left to expire after some attempts", () => {
  const made = sending();
  made.handleCancel();
  let effects = made.handleFailed(away());
  let waits = 0;
  for (; effects[0].do === "wait"; waits += 1) {
    made.handleTimer();
    effects = made.handleFailed(away());
  }
  assert.deepEqual([waits, effects], [4, [{ do: "ended" }]]);
});
