/** @typedef {import("./types.js").Conversation} Conversation */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Me} Me */
/** @typedef {import("./types.js").Playback} Playback */
/** @typedef {import("./types.js").PlaybackAnswer} PlaybackAnswer */
/** @typedef {import("./playback/machine.js").Report} Report */
/** @typedef {import("./types.js").User} User */
/** @typedef {import("./types.js").SignedIn} SignedIn */
/** @typedef {import("./types.js").Session} Session */
/** @typedef {import("./types.js").Config} Config */
/**
 * @template T
 * @typedef {{ items: T[], next: string | null }} Page
 */

/** What went wrong, by the stable `code` of RFC 9457 problem details; `network` when there was no answer at all. */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {number} status  0: no answer
   * @param {string} [detail]
   * @param {number | null} [retryAfterMs]
   */
  constructor(code, status, detail = "", retryAfterMs = null) {
    super(detail || code);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** True when the same request may succeed later without anybody doing anything. */
  get passing() {
    if (this.code === "quota_exceeded") return false;
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * The error that an answer tells of.
 * @param {number} status
 * @param {string} body
 * @param {string | null} retryAfter  value of the header, in seconds
 */
export function problem(status, body, retryAfter) {
  let code = status >= 500 ? "unavailable" : "unknown";
  let detail = "";
  try {
    const parsed = JSON.parse(body);
    if (typeof parsed.code === "string") code = parsed.code;
    if (typeof parsed.detail === "string") detail = parsed.detail;
  } catch {
    // Not from the server itself (a proxy's page): the status has to do.
  }
  const seconds = Number(retryAfter);
  return new ApiError(code, status, detail, retryAfter && Number.isFinite(seconds) ? seconds * 1000 : null);
}

/** One method for each call of the REST contract that the page makes. */
export class Api {
  /** @type {string | null} */
  token = null;
  /** Called when the server says that the session is over. */
  onUnauthenticated = () => {};
  #fetch;

  /** @param {typeof globalThis.fetch} [fetcher] */
  constructor(fetcher = globalThis.fetch.bind(globalThis)) {
    this.#fetch = fetcher;
  }

  /** @returns {Promise<Config>} */
  config = () => this.#call("GET", "/v1/config");

  /** @param {{ username: string, password: string, display_name?: string, invite?: string, device_name?: string }} body @returns {Promise<SignedIn>} */
  signUp = (body) => this.#call("POST", "/v1/accounts", body);
  /** @param {{ username: string, password: string, device_name?: string }} body @returns {Promise<SignedIn>} */
  signIn = (body) => this.#call("POST", "/v1/sessions", body);
  signOut = () => this.#call("DELETE", "/v1/sessions/current");
  /** @returns {Promise<Page<Session>>} */
  sessions = () => this.#call("GET", "/v1/sessions");
  /** @param {string} id */
  revokeSession = (id) => this.#call("DELETE", `/v1/sessions/${id}`);

  /** @returns {Promise<Me>} */
  me = () => this.#call("GET", "/v1/me");
  /** @param {Partial<Me>} change @returns {Promise<Me>} */
  changeMe = (change) => this.#call("PATCH", "/v1/me", change);
  deleteMe = () => this.#call("DELETE", "/v1/me");
  /** @param {{ current_password: string, new_password: string }} body */
  changePassword = (body) => this.#call("PUT", "/v1/me/password", body);
  /** @param {string} query @returns {Promise<Page<User>>} */
  findUsers = (query) => this.#call("GET", `/v1/users?${new URLSearchParams({ query })}`);

  /** @param {string | null} [before] cursor @returns {Promise<Page<Conversation>>} */
  conversations = (before = null) =>
    this.#call("GET", `/v1/conversations?${new URLSearchParams({ limit: "200", ...(before ? { before } : {}) })}`);
  /** @param {string} id @returns {Promise<Conversation>} */
  conversation = (id) => this.#call("GET", `/v1/conversations/${id}`);
  /**
   * @param {{ kind: "direct" | "group", members: string[], title?: string, client_id: string }} body
   * @returns {Promise<Conversation>}
   */
  createConversation = (body) => this.#call("POST", "/v1/conversations", body);
  /** @param {string} id @param {{ title?: string, live?: boolean }} change @returns {Promise<Conversation>} */
  changeConversation = (id, change) => this.#call("PATCH", `/v1/conversations/${id}`, change);
  /** @param {string} id @param {string[]} usernames */
  addMembers = (id, usernames) => this.#call("POST", `/v1/conversations/${id}/members`, { members: usernames });
  /** @param {string} id @param {string} userId */
  removeMember = (id, userId) => this.#call("DELETE", `/v1/conversations/${id}/members/${userId}`);
  /** @param {string} id @param {number} seq */
  markRead = (id, seq) => this.#call("PUT", `/v1/conversations/${id}/read`, { seq });

  /**
   * @param {string} id
   * @param {{ before?: number, limit?: number }} [where]
   * @returns {Promise<Page<Message>>}
   */
  messages(id, { before, limit = 50 } = {}) {
    const query = new URLSearchParams({ limit: String(limit) });
    if (before !== undefined) query.set("before", String(before));
    return this.#call("GET", `/v1/conversations/${id}/messages?${query}`);
  }
  /** @param {string} id @returns {Promise<Message>} */
  message = (id) => this.#call("GET", `/v1/messages/${id}`);
  /** @param {string} id */
  deleteMessage = (id) => this.#call("DELETE", `/v1/messages/${id}`);
  /** @param {string} id @returns {Promise<{ url: string }>} */
  audioUrl = (id) => this.#call("POST", `/v1/messages/${id}/audio-url`);

  /** Own recordings that were interrupted. @returns {Promise<Page<Message>>} */
  drafts = () => this.#call("GET", "/v1/drafts");
  /** @param {string} id @returns {Promise<Message>} */
  finishDraft = (id) => this.#call("POST", `/v1/messages/${id}/finish`);

  /** Where oneself is in a message. @param {string} id @returns {Promise<Playback>} */
  playback = (id) => this.#call("GET", `/v1/messages/${id}/playback`);
  /** Also from a page that goes away. @param {string} id @param {Report} report @returns {Promise<PlaybackAnswer>} */
  reportPlayback = (id, report) => this.#call("PUT", `/v1/messages/${id}/playback`, report, true);
  /** @param {number} since @returns {Promise<{ items: (Playback & { message_id: string })[], next: number }>} */
  playbackChanges = (since) => this.#call("GET", `/v1/playback?${new URLSearchParams({ since: String(since), limit: "200" })}`);

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {boolean} [keepalive]  the request outlives the page
   * @returns {Promise<any>}
   */
  async #call(method, path, body, keepalive = false) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    let text;
    try {
      response = await this.#fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), keepalive });
      text = await response.text();
    } catch {
      throw new ApiError("network", 0);
    }
    if (response.ok) return text ? JSON.parse(text) : null;
    const error = problem(response.status, text, response.headers.get("Retry-After"));
    if (error.code === "unauthenticated" && this.token) this.onUnauthenticated();
    throw error;
  }
}
