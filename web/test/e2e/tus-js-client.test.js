import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Speaker, wavFile } from "./listening.js";
import { eventually, launch } from "./people.js";
import { startServer } from "./server.js";

const BUNDLE = new URL("../../node_modules/tus-js-client/dist/tus.min.js", import.meta.url);
/** So small that there are many of them. */
const CHUNK_BYTES = 256 << 10;

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof launch>>} */
let chrome;
/** Somebody else's page, at another origin. @type {import("node:http").Server} */
let site;
let origin = "";
const folder = mkdtempSync(join(tmpdir(), "voxpost-tus-"));

before(async () => {
  site = http.createServer((request, response) => {
    const script = request.url === "/tus.js";
    response.writeHead(200, { "Content-Type": script ? "text/javascript" : "text/html" });
    response.end(script ? readFileSync(BUNDLE) : "<!doctype html><title>Chat</title><link rel=icon href=data:,><script src=tus.js></script>");
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", () => resolve(undefined)));
  origin = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (site.address()).port}`;
  [server, chrome] = await Promise.all([startServer(["--allowed-origin", origin]), launch("jfk.opus")]);
});
after(async () => {
  await chrome?.close();
  site?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("unmodified tus-js-client at another site uploads in small chunks, pauses, resumes from its memory, and aborts", async () => {
  const [ana, ben] = await Promise.all([Speaker.signsUp(server.base, "Ana"), Speaker.signsUp(server.base, "Ben")]);
  const conversation = await ana.talksTo(ben);
  const context = await chrome.browser.newContext();
  const page = await context.newPage();
  await page.goto(origin);
  const sound = readFileSync(wavFile(join(folder, "jfk.wav"), 3 << 20));
  await page.evaluate(
    ({ endpoint, token, conversation_id, client_id, chunkSize, wav }) => {
      const bytes = Uint8Array.from(atob(wav), (char) => char.charCodeAt(0));
      const file = new File([bytes], "jfk.wav", { type: "audio/wav" });
      const page = /** @type {any} */ (window);
      page.progress = 0;
      page.make = () => {
        page.outcome = null;
        page.headers = null;
        return new page.tus.Upload(file, {
          endpoint,
          chunkSize,
          headers: { Authorization: `Bearer ${token}` },
          metadata: { conversation_id, client_id, filename: file.name, filetype: file.type },
          onAfterResponse: (/** @type {any} */ _request, /** @type {any} */ answer) => (page.messageId = answer.getHeader("Voxpost-Message-Id") || page.messageId),
          onChunkComplete: (/** @type {number} */ _size, /** @type {number} */ accepted) => {
            page.progress = accepted;
            // In the middle of it.
            if (page.pauseAt && accepted >= page.pauseAt) page.upload.abort().then(() => (page.outcome = "paused"));
          },
          onSuccess: () => (page.outcome = "done"),
          onError: (/** @type {Error} */ error) => (page.outcome = String(error)),
        });
      };
    },
    { endpoint: `${server.base}/v1/uploads`, token: ana.token, conversation_id: conversation, client_id: randomUUID(), chunkSize: CHUNK_BYTES, wav: sound.toString("base64") },
  );
  const outcome = () => page.waitForFunction(() => /** @type {any} */ (window).outcome).then((handle) => handle.jsonValue());

  // Paused in the middle.
  await page.evaluate((pauseAt) => {
    const page = /** @type {any} */ (window);
    page.pauseAt = pauseAt;
    page.upload = page.make();
    page.upload.start();
  }, 2 * CHUNK_BYTES);
  assert.equal(await outcome(), "paused");

  // Another one of the same file finds it again in localStorage.
  const before = await page.evaluate(async () => {
    const page = /** @type {any} */ (window);
    page.pauseAt = null;
    page.upload = page.make();
    const [previous] = await page.upload.findPreviousUploads();
    page.upload.resumeFromPreviousUpload(previous);
    page.upload.start();
    return previous.uploadUrl;
  });
  assert.ok(before.startsWith(`${server.base}/v1/uploads/`), before);
  assert.equal(await outcome(), "done");
  const { url, messageId, progress } = await page.evaluate(() => {
    const { upload, messageId, progress } = /** @type {any} */ (window);
    return { url: upload.url, messageId, progress };
  });
  assert.equal(url, before, "the same upload");
  assert.equal(progress, sound.length);
  const message = await eventually(async () => {
    const found = await ben.calls(`/v1/messages/${messageId}`);
    return found.state === "ready" && found;
  }, "Ben's message");
  assert.ok(message.duration_ms > 10_000, `${message.duration_ms}`);

  // Begun again and thrown away.
  const thrown = await page.evaluate(async (pauseAt) => {
    const page = /** @type {any} */ (window);
    page.pauseAt = pauseAt;
    page.upload = page.make();
    page.upload.options.metadata.client_id = crypto.randomUUID();
    page.upload.start();
    await new Promise((resolve) => {
      const look = () => (page.outcome ? resolve(undefined) : requestAnimationFrame(look));
      look();
    });
    await page.upload.abort(true);
    return page.upload.url ?? page.outcome;
  }, CHUNK_BYTES);
  assert.ok(thrown, "it was begun");
  const asked = await fetch(thrown, { method: "HEAD", headers: { Authorization: `Bearer ${ana.token}`, "Tus-Resumable": "1.0.0" } });
  assert.equal(asked.status, 404);
  assert.equal((await ben.calls(`/v1/conversations/${conversation}/messages`)).items.length, 1);
  await context.close();
});
