// The composer: the field in which messages are written, its button to send and to stop.
//
// What is written is kept for this tab until it is sent, so that a reload does not lose it.

import { byId, icon } from "./element.js";

const NAME = "wick.draft";

/** The field. Says `send` with the text as `detail`, `stop`, and `edit-last`. */
export class Composer extends EventTarget {
  #answering = false;
  #ready = false;

  constructor() {
    super();
    this.field = byId("message");
    this.button = byId("send");
    this.field.value = sessionStorage.getItem(NAME) ?? "";
    this.field.addEventListener("input", () => this.#changed());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.button.addEventListener("click", () => this.#press());
    this.#changed();
    this.#draw();
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!this.#answering) this.#press();
    } else if (event.key === "ArrowUp" && this.field.value === "") {
      event.preventDefault();
      this.dispatchEvent(new Event("edit-last"));
    }
  }

  #press() {
    if (this.#answering) {
      this.dispatchEvent(new Event("stop"));
      return;
    }
    const text = this.field.value;
    if (text.trim() === "" || !this.#ready) return;
    this.write("");
    this.dispatchEvent(new CustomEvent("send", { detail: text }));
  }

  #changed() {
    sessionStorage.setItem(NAME, this.field.value);
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
    this.#draw();
  }

  #draw() {
    const [name, label, title] = this.#answering ? ["stop", "Stop", "Stop (Esc)"] : ["send", "Send", "Send (Enter)"];
    if (this.button.getAttribute("aria-label") !== label || !this.button.firstChild) this.button.replaceChildren(icon(name));
    this.button.setAttribute("aria-label", label);
    this.button.title = title;
    this.button.disabled = !this.#answering && (!this.#ready || this.field.value.trim() === "");
  }

  /** Says whether an answer is being written, which the button then stops. */
  answering(answering) {
    this.#answering = answering;
    this.#draw();
  }

  /** Says whether the model can answer. */
  ready(ready) {
    this.#ready = ready;
    this.#draw();
  }

  /** Puts a text into the field. */
  write(text) {
    this.field.value = text;
    this.#changed();
  }

  /** Brings a text back, before what has been written since. */
  restore(text) {
    const since = this.field.value;
    this.write(since ? `${text}\n\n${since}` : text);
    this.focus();
  }

  /** Takes a text out of the field that was brought back into it. */
  withdraw(text) {
    if (this.field.value === text) this.write("");
    else if (this.field.value.startsWith(`${text}\n\n`)) this.write(this.field.value.slice(text.length + 2));
  }

  /** Moves the focus into the field. */
  focus() {
    this.field.focus();
  }
}
