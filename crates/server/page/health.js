// The model's status: asked for again and again, often while it is loaded.

const LOADING = 500;
const READY = 10_000;

/**
 * @typedef {{state: "ready"|"loading"|"failed"|"draining"|"lost", model?: string, text: string, share?: number|null, running?: number,
 *   waiting?: number}} Health
 */

/** Asks for the status for as long as the page is open. */
export class Watch extends EventTarget {
  /** @type {Health} */
  health = { state: "lost", text: "connecting" };
  #timer = null;

  /** Asks at once, and goes on. */
  async ask() {
    clearTimeout(this.#timer);
    this.health = await read();
    this.dispatchEvent(new Event("change"));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), this.health.state === "ready" ? READY : LOADING);
  }
}

async function read() {
  try {
    const told = await (await fetch("/health")).json();
    if (told.status === "ok") return { state: "ready", text: told.model, ...told };
    if (told.status !== "loading") {
      return { state: told.status, text: told.status === "failed" ? "the model could not be loaded" : "going down" };
    }
    const { stage, done, total } = told.progress ?? { stage: "starting" };
    const share = total ? done / total : null;
    const percent = share === null ? "" : ` ${Math.floor(share * 100)} %`;
    return { state: "loading", text: `${stage}${percent}`, share };
  } catch {
    return { state: "lost", text: "server not reached" };
  }
}
