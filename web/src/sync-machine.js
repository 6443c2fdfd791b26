import { backoff } from "./backoff.js";

/**
 * The rules of staying in step with the server, without a socket, a clock or randomness of their own: what happened goes
 * in through `handle…`, what to do comes out as a list of effects. socket.js performs them.
 *
 * Connect first, then list: without `since` the server replays nothing, so everything is listed after `synced`. From then
 * on the newest token is kept, and a reconnection is answered with what was missed.
 *
 * @typedef {"offline" | "connecting" | "live"} Status
 * @typedef {import("./types.js").SocketEvent} SocketEvent
 * @typedef {{ do: "connect" }
 *   | { do: "close" }
 *   | { do: "send", message: SocketEvent }
 *   | { do: "wait", ms: number }
 *   | { do: "deliver", event: SocketEvent }
 *   | { do: "list" }
 *   | { do: "check_session" }
 *   | { do: "status", status: Status }} Effect
 */
export class SyncMachine {
  /** @type {"stopped" | "connecting" | "greeting" | "replaying" | "live" | "waiting"} */
  phase = "stopped";
  /** @type {string | null} The newest token; null makes the next connection start from a list. */
  token = null;
  attempt = 0;
  #mustList = true;
  #random;

  /** @param {() => number} random 0..1, for the jitter */
  constructor(random) {
    this.#random = random;
  }

  /** @returns {Effect[]} */
  handleStart() {
    if (this.phase !== "stopped") return [];
    this.phase = "connecting";
    return [{ do: "status", status: "connecting" }, { do: "connect" }];
  }

  /** @returns {Effect[]} */
  handleOpen() {
    if (this.phase !== "connecting") return [];
    this.phase = "greeting";
    return [{ do: "send", message: this.token ? { type: "hello", since: this.token } : { type: "hello" } }];
  }

  /**
   * @param {SocketEvent} event
   * @returns {Effect[]}
   */
  handleEvent(event) {
    if (this.phase === "stopped" || this.phase === "waiting") return [];
    switch (event.type) {
      case "welcome":
        this.phase = "replaying";
        return [];
      case "synced": {
        this.token = event.token ?? this.token;
        this.phase = "live";
        /** @type {Effect[]} */
        const effects = [{ do: "status", status: "live" }];
        if (this.#mustList) effects.push({ do: "list" });
        else this.attempt = 0;
        return effects;
      }
      case "resync_required":
        // The log no longer reaches back to our token: begin again as on the first visit.
        this.token = null;
        this.#mustList = true;
        this.phase = "connecting";
        return [{ do: "close" }, { do: "connect" }];
      default:
        if (event.token) this.token = event.token;
        return [{ do: "deliver", event }];
    }
  }

  /**
   * @param {number} code  WebSocket close code
   * @returns {Effect[]}
   */
  handleClose(code) {
    if (this.phase === "stopped" || this.phase === "waiting") return [];
    // A browser does not tell why a handshake failed, so a socket that was refused may mean a session that is over.
    const refused = this.phase === "connecting" || this.phase === "greeting" || code === 1008 || code >= 4000;
    this.phase = "waiting";
    const ms = backoff(this.attempt, this.#random);
    this.attempt += 1;
    /** @type {Effect[]} */
    const effects = [{ do: "status", status: "offline" }, { do: "wait", ms }];
    if (refused) effects.push({ do: "check_session" });
    return effects;
  }

  /** The time of the last `wait` is over. @returns {Effect[]} */
  handleTimer() {
    if (this.phase !== "waiting") return [];
    this.phase = "connecting";
    return [{ do: "status", status: "connecting" }, { do: "connect" }];
  }

  /**
   * The network or the page came back: do not wait any longer, and do not trust a socket that may have died in its sleep.
   * @returns {Effect[]}
   */
  handleWake() {
    if (this.phase === "stopped") return [];
    const open = this.phase !== "waiting";
    this.phase = "connecting";
    this.attempt = 0;
    return open ? [{ do: "close" }, { do: "connect" }] : [{ do: "connect" }];
  }

  /** The list that was asked for is there. */
  handleListed() {
    this.#mustList = false;
    this.attempt = 0;
  }

  /** It could not be had: begin again, later each time. @returns {Effect[]} */
  handleListFailed() {
    if (this.phase === "stopped" || this.phase === "waiting") return [];
    this.token = null;
    return [{ do: "close" }, ...this.handleClose(1000)];
  }

  /** @returns {Effect[]} */
  handleStop() {
    this.phase = "stopped";
    this.token = null;
    this.attempt = 0;
    this.#mustList = true;
    return [{ do: "close" }];
  }
}
