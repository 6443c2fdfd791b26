import { request } from "./request.js";

/** @typedef {import("../types.js").Message} Message */

/**
 * Sends one recording as multipart/form-data, in one request. The text fields come before the file, so that the server
 * knows a repeated message before it reads the sound.
 *
 * @param {object} what
 * @param {string} what.token
 * @param {string} what.conversationId
 * @param {string} what.clientId
 * @param {Blob} what.blob
 * @param {string} what.filename
 * @param {(bytes: number) => void} [what.onProgress]
 * @param {AbortSignal} [what.signal]
 * @returns {Promise<Message | { id: string, state: "processing" }>}
 */
export async function sendAtOnce({ token, conversationId, clientId, blob, filename, onProgress, signal }) {
  const body = new FormData();
  body.append("client_id", clientId);
  body.append("audio", blob, filename);
  const path = `/v1/conversations/${conversationId}/messages`;
  const { text } = await request({ method: "POST", path, token, body, onProgress, signal });
  return JSON.parse(text);
}
