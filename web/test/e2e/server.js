import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 30_000;
const STOP_MS = 15_000;

/**
 * Starts the server under test on a free port with a data folder of its own.
 * @param {string[]} [args]  further arguments of `voxpost serve`
 * @param {Record<string, string>} [env]
 */
export async function startServer(args = [], env = {}) {
  const data = mkdtempSync(join(tmpdir(), "voxpost-web-"));
  const run = (/** @type {string} */ listen) => start(["serve", "--listen", listen, "--data-dir", join(data, "data"), ...args], env);
  let running = await run("127.0.0.1:0");
  const { base } = running;
  /** Ends it as a power cut would. */
  const crash = () => end(running, "SIGKILL");
  /** The same data at the same address. */
  const comeBack = async () => {
    running = await run(new URL(base).host);
  };
  const stop = async () => {
    await end(running, "SIGTERM");
    rmSync(data, { recursive: true, force: true });
  };
  return { base, crash, comeBack, stop };
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
async function start(args, env) {
  const binary = process.env.VOXPOST_BIN;
  if (!binary) throw new Error("Set VOXPOST_BIN to the voxpost binary to test, such as ../target/debug/voxpost (an absolute path is safest).");
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...withoutVoxpost(process.env), ...env } });
  /** @type {string[]} */
  const log = [];
  const exited = new Promise((resolve) => child.once("exit", resolve));
  createInterface(child.stderr).on("line", (line) => log.push(line));
  const base = await new Promise((/** @type {(base: string) => void} */ resolve, reject) => {
    const fail = (/** @type {string} */ why) => reject(new Error(`${binary} ${why}:\n${log.slice(-20).join("\n")}`));
    const timer = setTimeout(() => fail(`did not listen within ${START_MS} ms`), START_MS);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`ended with ${code} instead of listening`));
    createInterface(child.stdout).on("line", (line) => {
      log.push(line);
      const address = /^voxpost listening on (\S+)/.exec(line)?.[1];
      if (!address) return;
      clearTimeout(timer);
      resolve(address.replace(/\/$/, ""));
    });
  });
  return { child, exited, base };
}

/**
 * @param {Awaited<ReturnType<typeof start>>} server
 * @param {NodeJS.Signals} signal
 */
async function end({ child, exited }, signal) {
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await exited;
  clearTimeout(timer);
}

/** Settings of whoever runs the tests must not reach the server. @param {NodeJS.ProcessEnv} env */
const withoutVoxpost = (env) => Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("VOXPOST_")));
