import { SyncMachine } from "./sync-machine.js";

/** @typedef {import("./sync-machine.js").Effect} Effect */
/** @typedef {import("./types.js").SocketEvent} SocketEvent */

/**
 * The live connection. Performs what the SyncMachine decides and tells its owner by three callbacks.
 */
export class Socket {
  #machine = new SyncMachine(Math.random);
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #token = "";
  #hiddenAt = 0;
  /** @type {AbortController | null} */
  #scope = null;

  /** @param {SocketEvent} _event */
  onEvent = (_event) => {};
  /** Everything must be listed again; rejects when it could not be. @type {() => Promise<void>} */
  onList = async () => {};
  /** The socket was refused: is the session still good? */
  onRefused = () => {};
  /** @param {import("./sync-machine.js").Status} _status */
  onStatus = (_status) => {};

  /** @param {string} token  of the session */
  start(token) {
    this.#token = token;
    this.#scope = new AbortController();
    const { signal } = this.#scope;
    addEventListener("online", () => this.#perform(this.#machine.handleWake()), { signal });
    document.addEventListener("visibilitychange", () => this.#visibilityChanged(), { signal });
    this.#perform(this.#machine.handleStart());
  }

  stop() {
    this.#scope?.abort();
    clearTimeout(this.#timer);
    this.#perform(this.#machine.handleStop());
  }

  /** Sends when the connection is live; what is ephemeral is not queued. @param {SocketEvent} message */
  send(message) {
    if (this.#machine.phase === "live") this.#socket?.send(JSON.stringify(message));
  }

  #visibilityChanged() {
    if (document.hidden) {
      this.#hiddenAt = performance.now();
    } else if (performance.now() - this.#hiddenAt > 60_000) {
      this.#perform(this.#machine.handleWake());
    }
  }

  /** @param {Effect[]} effects */
  #perform(effects) {
    for (const effect of effects) this.#performOne(effect);
  }

  /** @param {Effect} effect */
  #performOne(effect) {
    switch (effect.do) {
      case "connect":
        clearTimeout(this.#timer);
        return this.#connect();
      case "close": {
        const socket = this.#socket;
        this.#socket = null;
        return socket?.close();
      }
      case "send":
        return this.#socket?.send(JSON.stringify(effect.message));
      case "wait":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#perform(this.#machine.handleTimer()), effect.ms);
        return;
      case "deliver":
        return this.onEvent(effect.event);
      case "list":
        this.onList().then(
          () => this.#machine.handleListed(),
          () => this.#perform(this.#machine.handleListFailed()),
        );
        return;
      case "check_session":
        return this.onRefused();
      case "status":
        return this.onStatus(effect.status);
    }
  }

  #connect() {
    const url = new URL("/v1/socket", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, ["voxpost.v1", `bearer.${this.#token}`]);
    this.#socket = socket;
    // A socket that was replaced still reports its end; only the current one counts.
    const current = () => socket === this.#socket;
    socket.addEventListener("open", () => current() && this.#perform(this.#machine.handleOpen()));
    socket.addEventListener("message", ({ data }) => {
      if (current() && typeof data === "string") this.#perform(this.#machine.handleEvent(JSON.parse(data)));
    });
    socket.addEventListener("close", ({ code }) => {
      if (!current()) return;
      this.#socket = null;
      this.#perform(this.#machine.handleClose(code));
    });
  }
}
