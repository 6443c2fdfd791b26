import { ApiError, problem } from "../api.js";

/** Without a byte going out or an answer coming for so long, a connection is taken for dead. */
const SILENCE_MS = 30_000;
/** The same while the server is at work on a whole upload. */
const WORK_MS = 120_000;

/**
 * @typedef {object} Asked
 * @property {string} method
 * @property {string} path
 * @property {string} token
 * @property {Record<string, string>} [headers]
 * @property {XMLHttpRequestBodyInit} [body]
 * @property {(bytes: number) => void} [onProgress]   so many bytes of the body have gone out
 * @property {AbortSignal} [signal]
 *
 * @typedef {{ status: number, text: string, header: (name: string) => string | null }} Answer
 */

/**
 * One request. By XMLHttpRequest, because `fetch` does not tell how much has gone out. Rejects with an ApiError when there is
 * no answer, or one that is a problem.
 * @param {Asked} asked
 * @returns {Promise<Answer>}
 */
export function request({ method, path, token, headers = {}, body, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let watchdog;
    const alive = (/** @type {number} */ patience) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, patience);
    };
    xhr.open(method, path);
    for (const [name, value] of Object.entries({ Authorization: `Bearer ${token}`, ...headers })) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => {
      alive(SILENCE_MS);
      onProgress?.(loaded);
    };
    xhr.upload.onload = () => alive(WORK_MS);
    xhr.onloadend = () => {
      clearTimeout(watchdog);
      signal?.removeEventListener("abort", abort);
      const header = (/** @type {string} */ name) => xhr.getResponseHeader(name);
      if (xhr.status === 0) return reject(new ApiError("network", 0));
      if (xhr.status >= 200 && xhr.status < 300) return resolve({ status: xhr.status, text: xhr.responseText, header });
      return reject(refusal(xhr.status, xhr.responseText, header("Retry-After")));
    };
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) return reject(new ApiError("network", 0));
    alive(SILENCE_MS);
    xhr.send(body ?? null);
  });
}

/**
 * An answer to HEAD has no body that names its code.
 * @param {number} status
 * @param {string} text
 * @param {string | null} retryAfter
 */
function refusal(status, text, retryAfter) {
  const error = problem(status, text, retryAfter);
  if (error.code === "unknown" && status === 401) error.code = "unauthenticated";
  return error;
}
