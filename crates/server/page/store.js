// Where conversations are kept: by the server, of each key its own, or in this page where the server keeps none.

import { Failure, json } from "./server.js";

/**
 * @typedef {{user: string, answer: string, reasoning?: string, between?: object[], tool_calls?: object[], interrupted?: boolean}} Kept
 * @typedef {{id: number|string, title: string, turns: Kept[], revision?: number}} Whole
 * @typedef {{id: number|string, title: string, turns: number, updated: number}} Outline
 */

/** The server's store; of a server that keeps nothing, a store in memory. */
export class Store {
  /** Conversations of this page alone, where the server keeps none. @type {Map<string, Whole & {updated: number}>|null} */
  #memory = null;
  #last = 0;

  /** Whether what is kept ends with this page. */
  get isOfThisPage() {
    return this.#memory !== null;
  }

  /** @returns {Promise<Outline[]>} the one that was last changed first */
  async list() {
    return this.#either(
      async () => (await json("GET", "/conversations")).data,
      (memory) => {
        const outlines = [...memory.values()].map((whole) => ({ ...whole, turns: whole.turns.length }));
        return outlines.sort((a, b) => b.updated - a.updated);
      },
    );
  }

  /**
   * @param {number|string} id
   * @returns {Promise<Whole>}
   */
  async open(id) {
    return this.#either(
      () => json("GET", `/conversations/${encodeURIComponent(id)}`),
      (memory) => {
        if (!memory.has(id)) throw new Failure(`there is no conversation ${id}`, { status: 404 });
        return structuredClone(memory.get(id));
      },
    );
  }

  /**
   * Keeps a conversation; a new one where `id` is null.
   *
   * @param {number|string|null} id
   * @param {string} title
   * @param {Kept[]} turns
   * @param {{leaving?: boolean, revision?: number}} [how] `leaving`: the page may be gone before the answer; `revision`: the
   *   one that the turns follow, where another must not be replaced
   * @returns {Promise<{id: number|string, revision?: number}>}
   */
  async save(id, title, turns, { leaving = false, revision } = {}) {
    return this.#either(
      async () => {
        const [method, path] = id === null ? ["POST", "/conversations"] : ["PUT", `/conversations/${id}`];
        const body = id === null ? { title, turns } : { title, turns, revision };
        return json(method, path, body, leaving ? { keepalive: true } : {});
      },
      (memory) => {
        const own = id ?? `m${++this.#last}`;
        memory.set(own, { id: own, title, turns: structuredClone(turns), updated: Date.now() / 1000 });
        return { id: own };
      },
    );
  }

  /** @param {number|string} id */
  async remove(id) {
    return this.#either(
      () => json("DELETE", `/conversations/${encodeURIComponent(id)}`),
      (memory) => void memory.delete(id),
    );
  }

  async #either(ask, remember) {
    if (this.#memory) return remember(this.#memory);
    try {
      return await ask();
    } catch (error) {
      if (error.code !== "not_kept") throw error;
      this.#memory = new Map();
      return remember(this.#memory);
    }
  }
}
