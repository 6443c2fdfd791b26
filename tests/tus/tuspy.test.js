import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { heard, stage } from "./server.js";

let at;
before(async () => { at = await stage(); });
after(() => at.stop());

test("tuspy uploads with checksums, is interrupted, goes on, and the message is there", async () => {
  const here = (name) => fileURLToPath(new URL(name, import.meta.url));
  const file = here("../../crates/audio/fixtures/opus/chromium.webm");
  const run = spawnSync(here(".venv/bin/python"), [here("upload.py"), at.base, at.ana.token, at.conversation, file], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  const urls = run.stdout.trim().split("\n");
  assert.equal(urls.length, 2);
  for (const url of urls) {
    const { status, message } = await heard(at, url);
    assert.equal(status.state, "sent");
    assert.equal(message.state, "ready");
  }
});
