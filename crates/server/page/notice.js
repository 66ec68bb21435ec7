// The notice above the message field: what went wrong, and what can be done about it.

import { byId, h, icon } from "./element.js";

/** The notice. */
export class Notice {
  #timer = null;

  constructor() {
    this.element = byId("notice");
  }

  /**
   * Says what went wrong.
   *
   * @param {string} message
   * @param {{label: string, does: () => void}[]} [actions]
   * @param {number|null} [wait] seconds until the first action may be taken
   */
  show(message, actions = [], wait = null) {
    clearInterval(this.#timer);
    const buttons = actions.map(({ label, does }) => {
      const take = () => {
        this.hide();
        does();
      };
      return h("button.quiet", { type: "button", on: { click: take } }, label);
    });
    const close = h("button.icon", { type: "button", "aria-label": "Dismiss", on: { click: () => this.hide() } }, icon("close"));
    this.element.replaceChildren(h("span", {}, message), ...buttons, close);
    this.element.hidden = false;
    if (wait !== null && buttons.length > 0) this.#count(buttons[0], actions[0].label, wait);
  }

  #count(button, label, seconds) {
    let left = seconds;
    const tick = () => {
      button.disabled = left > 0;
      button.textContent = left > 0 ? `${label} in ${left} s` : label;
      if (left <= 0) clearInterval(this.#timer);
      left -= 1;
    };
    tick();
    this.#timer = setInterval(tick, 1000);
  }

  /** Takes the notice away. */
  hide() {
    clearInterval(this.#timer);
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}
