// The list of conversations: open, rename, delete, search by title.

import { byId, h, icon } from "./element.js";

const DAY = 86_400;

/** The list. Says `remove` and `rename`, with the outline (and the title) as `detail`. */
export class Sidebar extends EventTarget {
  /** @type {import("./store.js").Outline[]} */
  #outlines = [];
  #open = null;
  #answering = new Set();

  constructor() {
    super();
    this.list = byId("conversations");
    this.search = byId("search");
    this.search.addEventListener("input", () => this.#draw());
    const toggle = (open) => () => this.toggle(open);
    byId("open-sidebar").addEventListener("click", toggle(true));
    byId("close-sidebar").addEventListener("click", toggle(false));
    byId("scrim").addEventListener("click", toggle(false));
  }

  /**
   * Shows or hides the list where the page is narrow.
   *
   * @param {boolean} open
   */
  toggle(open) {
    const was = byId("frame").hasAttribute("data-sidebar");
    byId("frame").toggleAttribute("data-sidebar", open);
    byId("open-sidebar").setAttribute("aria-expanded", String(open));
    if (open) byId("close-sidebar").focus();
    else if (was) byId("open-sidebar").focus();
  }

  /**
   * Shows what is kept.
   *
   * @param {import("./store.js").Outline[]} outlines
   * @param {number|string|null} open the one that is open
   * @param {Set<number|string>} answering those with an answer in the making
   */
  show(outlines, open, answering) {
    this.#outlines = outlines;
    this.#open = open;
    this.#answering = answering;
    this.#draw();
  }

  #draw() {
    const wanted = this.search.value.trim().toLowerCase();
    const found = this.#outlines.filter(({ title }) => title.toLowerCase().includes(wanted));
    this.list.replaceChildren(...found.map((outline) => this.#item(outline)));
    if (found.length === 0) {
      this.list.append(h("li.none", {}, wanted ? "No title has that." : "Nothing is kept yet."));
    }
  }

  #item(outline) {
    const { id, title, turns, updated } = outline;
    const name = title || "Untitled";
    const link = h(
      "a",
      { href: fragment(id), "aria-current": id === this.#open ? "page" : null, title: name },
      h("span.name", {}, name),
      h("span.when", {}, this.#answering.has(id) ? "answering" : `${turns} turn${turns === 1 ? "" : "s"}, ${when(updated)}`),
    );
    const rename = h("button.icon", { type: "button", "aria-label": `Rename ${name}`, title: "Rename" }, icon("edit"));
    const remove = h("button.icon", { type: "button", "aria-label": `Delete ${name}`, title: "Delete" }, icon("remove"));
    const item = h("li", {}, link, rename, remove);
    rename.addEventListener("click", () => this.#edit(item, outline));
    remove.addEventListener("click", () => this.dispatchEvent(new CustomEvent("remove", { detail: outline })));
    return item;
  }

  #edit(item, outline) {
    const field = h("input", { type: "text", "aria-label": "Title", maxlength: "200" });
    field.value = outline.title;
    let done = false;
    const end = (keep) => {
      if (done) return;
      done = true;
      const title = field.value.trim();
      if (keep && title && title !== outline.title) {
        this.dispatchEvent(new CustomEvent("rename", { detail: { outline, title } }));
      }
      this.#draw();
    };
    field.addEventListener("blur", () => end(true));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") {
        event.stopPropagation();
        end(false);
      }
    });
    item.replaceChildren(field);
    field.select();
    field.focus();
  }
}

/**
 * Where a conversation is found on the page.
 *
 * @param {number|string|null} id
 */
export function fragment(id) {
  if (id === null) return "#";
  return typeof id === "number" ? `#/c${id}` : `#/${id}`;
}

/**
 * The conversation that a fragment names, if it names one.
 *
 * @param {string} text
 * @returns {number|string|null}
 */
export function fromFragment(text) {
  const [, kind, digits] = /^#\/([cm])(\d{1,15})$/.exec(text) ?? [];
  if (!kind) return null;
  return kind === "c" ? Number(digits) : `m${digits}`;
}

function when(updated) {
  const now = Date.now() / 1000;
  const date = new Date(updated * 1000);
  if (now - updated < DAY) return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toLocaleDateString([], { month: "short", day: "numeric" });
}
