import assert from "node:assert/strict";
import { test } from "node:test";
import { Api, ApiError, problem } from "../../src/api.js";
import { extension, limitMs } from "../../src/recorder.js";
import { chooseFormat } from "../../src/playback/format.js";

/** @param {(path: string, init: any) => Response} answer */
const apiThat = (answer) => new Api(/** @type {any} */ (async (/** @type {string} */ path, /** @type {any} */ init) => answer(path, init)));

test("an error is known by the code of its problem details", () => {
  const error = problem(422, JSON.stringify({ code: "audio_empty", detail: "nothing in it" }), null);
  assert.equal(error.code, "audio_empty");
  assert.equal(error.message, "nothing in it");
  assert.equal(error.passing, false);
});

test("a page of a proxy in between is an error like any other", () => {
  assert.equal(problem(502, "<html>Bad gateway</html>", null).code, "unavailable");
  assert.equal(problem(502, "", null).passing, true);
  assert.equal(problem(404, "nginx", null).code, "unknown");
});

test("what may pass by itself is told from what will not", () => {
  assert.equal(problem(429, "{}", "3").retryAfterMs, 3000);
  assert.equal(problem(429, "{}", "soon").retryAfterMs, null);
  for (const [status, passing] of [[0, true], [400, false], [401, false], [409, false], [429, true], [500, true], [507, true]]) {
    assert.equal(new ApiError("x", Number(status)).passing, passing, String(status));
  }
});

test("calls carry the token, and without an answer the error is `network`", async () => {
  const api = apiThat((path, { headers }) => Response.json({ path, auth: headers.Authorization ?? null }));
  assert.deepEqual(await api.me(), { path: "/v1/me", auth: null });
  api.token = "secret";
  assert.deepEqual(await api.me(), { path: "/v1/me", auth: "Bearer secret" });
  const away = new Api(async () => {
    throw new TypeError("Failed to fetch");
  });
  await assert.rejects(away.me(), { code: "network", status: 0 });
});

test("a session that is over is told once, a wrong password is not a session that is over", async () => {
  let told = 0;
  const api = apiThat(() => new Response(JSON.stringify({ code: "unauthenticated" }), { status: 401 }));
  api.onUnauthenticated = () => (told += 1);
  await assert.rejects(api.signIn({ username: "ana", password: "wrong" }), { code: "unauthenticated" });
  assert.equal(told, 0);
  api.token = "revoked";
  await assert.rejects(api.me(), { code: "unauthenticated" });
  assert.equal(told, 1);
});

test("an empty answer is no error, and names are escaped in addresses", async () => {
  /** @type {string[]} */
  const paths = [];
  const api = apiThat((path) => (paths.push(path), new Response(null, { status: 204 })));
  assert.equal(await api.deleteMessage("m1"), null);
  await api.findUsers("a&b=c #");
  assert.equal(paths[1], "/v1/users?query=a%26b%3Dc+%23");
});

test("of the forms that the server has, the best one that the browser plays is chosen", () => {
  const plays = (/** @type {Record<string, string>} */ answers) => (/** @type {string} */ type) => answers[type.split(";")[0]] ?? "";
  assert.equal(chooseFormat(["ogg", "webm", "mp4"], plays({ "audio/ogg": "probably", "audio/webm": "probably" })), "ogg");
  assert.equal(chooseFormat(["ogg", "mp4", "wav"], plays({ "audio/mp4": "probably", "audio/wav": "maybe" })), "mp4");
  assert.equal(chooseFormat(["ogg", "wav"], plays({ "audio/wav": "maybe" })), "wav");
  assert.equal(chooseFormat(["ogg"], plays({})), "ogg");
  assert.equal(chooseFormat([], plays({})), "ogg");
});

test("a recording ends before the server's limit, and is named after what it is", () => {
  assert.equal(limitMs(3_600_000), 3_598_000);
  assert.equal(limitMs(5000), 4500);
  assert.equal(extension("audio/webm;codecs=opus"), "webm");
  assert.equal(extension("audio/mp4"), "m4a");
});
