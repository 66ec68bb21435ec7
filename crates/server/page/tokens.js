// The tokens of an answer, coloured by how probable the model held each, to be walked through one by one.
//
// Probabilities are the model's own, before temperature and cuts. Tokens that share a character are shown by their bytes.

import { h } from "./element.js";
import { percent } from "./figures.js";

/** From which probability on a token has the next fainter colour; below the last it has the strongest. */
export const STEPS = [0.9, 0.7, 0.5, 0.3, 0.1, 0.03];

/**
 * How strong a token's colour is: 0 for what was nearly certain, 6 for what was hardly expected.
 *
 * @param {number} probability
 */
export function heat(probability) {
  const step = STEPS.findIndex((least) => probability >= least);
  return step < 0 ? STEPS.length : step;
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** The text of bytes, or nothing where they are no whole characters. */
function whole(bytes) {
  try {
    return strict.decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}

/**
 * What each token is part of: its own text, or the character that it shares with its neighbours.
 *
 * @param {import("./answer.js").Token[]} tokens
 * @returns {{text: string|null, shared: string|null}[]} `text` is null where a token is half a character
 */
export function spelled(tokens) {
  const told = [];
  for (let at = 0; at < tokens.length; ) {
    const text = tokens[at].bytes.length > 0 ? whole(tokens[at].bytes) : "";
    if (text !== null) {
      told.push({ text, shared: null });
      at += 1;
      continue;
    }
    const [shared, count] = sharedFrom(tokens, at);
    for (let index = 0; index < count; index += 1) told.push({ text: null, shared });
    at += count;
  }
  return told;
}

/** The character that begins in a token and ends in a later one, and how many tokens it takes. */
function sharedFrom(tokens, at) {
  const bytes = [...tokens[at].bytes];
  for (let count = 2; count <= 6 && at + count <= tokens.length; count += 1) {
    bytes.push(...tokens[at + count - 1].bytes);
    const text = whole(bytes);
    if (text !== null) return [text, count];
  }
  return [null, 1];
}

/**
 * A token as one line of text: blanks are shown, half characters by their bytes.
 *
 * @param {import("./answer.js").Spelled} token
 */
export function shown(token) {
  const text = token.bytes.length > 0 ? whole(token.bytes) : token.token;
  if (text === null) return bytesOf(token);
  return text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/ /g, "␣") || token.token || "(empty)";
}

/** The bytes of a token, in hexadecimal digits. */
export function bytesOf(token) {
  return token.bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}

/** The tokens of one answer on the page. Says `choose`, with the index of a token as `detail`. */
export class TokenText extends EventTarget {
  /** @type {import("./answer.js").Token[]} */
  #tokens = [];
  #spelled = 0;
  #chosen = null;

  constructor() {
    super();
    this.element = h("div.tokens", {
      role: "group",
      "aria-label": "Tokens of the answer; arrow keys go from one to the next",
      on: {
        pointerover: (event) => event.pointerType === "mouse" && this.#point(event.target),
        click: (event) => this.#point(event.target),
        focusin: (event) => this.#point(event.target),
        keydown: (event) => this.#walk(event),
      },
    });
  }

  /**
   * Shows tokens; those that are shown already stay.
   *
   * @param {import("./answer.js").Token[]} tokens
   */
  show(tokens) {
    if (this.#tokens === tokens && this.#spelled === tokens.length) return;
    if (this.#tokens !== tokens) {
      this.element.replaceChildren();
      this.#spelled = 0;
    }
    this.#tokens = tokens;
    // Half a character at the end may have become a whole one.
    const from = Math.max(0, this.#spelled - 6);
    while (this.element.children.length > from) this.element.lastChild.remove();
    const texts = spelled(tokens.slice(from));
    texts.forEach((told, index) => this.element.append(this.#draw(tokens[from + index], told, from + index)));
    this.#spelled = tokens.length;
    if (this.#chosen !== null) this.mark(this.#chosen);
  }

  #draw(token, { text, shared }, index) {
    const probability = Math.exp(token.logprob);
    const name = text === null ? `bytes ${bytesOf(token)}${shared ? ` of ${shared}` : ""}` : shown(token);
    const element = h(`span.token.heat-${heat(probability)}`, {
      "data-kind": token.kind,
      role: "button",
      tabindex: index === 0 ? "0" : "-1",
      "data-index": index,
      "aria-label": `${name}, ${percent(probability)}`,
    });
    if (text === null) {
      element.classList.add("bytes");
      element.append(bytesOf(token));
    } else if (token.kind === "mark" || text === "") {
      element.classList.add("mark");
      element.append(text.trim() === "" && text !== "" ? shown(token) : token.token);
    } else {
      element.append(text.replace(/\n/g, "↵\n"));
    }
    return element;
  }

  /**
   * Marks a token as the one that is looked at.
   *
   * @param {number|null} index
   */
  mark(index) {
    this.element.querySelector(".chosen")?.classList.remove("chosen");
    this.#chosen = index;
    if (index === null) return;
    const token = this.element.children[index];
    if (!token) return;
    token.classList.add("chosen");
    this.element.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    token.setAttribute("tabindex", "0");
  }

  /** Moves the focus to a token. */
  focus(index) {
    this.element.children[index]?.focus();
  }

  #point(target) {
    const index = Number.parseInt(target.dataset?.index ?? "", 10);
    if (Number.isNaN(index) || index === this.#chosen) return;
    this.mark(index);
    this.dispatchEvent(new CustomEvent("choose", { detail: index }));
  }

  #walk(event) {
    const last = this.#tokens.length - 1;
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -last, End: last };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.focus(Math.min(last, Math.max(0, (this.#chosen ?? 0) + step)));
  }
}
