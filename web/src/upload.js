import { ApiError, problem } from "./api.js";

/** @typedef {import("./types.js").Message} Message */

/**
 * Sends one recording as multipart/form-data. XMLHttpRequest, because `fetch` does not tell how much has gone out.
 * The text fields come before the file, so that the server knows a repeated message before it reads the sound.
 *
 * @param {object} what
 * @param {string} what.token
 * @param {string} what.conversationId
 * @param {string} what.clientId
 * @param {Blob} what.blob
 * @param {string} what.filename
 * @param {(share: number) => void} [what.onProgress]  0..1
 * @param {AbortSignal} [what.signal]
 * @returns {Promise<Message | { id: string, state: "processing" }>}
 */
export function upload({ token, conversationId, clientId, blob, filename, onProgress, signal }) {
  const form = new FormData();
  form.append("client_id", clientId);
  form.append("audio", blob, filename);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/conversations/${conversationId}/messages`);
    request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total > 0 ? loaded / total : 0);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) return resolve(JSON.parse(request.responseText));
      return reject(problem(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = request.onabort = request.ontimeout = () => reject(new ApiError("network", 0));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
