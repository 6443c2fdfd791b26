import assert from "node:assert/strict";
import { test } from "node:test";
import { SyncMachine } from "../../src/sync-machine.js";

/** @param {import("../../src/sync-machine.js").Effect[]} effects */
const kinds = (effects) => effects.map((effect) => effect.do);

/** A machine that is connected and live, at token `t1`. */
function live() {
  const machine = new SyncMachine(() => 0.5);
  machine.handleStart();
  machine.handleOpen();
  machine.handleEvent({ type: "welcome" });
  machine.handleEvent({ type: "synced", token: "t1" });
  machine.handleListed();
  return machine;
}

test("the first connection asks for no replay and lists once it is in step", () => {
  const machine = new SyncMachine(() => 0);
  assert.deepEqual(kinds(machine.handleStart()), ["status", "connect"]);
  assert.deepEqual(machine.handleOpen(), [{ do: "send", message: { type: "hello" } }]);
  assert.deepEqual(machine.handleEvent({ type: "welcome" }), []);
  assert.deepEqual(machine.handleEvent({ type: "synced", token: "t1" }), [{ do: "status", status: "live" }, { do: "list" }]);
});

test("a reconnection goes on from the newest token and lists nothing", () => {
  const machine = live();
  assert.deepEqual(kinds(machine.handleEvent({ type: "message.created", token: "t2" })), ["deliver"]);
  assert.deepEqual(kinds(machine.handleEvent({ type: "typing" })), ["deliver"]);
  assert.deepEqual(kinds(machine.handleClose(1006)), ["status", "wait"]);
  assert.deepEqual(kinds(machine.handleTimer()), ["status", "connect"]);
  assert.deepEqual(machine.handleOpen(), [{ do: "send", message: { type: "hello", since: "t2" } }]);
  machine.handleEvent({ type: "welcome" });
  assert.deepEqual(kinds(machine.handleEvent({ type: "message.created", token: "t3" })), ["deliver"]);
  assert.deepEqual(kinds(machine.handleEvent({ type: "synced", token: "t3" })), ["status"]);
  assert.equal(machine.token, "t3");
});

test("a token that is too old makes it begin again from a list", () => {
  const machine = live();
  machine.handleClose(1006);
  machine.handleTimer();
  machine.handleOpen();
  machine.handleEvent({ type: "welcome" });
  assert.deepEqual(kinds(machine.handleEvent({ type: "resync_required", token: "t9" })), ["close", "connect"]);
  assert.deepEqual(machine.handleOpen(), [{ do: "send", message: { type: "hello" } }]);
  machine.handleEvent({ type: "welcome" });
  assert.deepEqual(kinds(machine.handleEvent({ type: "synced", token: "t9" })), ["status", "list"]);
});

test("waits grow, are jittered, end at 30 s, and begin small again after a success", () => {
  const machine = live();
  const waits = Array.from({ length: 9 }, () => {
    const wait = machine.handleClose(1006).find((effect) => effect.do === "wait");
    machine.handleTimer();
    return wait?.do === "wait" ? wait.ms : NaN;
  });
  assert.deepEqual(waits, [375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
  machine.handleOpen();
  machine.handleEvent({ type: "welcome" });
  machine.handleEvent({ type: "synced", token: "t2" });
  assert.deepEqual(machine.handleClose(1006).at(1), { do: "wait", ms: 375 });
});

test("a socket that is refused, or closed for a reason of the session, makes it ask whether the session is still good", () => {
  const refused = new SyncMachine(() => 0);
  refused.handleStart();
  assert.ok(kinds(refused.handleClose(1006)).includes("check_session"));
  assert.ok(kinds(live().handleClose(1008)).includes("check_session"));
  assert.ok(!kinds(live().handleClose(1006)).includes("check_session"));
});

test("when the network comes back it does not wait any longer, and replaces a socket that may be dead", () => {
  const machine = live();
  assert.deepEqual(kinds(machine.handleWake()), ["close", "connect"]);
  machine.handleClose(1006);
  assert.deepEqual(kinds(machine.handleWake()), ["connect"]);
  assert.deepEqual(machine.handleTimer(), [], "the old wait is over");
});

test("a list that fails is tried again with the next connection, later each time", () => {
  const machine = new SyncMachine(() => 0.5);
  machine.handleStart();
  const waits = Array.from({ length: 3 }, () => {
    machine.handleOpen();
    machine.handleEvent({ type: "welcome" });
    assert.ok(kinds(machine.handleEvent({ type: "synced", token: "t" })).includes("list"));
    const effects = machine.handleListFailed();
    machine.handleTimer();
    return effects.find((effect) => effect.do === "wait");
  });
  assert.deepEqual(waits, [375, 750, 1500].map((ms) => ({ do: "wait", ms })));
});

test("after it is stopped nothing moves it", () => {
  const machine = live();
  assert.deepEqual(kinds(machine.handleStop()), ["close"]);
  for (const effects of [machine.handleClose(1006), machine.handleTimer(), machine.handleWake(), machine.handleEvent({ type: "x" })]) {
    assert.deepEqual(effects, []);
  }
  assert.equal(machine.token, null);
});
