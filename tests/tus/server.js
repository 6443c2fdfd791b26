// The built server with two people and their conversation, for tests of clients that know nothing of Voxpost.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 60_000;

/** A recording, as a browser made it. */
export const sound = readFileSync(new URL("../../crates/audio/fixtures/opus/chromium.webm", import.meta.url));

export async function stage() {
  const binary = process.env.VOXPOST_BIN;
  if (!binary) throw new Error("Set VOXPOST_BIN to the voxpost binary to test (an absolute path).");
  const data = mkdtempSync(join(tmpdir(), "voxpost-tus-"));
  const args = ["serve", "--listen", "127.0.0.1:0", "--data-dir", join(data, "data"), "--patience-ms", "60000", "--log", "warn"];
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const base = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the server does not listen")), START_MS);
    child.once("exit", () => reject(new Error("the server ended")));
    createInterface(child.stdout).on("line", (line) => {
      const address = /^voxpost listening on (\S+)/.exec(line)?.[1];
      if (!address) return;
      clearTimeout(timer);
      resolve(address.replace(/\/$/, ""));
    });
  });
  const call = async (method, path, token, body) => {
    const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  const person = (username) => call("POST", "/v1/accounts", "", { username, password: "correct horse battery" });
  const [ana, ben] = [await person("ana"), await person("ben")];
  const conversation = await call("POST", "/v1/conversations", ana.token, { kind: "direct", members: ["ben"] });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
  return { base, ana, ben, conversation: conversation.id, call, stop };
}

/** What the other person hears must be a message of this very upload. */
export async function heard(stage, uploadUrl) {
  const { pathname } = new URL(uploadUrl);
  const status = await stage.call("GET", pathname, stage.ana.token);
  const list = await stage.call("GET", `/v1/conversations/${stage.conversation}/messages`, stage.ben.token);
  const message = list.items.find((item) => item.id === status.message_id);
  return { status, message, messages: list.items.length };
}
