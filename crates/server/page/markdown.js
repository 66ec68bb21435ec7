// Markdown as DOM nodes, drawn again and again while a text grows.
//
// Only nodes are built, never HTML, so that nothing in a text can become markup of the page. A block that has not changed is
// left as it is; the others become what they should be in place, so that nothing flickers and a selection stays.

import { blocks } from "./blocks.js";
import { becomeElement, h } from "./element.js";
import { highlighted } from "./highlight.js";
import { inline } from "./inline.js";

/** A text that is shown as markdown. */
export class Markdown {
  #sources = [];

  constructor() {
    this.element = h("div.markdown");
  }

  /**
   * Shows a text.
   *
   * @param {string} text
   */
  show(text) {
    const wanted = blocks(text);
    wanted.forEach((block, index) => {
      if (this.#sources[index] === block.source) return;
      const there = this.element.children[index];
      const node = draw(block);
      if (there && there.nodeName === node.nodeName && there.className === node.className) {
        becomeElement(there, node);
      } else if (there) {
        there.replaceWith(node);
      } else {
        this.element.append(node);
      }
    });
    while (this.element.children.length > wanted.length) this.element.lastChild.remove();
    this.#sources = wanted.map((block) => block.source);
  }
}

function draw(block) {
  switch (block.kind) {
    case "heading":
      // The page has the first two levels.
      return h(`h${Math.min(block.level + 2, 6)}`, {}, ...inline(block.text));
    case "rule":
      return h("hr");
    case "code":
      return drawCode(block);
    case "quote":
      return h("blockquote", {}, ...block.blocks.map(draw));
    case "list":
      return drawList(block);
    case "table":
      return drawTable(block);
    default:
      return h("p", {}, ...inline(block.text));
  }
}

function drawCode({ language, text }) {
  const name = language || "text";
  const bar = h("div.bar", {}, h("span", {}, name), h("button.quiet", { type: "button", "data-copy": "code" }, "Copy"));
  const code = h("code", {}, ...highlighted(text, language));
  return h("div.code", {}, bar, h("pre", { tabindex: "0", role: "group", "aria-label": `Code, ${name}` }, code));
}

function drawList({ start, tight, items }) {
  const drawn = items.map(({ task, blocks: inside }) => {
    const children = inside.flatMap((block) =>
      tight && block.kind === "paragraph" ? inline(block.text) : [draw(block)],
    );
    if (task === null) return h("li", {}, ...children);
    return h("li.task", {}, h("span.box", { role: "img", "aria-label": task ? "done" : "to do" }, task ? "✓" : ""), ...children);
  });
  if (start === null) return h("ul", {}, ...drawn);
  return h("ol", { start: start === 1 ? null : start }, ...drawn);
}

function drawTable({ head, align, rows }) {
  const cell = (name) => (text, column) => h(`${name}.${align[column] ?? "left"}`, {}, ...inline(text));
  const titles = h("tr", {}, ...head.map(cell("th")));
  const body = rows.map((row) => h("tr", {}, ...row.map(cell("td"))));
  const table = h("table", {}, h("thead", {}, titles), h("tbody", {}, ...body));
  return h("div.scroll", { tabindex: "0", role: "group", "aria-label": "Table" }, table);
}
