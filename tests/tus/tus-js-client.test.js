import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import * as tus from "tus-js-client";
import { heard, sound, stage } from "./server.js";

let at;
before(async () => { at = await stage(); });
after(() => at.stop());

/** Uploads; gives the finished client object, or throws what it was told. */
function upload(bytes, options = {}) {
  return new Promise((resolve, reject) => {
    const client = new tus.Upload(Buffer.from(bytes), {
      endpoint: `${at.base}/v1/uploads`,
      headers: { authorization: `Bearer ${at.ana.token}` },
      metadata: { conversation_id: at.conversation, client_id: randomUUID(), filename: "voice.webm", filetype: "audio/webm" },
      retryDelays: [0, 50, 100],
      onError: reject,
      onSuccess: () => resolve(client),
      ...options,
    });
    options.begun?.(client);
    client.start();
  });
}

test("a file in one request is a message", async () => {
  const done = await upload(sound);
  const { status, message } = await heard(at, done.url);
  assert.equal(status.state, "sent");
  assert.equal(message.state, "ready");
});

test("a file in small pieces is a message", async () => {
  const done = await upload(sound, { chunkSize: 1000 });
  assert.equal((await heard(at, done.url)).status.offset, sound.length);
});

test("the first bytes come with the creation", async () => {
  const done = await upload(sound, { chunkSize: 3000, uploadDataDuringCreation: true });
  assert.equal((await heard(at, done.url)).message.state, "ready");
});

test("an upload that was interrupted goes on in another process with its address", async () => {
  const url = await new Promise((resolve, reject) => {
    const client = new tus.Upload(Buffer.from(sound), {
      endpoint: `${at.base}/v1/uploads`,
      headers: { authorization: `Bearer ${at.ana.token}` },
      metadata: { conversation_id: at.conversation },
      chunkSize: 2000,
      onError: reject,
      onChunkComplete: async (_, accepted) => {
        if (accepted < 4000) return;
        await client.abort();
        resolve(client.url);
      },
    });
    client.start();
  });
  let first;
  const done = await upload(sound, { uploadUrl: url, chunkSize: 2000, onProgress: (sent) => { first ??= sent; } });
  assert.equal(done.url, url);
  assert.ok(first >= 4000, `it began at ${first}`);
  assert.equal((await heard(at, url)).status.state, "sent");
});

test("what is no sound is told to the client with its code", async () => {
  const error = await upload(Buffer.from("no sound here, none")).then(() => null, (error) => error);
  assert.equal(error.originalResponse.getStatus(), 415);
  assert.equal(JSON.parse(error.originalResponse.getBody()).code, "audio_unrecognised");
});

test("an upload is ended with its bytes", async () => {
  const made = await upload(sound, { metadata: {} });
  assert.equal((await heard(at, made.url)).status.state, "held");
  await made.abort(true);
  const gone = await fetch(made.url, { headers: { authorization: `Bearer ${at.ana.token}` } });
  assert.equal(gone.status, 404);
});
