// The view of how a token was chosen: its alternatives as bars, and the whole answer as a strip.
//
// What is drawn is what the server told: each bar is exp of a log-probability, and what is left over is one minus their sum.

import { h, icon } from "./element.js";
import { counted, percent } from "./figures.js";
import { STEPS, bytesOf, heat, shown } from "./tokens.js";

const SPACE = "http://www.w3.org/2000/svg";
/** Bars of the strip; of a longer answer the ones around the token are drawn. */
const STRIP = 120;

/** The inspector. Says `choose` with the index of a token that is picked in the strip, and `close`. */
export class Inspector extends EventTarget {
  #tokens = [];
  #index = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.element = element;
    const close = h("button.icon", { type: "button", "aria-label": "Close", on: { click: () => this.#say("close") } }, icon("close"));
    this.head = h("div.head", {}, h("h2", {}, "How it was chosen"), close);
    this.token = h("div.subject");
    this.bars = h("ol.bars", { "aria-label": "Alternatives" });
    this.strip = document.createElementNS(SPACE, "svg");
    this.strip.setAttribute("aria-hidden", "true");
    this.strip.setAttribute("preserveAspectRatio", "none");
    this.strip.classList.add("strip");
    this.strip.addEventListener("click", (event) => {
      const index = Number.parseInt(event.target.dataset?.index ?? "", 10);
      if (!Number.isNaN(index)) this.#say("choose", index);
    });
    this.summary = h("p.summary");
    element.replaceChildren(this.head, this.token, this.bars, h("div.whole", {}, this.strip, this.summary, legend()), note());
    this.#empty();
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #empty() {
    this.token.replaceChildren(h("p.hint", {}, "Point at a token of an answer, or go to it with Tab and the arrow keys."));
    this.bars.replaceChildren();
    this.strip.replaceChildren();
    this.summary.textContent = "";
  }

  /**
   * Shows a token among those of its answer.
   *
   * @param {import("./answer.js").Token[]} tokens
   * @param {number} index
   */
  show(tokens, index) {
    const token = tokens[index];
    if (!token) return this.#empty();
    this.#tokens = tokens;
    this.#index = index;
    this.#drawToken(token);
    this.#drawBars(token);
    this.#drawStrip();
  }

  #drawToken(token) {
    const place = token.top_logprobs.findIndex((other) => other.id === token.id);
    const rank = place < 0 ? `below the first ${token.top_logprobs.length}` : place === 0 ? "most probable" : `number ${place + 1}`;
    const facts = [
      ["logarithm", `${nats(token.logprob)} nats`],
      ["rank", rank],
      ["bytes", bytesOf(token) || "none"],
      ["token", `${counted(this.#index + 1)} of ${counted(this.#tokens.length)}, id ${token.id}`],
    ];
    this.token.replaceChildren(
      h("p.which", {}, h("code", {}, shown(token)), h("strong", {}, percent(Math.exp(token.logprob)))),
      h("dl", {}, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    );
  }

  #drawBars(token) {
    const rows = token.top_logprobs.map((other) => ({ ...other, chosen: other.id === token.id }));
    if (!rows.some((row) => row.chosen)) rows.push({ ...token, chosen: true });
    const sum = rows.reduce((all, row) => all + Math.exp(row.logprob), 0);
    const drawn = rows.map((row) => bar(shown(row), Math.exp(row.logprob), row.chosen ? "chosen" : "other"));
    drawn.push(bar("all others", Math.max(0, 1 - sum), "rest"));
    // Bars that stay grow and shrink.
    drawn.forEach((row, at) => {
      const there = this.bars.children[at];
      if (!there) return this.bars.append(row);
      there.className = row.className;
      there.children[0].textContent = row.children[0].textContent;
      there.children[1].firstChild.style.width = row.children[1].firstChild.style.width;
      there.children[2].textContent = row.children[2].textContent;
    });
    while (this.bars.children.length > drawn.length) this.bars.lastChild.remove();
  }

  #drawStrip() {
    const tokens = this.#tokens;
    const from = Math.max(0, Math.min(this.#index - STRIP / 2, tokens.length - STRIP));
    const drawn = tokens.slice(from, from + STRIP);
    this.strip.setAttribute("viewBox", `0 0 ${Math.max(drawn.length, 24)} 40`);
    this.strip.replaceChildren(
      ...drawn.flatMap((token, at) => {
        const probability = Math.exp(token.logprob);
        const height = Math.max(1, probability * 40);
        const classes = `heat-${heat(probability)}${from + at === this.#index ? " chosen" : ""}`;
        const visible = box(at + 0.1, 40 - height, 0.8, height, classes);
        const catcher = box(at, 0, 1, 40, "catch");
        catcher.dataset.index = from + at;
        return [visible, catcher];
      }),
    );
    const mean = tokens.reduce((all, token) => all + token.logprob, 0) / tokens.length;
    const least = tokens.reduce((worst, token) => (token.logprob < worst.logprob ? token : worst));
    this.summary.textContent =
      `Perplexity ${Math.exp(-mean).toFixed(3)} over ${counted(tokens.length)} token${tokens.length === 1 ? "" : "s"}. ` +
      `Least expected: “${shown(least)}” with ${percent(Math.exp(least.logprob))}.`;
  }
}

function nats(logprob) {
  if (logprob <= -9999) return "−∞";
  const size = -logprob;
  const text = size === 0 ? "0" : size >= 0.001 ? size.toFixed(4) : size.toExponential(1);
  return size === 0 ? text : `−${text}`;
}

function bar(name, probability, kind) {
  const fill = h("span.fill");
  fill.style.width = `${(probability * 100).toFixed(3)}%`;
  return h(`li.${kind}`, {}, h("code", {}, name), h("span.track", {}, fill), h("span.percent", {}, percent(probability)));
}

function box(x, y, width, height, classes) {
  const rectangle = document.createElementNS(SPACE, "rect");
  for (const [name, value] of Object.entries({ x, y, width, height, class: classes })) rectangle.setAttribute(name, value);
  return rectangle;
}

function legend() {
  const bounds = [...STEPS.map((least) => `≥ ${least * 100}`), `< ${STEPS.at(-1) * 100}`];
  const swatches = bounds.map((bound, step) => h(`span.swatch.heat-${step}`, {}, bound));
  return h("p.legend", { "aria-label": "Colours by probability in percent" }, ...swatches);
}

function note() {
  return h("p.hint", {}, "Probabilities are the model’s own, before temperature, cuts and penalties: they say what it held likely, not what the draw allowed.");
}
