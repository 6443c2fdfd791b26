import { ApiError } from "../api.js";

/** @typedef {import("./request.js").Asked} Asked */
/** @typedef {import("./request.js").Answer} Answer */
/** @typedef {import("./machine.js").UploadState} UploadState */
/** @typedef {{ conversation_id: string, client_id: string, filename: string, filetype: string }} Metadata */

const UPLOADS = "/v1/uploads";
const VERSION = { "Tus-Resumable": "1.0.0" };

/** The requests of tus 1.0.0, and those that Voxpost adds to ask for the message. Each rejects with an ApiError. */
export class Tus {
  #request;
  #token;

  /**
   * @param {() => string} token
   * @param {(asked: Asked) => Promise<Answer>} request
   */
  constructor(token, request) {
    this.#token = token;
    this.#request = request;
  }

  /**
   * Begins an upload; gives its path.
   * @param {number} length   in bytes
   * @param {Metadata} metadata
   * @param {AbortSignal} [signal]
   */
  async create(length, metadata, signal) {
    const headers = { ...VERSION, "Upload-Length": String(length), "Upload-Metadata": encodeMetadata(metadata) };
    const { header } = await this.#ask({ method: "POST", path: UPLOADS, headers, signal });
    // Of the address only the path counts: a proxy may have another name than the server, and the token goes nowhere else.
    const path = new URL(header("Location") ?? "/", "http://localhost/v1/uploads").pathname;
    if (!path.startsWith(`${UPLOADS}/`)) throw new ApiError("unavailable", 503);
    return path;
  }

  /** How many bytes the server has. @param {string} path @param {AbortSignal} [signal] */
  async look(path, signal) {
    return offset(await this.#ask({ method: "HEAD", path, headers: VERSION, signal }));
  }

  /**
   * Sends bytes from an offset on; gives the new offset, and the message if they were the last.
   * @param {string} path
   * @param {number} from
   * @param {ArrayBuffer} body
   * @param {(bytes: number) => void} [onProgress]
   * @param {AbortSignal} [signal]
   */
  async send(path, from, body, onProgress, signal) {
    const headers = { ...VERSION, "Upload-Offset": String(from), "Content-Type": "application/offset+octet-stream" };
    const answer = await this.#ask({ method: "PATCH", path, headers, body, onProgress, signal });
    return { offset: offset(answer), messageId: answer.header("Voxpost-Message-Id") };
  }

  /**
   * What has become of it.
   * @param {string} path
   * @param {AbortSignal} [signal]
   * @returns {Promise<{ state: UploadState, message_id?: string, failure?: { code: string } }>}
   */
  async ask(path, signal) {
    return JSON.parse((await this.#ask({ method: "GET", path, signal })).text);
  }

  /**
   * Makes a message of a whole upload; gives its id.
   * @param {string} path
   * @param {Metadata} metadata
   * @param {AbortSignal} [signal]
   * @returns {Promise<string>}
   */
  async claim(path, { conversation_id, client_id }, signal) {
    const body = JSON.stringify({ upload_id: path.slice(UPLOADS.length + 1), client_id });
    const headers = { "Content-Type": "application/json" };
    const target = `/v1/conversations/${conversation_id}/messages`;
    return JSON.parse((await this.#ask({ method: "POST", path: target, headers, body, signal })).text).id;
  }

  /** Ends it: its bytes are gone. @param {string} path */
  async end(path) {
    await this.#ask({ method: "DELETE", path, headers: VERSION });
  }

  /** @param {Omit<Asked, "token">} asked */
  #ask(asked) {
    return this.#request({ ...asked, token: this.#token() });
  }
}

/** @param {Answer} answer */
function offset({ header }) {
  const value = header("Upload-Offset");
  // A proxy's page, say: to be tried again.
  if (!value || !/^\d{1,15}$/.test(value)) throw new ApiError("unavailable", 503);
  return Number(value);
}

/** Keys and base64 of the UTF-8 of their values (tus 1.0.0, Upload-Metadata). @param {Record<string, string>} metadata */
function encodeMetadata(metadata) {
  const base64 = (/** @type {string} */ text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return Object.entries(metadata)
    .map(([key, value]) => `${key} ${base64(value)}`)
    .join(",");
}
