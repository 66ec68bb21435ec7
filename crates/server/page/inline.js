// Inline markdown: emphasis, code, links and line breaks of a paragraph, as DOM nodes.
//
// Nothing is parsed as HTML. A link leads to http, https or mailto, or it is no link; pictures become links, since nothing
// of another origin is loaded. Each text is read once for each kind of mark at most.

import { h } from "./element.js";

const DEPTH = 24;
const PLAIN = /[^\\`*_~[\]!<\nh]+|h(?!ttps?:\/\/)/y;
const BARE = /https?:\/\/[^\s<>"`]+/y;
const ANGLED = /<((?:https?:\/\/|mailto:)[^\s<>]*)>/y;
const TARGET = /\(\s*(<[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/y;
const ESCAPED = /[!-/:-@[-`{-~]/;

/**
 * The nodes of a text.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function inline(text) {
  return new Scan(text, 0).nodes();
}

/**
 * The address if a link may lead there, else nothing.
 *
 * @param {string} address
 * @returns {string|null}
 */
export function safeAddress(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, children) {
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

class Scan {
  #text;
  #depth;
  #at = 0;
  #nodes = [];
  #plain = "";
  /** Marks that nothing ends any more. */
  #unended = new Set();

  constructor(text, depth) {
    this.#text = text;
    this.#depth = depth;
  }

  nodes() {
    if (this.#depth > DEPTH) return [document.createTextNode(this.#text)];
    while (this.#at < this.#text.length) {
      const plain = this.#match(PLAIN);
      if (plain) {
        this.#plain += plain[0];
        continue;
      }
      if (!this.#special()) this.#plain += this.#text[this.#at++];
    }
    this.#flush();
    return this.#nodes;
  }

  #match(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #flush() {
    if (this.#plain) this.#nodes.push(document.createTextNode(this.#plain));
    this.#plain = "";
  }

  #push(node) {
    this.#flush();
    this.#nodes.push(node);
    return true;
  }

  #special() {
    const mark = this.#text[this.#at];
    switch (mark) {
      case "\\": {
        const next = this.#text[this.#at + 1];
        if (next === "\n") {
          this.#at += 2;
          return this.#push(h("br"));
        }
        if (next === undefined || !ESCAPED.test(next)) return false;
        this.#plain += next;
        this.#at += 2;
        return true;
      }
      case "\n":
        this.#at += 1;
        this.#plain = this.#plain.trimEnd();
        return this.#push(h("br"));
      case "`":
        return this.#code();
      case "<": {
        const found = this.#match(ANGLED);
        const address = found && safeAddress(found[1]);
        if (!found) return false;
        return address ? this.#push(link(address, [found[1]])) : this.#push(document.createTextNode(found[0]));
      }
      case "h":
        return this.#bare();
      case "!":
        return this.#text[this.#at + 1] === "[" && this.#link(1);
      case "[":
        return this.#link(0);
      default:
        return "*_~".includes(mark) && this.#emphasis(mark);
    }
  }

  #code() {
    const ticks = /`+/y;
    ticks.lastIndex = this.#at;
    const fence = ticks.exec(this.#text)[0];
    const begin = this.#at + fence.length;
    if (!this.#unended.has(fence)) {
      let end = this.#text.indexOf(fence, begin);
      while (end >= 0 && (this.#text[end + fence.length] === "`" || this.#text[end - 1] === "`")) {
        end = this.#text.indexOf(fence, end + 1);
      }
      if (end >= 0) {
        let code = this.#text.slice(begin, end).replace(/\n/g, " ");
        if (/^ .* $/.test(code) && code.trim()) code = code.slice(1, -1);
        this.#at = end + fence.length;
        return this.#push(h("code", {}, code));
      }
      this.#unended.add(fence);
    }
    this.#plain += fence;
    this.#at = begin;
    return true;
  }

  #bare() {
    const found = this.#match(BARE);
    if (!found) return false;
    const text = found[0].replace(/[.,;:!?'")\]*_]+$/, "");
    this.#at -= found[0].length - text.length;
    const address = safeAddress(text);
    if (address) return this.#push(link(address, [text]));
    this.#plain += text;
    return true;
  }

  /** `[text](address)`, or with `skip` 1 a picture. */
  #link(skip) {
    const begin = this.#at + skip;
    if (this.#unended.has("[")) return false;
    const close = this.#closingBracket(begin);
    if (close < 0) {
      this.#unended.add("[");
      return false;
    }
    TARGET.lastIndex = close + 1;
    const found = TARGET.exec(this.#text);
    if (!found) return false;
    const label = this.#text.slice(begin + 1, close);
    const address = safeAddress(found[1].replace(/^<|>$/g, ""));
    const children = new Scan(label || found[1], this.#depth + 1).nodes();
    this.#at = TARGET.lastIndex;
    // What leads nowhere safe stays as it is written.
    if (!address) return this.#push(h("span", {}, ...children, ` (${found[1]})`));
    return this.#push(link(address, children.map(withoutLinks)));
  }

  #closingBracket(begin) {
    let open = 0;
    // A label is short; that bounds the work on a text of brackets.
    const limit = Math.min(this.#text.length, begin + 1_000);
    for (let at = begin; at < limit; at += 1) {
      const mark = this.#text[at];
      if (mark === "\\") at += 1;
      else if (mark === "[") open += 1;
      else if (mark === "]" && --open === 0) return at;
    }
    return -1;
  }

  #emphasis(mark) {
    const run = this.#run(this.#at, mark);
    const begin = this.#at + run;
    const before = this.#text[this.#at - 1] ?? " ";
    const after = this.#text[begin] ?? " ";
    const opens = !/\s/.test(after) && (mark !== "_" || !/[\p{L}\p{N}]/u.test(before));
    const width = mark === "~" ? 2 : Math.min(run, 3);
    const name = mark.repeat(width);
    if (opens && run >= width && !this.#unended.has(name)) {
      const end = this.#closing(begin - run + width, mark, width);
      if (end >= 0) {
        this.#plain += mark.repeat(run - width);
        const inner = new Scan(this.#text.slice(begin, end), this.#depth + 1).nodes();
        this.#at = end + width;
        return this.#push(emphasized(mark, width, inner));
      }
      this.#unended.add(name);
    }
    this.#plain += this.#text.slice(this.#at, begin);
    this.#at = begin;
    return true;
  }

  #run(at, mark) {
    let end = at;
    while (this.#text[end] === mark) end += 1;
    return end - at;
  }

  /** Where a run of at least `width` marks ends what began before `from`; code in between does not count. */
  #closing(from, mark, width) {
    for (let at = from; at < this.#text.length; at += 1) {
      const here = this.#text[at];
      if (here === "\\") {
        at += 1;
      } else if (here === "`") {
        const ticks = this.#run(at, "`");
        const end = this.#text.indexOf("`".repeat(ticks), at + ticks);
        at = end < 0 ? at + ticks - 1 : end + ticks - 1;
      } else if (here === mark) {
        const run = this.#run(at, mark);
        const after = this.#text[at + run] ?? " ";
        const closes = !/\s/.test(this.#text[at - 1]) && (mark !== "_" || !/[\p{L}\p{N}]/u.test(after));
        const fits = width === 1 ? run === 1 || run === 3 : run >= width;
        if (closes && fits && at > from) return at + (run - width);
        at += run - 1;
      }
    }
    return -1;
  }
}

function withoutLinks(node) {
  return node.nodeName === "A" ? document.createTextNode(node.textContent) : node;
}

function emphasized(mark, width, children) {
  if (mark === "~") return h("del", {}, ...children);
  if (width === 1) return h("em", {}, ...children);
  const strong = h("strong", {}, ...children);
  return width === 2 ? strong : h("em", {}, strong);
}
