import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../src/api.js";
import { Resumable } from "../../src/uploads/resumable.js";
import { Tus } from "../../src/uploads/tus.js";
import { TusServer, seeded } from "./tus-server.js";

/** @typedef {import("../../src/uploads/journal.js").Begun} Begun */

const metadata = { conversation_id: "c1", client_id: "x1", filename: "你好.wav", filetype: "audio/wav" };

/**
 * A page that sends `bytes`. It never really waits. What it remembers is in `kept`, for the next page.
 * @param {TusServer} server
 * @param {Uint8Array} bytes
 * @param {{ begun: Begun | null }} [kept]
 */
function page(server, bytes, kept = { begun: null }) {
  const controller = new AbortController();
  /** @type {(ApiError | null)[]} */
  const waits = [];
  /** @type {number[]} */
  const progress = [];
  const upload = new Resumable({
    tus: new Tus(() => "token", server.request),
    blob: new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)]),
    metadata,
    begun: kept.begun,
    random: () => 0.5,
    chunk_bytes: 10,
    hooks: {
      signal: controller.signal,
      queued: () => {},
      sending: (sent) => void progress.push(sent),
      waiting: (error) => void waits.push(error),
      remember: async (begun) => void (kept.begun = begun),
      pause: async () => {},
    },
  });
  return { upload, controller, kept, waits, progress };
}

const bytesOf = (/** @type {number} */ length) => Uint8Array.from({ length }, (_, i) => i % 251);
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a file goes up with its metadata, and the token goes nowhere but to the server of the page", async () => {
  const server = new TusServer();
  const { upload, kept, progress } = page(server, bytesOf(25));
  assert.equal(await upload.run(), "m1");
  assert.deepEqual(server.messages.get("m1"), [...bytesOf(25)]);
  assert.deepEqual(server.log, ["POST", "PATCH", "PATCH", "PATCH"]);
  assert.deepEqual(kept.begun, { url: "/v1/uploads/u1", offset: 25 });
  assert.deepEqual(progress, [0, 0, 10, 20]);
  const told = Object.fromEntries((server.uploads.get("/v1/uploads/u1")?.metadata ?? "").split(",").map((pair) => pair.split(" ")));
  assert.equal(Buffer.from(told.filename, "base64").toString(), "你好.wav");
  assert.equal(Buffer.from(told.client_id, "base64").toString(), "x1");
});

test("whatever happens to requests, answers, pages and the server, the file arrives whole and no acknowledged byte goes twice", async () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = seeded(seed);
    const bytes = bytesOf(1 + Math.floor(random() * 80));
    let trouble = 40;
    /** @type {() => void} */
    let kill = () => {};
    const server = new TusServer((asked) => {
      if (trouble === 0 || random() < 0.4) return null;
      trouble -= 1;
      const dice = Math.floor(random() * 7);
      if (dice === 0) return { lost: "request" };
      if (dice === 1) return { lost: "answer" };
      if (dice === 2 && asked.method === "PATCH") return { cut: Math.floor(random() * 11) };
      if (dice === 3) return { says: new ApiError("unavailable", 503, "", random() < 0.5 ? 1000 : null) };
      if (dice === 4 && asked.method === "PATCH") return { says: new ApiError("upload_offset_mismatch", 409) };
      if (dice === 5 && asked.method !== "POST" && server.messages.size === 0) {
        server.uploads.clear();
        return null;
      }
      if (dice === 6) kill();
      return null;
    });
    /** @type {{ begun: Begun | null }} */
    const kept = { begun: null };
    let message = null;
    while (!message) {
      const { upload, controller } = page(server, bytes, kept);
      kill = () => controller.abort("left");
      message = await upload.run().catch((error) => (error.code === "left" ? null : Promise.reject(error)));
      await settled();
    }
    assert.deepEqual(server.messages.get(message), [...bytes], `seed ${seed}`);
    assert.equal(server.messages.size, 1, `seed ${seed}: once`);
  }
});

test("a refusal is told with its code, and the upload can be asked about later", async () => {
  const server = new TusServer(({ method }) => (method === "PATCH" ? { says: new ApiError("audio_unrecognised", 415) } : null));
  const { upload, kept } = page(server, bytesOf(5));
  await assert.rejects(upload.run(), { code: "audio_unrecognised" });
  assert.equal(kept.begun?.url, "/v1/uploads/u1");
});

test("what is cancelled is ended at the server, whenever that happens", async () => {
  for (const method of ["POST", "PATCH", "HEAD"]) {
    /** @type {() => void} */
    let cancel = () => {};
    const server = new TusServer((asked) => {
      if (asked.method === method) cancel();
      return asked.method === "PATCH" ? { lost: "request" } : null;
    });
    const { upload, controller } = page(server, bytesOf(25));
    cancel = () => controller.abort("cancelled");
    await assert.rejects(upload.run(), { code: "cancelled" }, method);
    for (let i = 0; i < 5; i += 1) await settled();
    assert.equal(server.uploads.size, 0, method);
    assert.equal(server.log.at(-1), "DELETE", method);
  }
});

test("a file that cannot be read any more is told, and not tried for ever", async () => {
  const server = new TusServer();
  const { upload } = page(server, bytesOf(25));
  const { slice } = Blob.prototype;
  Blob.prototype.slice = () => /** @type {any} */ ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) });
  try {
    await assert.rejects(upload.run(), { code: "file_unreadable" });
  } finally {
    Blob.prototype.slice = slice;
  }
});
