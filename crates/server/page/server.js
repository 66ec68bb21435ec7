// The server: requests with the key of this page, and failures with what the server says of them.

import { events } from "./sse.js";

const NAME = "wick.key";

/** Why a request was not answered. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, code?: string|null, param?: string|null, retryAfter?: number|null}} more status 0 where
   *   nothing came back; `retryAfter` in seconds
   */
  constructor(message, { status = 0, code = null, param = null, retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param, retryAfter });
  }
}

/** The key of this page: of this tab, or remembered on this device. */
export function key() {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "";
}

/**
 * Keeps a key.
 *
 * @param {string} text
 * @param {boolean} remember beyond this tab
 */
export function setKey(text, remember) {
  forgetKey();
  (remember ? localStorage : sessionStorage).setItem(NAME, text);
}

/** Forgets the key. */
export function forgetKey() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

let askKey = async () => false;
let asking = null;

/**
 * Says who asks for a key where the server wants one.
 *
 * @param {() => Promise<boolean>} ask ends with whether there is a key to try
 */
export function whenLockedOut(ask) {
  askKey = ask;
}

/**
 * Sends a request; where the server wants a key, it is asked for, and the request is sent again.
 *
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body] sent as JSON
 * @param {{signal?: AbortSignal, keepalive?: boolean}} [options]
 * @returns {Promise<Response>} of a status below 400
 * @throws {Failure} and what an aborted `signal` throws
 */
export async function send(method, path, body, options = {}) {
  for (;;) {
    const tried = key();
    const response = await attempt(method, path, body, options, tried);
    if (response.ok) return response;
    const failure = await failureOf(response);
    if (response.status !== 401) throw failure;
    // Another request may have been given a key meanwhile.
    if (tried !== key()) continue;
    asking ??= askKey().finally(() => {
      asking = null;
    });
    if (!(await asking)) throw failure;
  }
}

async function attempt(method, path, body, options, tried) {
  const headers = {};
  if (tried) headers.authorization = `Bearer ${tried}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const request = { method, headers, ...options, body: body === undefined ? undefined : JSON.stringify(body) };
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server cannot be reached.", { code: "lost" });
  }
}

async function failureOf(response) {
  const told = await response.json().catch(() => null);
  const { message = `The server answers ${response.status}.`, code = null, param = null } = told?.error ?? {};
  const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  return new Failure(message, { status: response.status, code, param, retryAfter });
}

/**
 * The JSON that a request is answered with; nothing where the answer is empty.
 *
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {{signal?: AbortSignal, keepalive?: boolean}} [options]
 */
export async function json(method, path, body, options) {
  const response = await send(method, path, body, options);
  return response.status === 204 ? undefined : response.json();
}

/**
 * The events of a stream, parsed. It ends by itself only behind `[DONE]`.
 *
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @throws {Failure} of the code `broken_off` where the stream ends before, or with what the server says went wrong
 */
export async function* stream(path, body, signal) {
  const response = await send("POST", path, body, { signal });
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new Failure(event.error.message, { status: response.status, code: event.error.code });
      yield event;
    }
  } catch (error) {
    if (error instanceof Failure || error.name === "AbortError") throw error;
    throw new Failure("The connection was lost.", { code: "broken_off" });
  }
  throw new Failure("The server went away before the end.", { code: "broken_off" });
}
