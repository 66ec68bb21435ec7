// The thread: the turns of the conversation that is open, drawn at most once a frame, scrolled along while one looks at its end.

import { TurnView } from "./turn.js";

/** Pixels from the end within which it is followed. */
const NEAR = 80;

/** The turns on the page. Says what is wanted of a turn: the events of {@link TurnView} with `{index, detail}` as `detail`. */
export class Thread extends EventTarget {
  /** @type {TurnView[]} */
  #views = [];
  #conversation = null;
  #frame = 0;
  #following = true;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} holder of the turns
   */
  constructor(scroller, holder) {
    super();
    this.scroller = scroller;
    this.holder = holder;
    this.showsTokens = false;
    scroller.addEventListener("scroll", () => {
      this.#following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    });
  }

  /**
   * Shows another conversation.
   *
   * @param {import("./conversation.js").Conversation} conversation
   */
  open(conversation) {
    this.#conversation = conversation;
    this.#views = [];
    this.holder.replaceChildren();
    this.toEnd();
    this.draw();
  }

  /** Follows the end from here on. */
  toEnd() {
    this.#following = true;
  }

  /** Draws what has changed with the next frame. */
  drawSoon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => this.draw());
  }

  /** Draws what has changed. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { turns, isAnswering } = this.#conversation;
    while (this.#views.length > turns.length) this.#views.pop().element.remove();
    turns.forEach((turn, index) => {
      const isLast = index === turns.length - 1;
      // While one answer grows, the others stand still.
      if (this.#views[index] && isAnswering && index < turns.length - 2) return;
      this.#views[index] ??= this.#add(index);
      this.#views[index].update(turn, { index, isLast, answering: isAnswering, tokens: this.showsTokens });
    });
    if (this.#following) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #add(index) {
    const view = new TurnView();
    for (const name of ["copy", "edit", "again", "branch", "give", "go-on", "choose"]) {
      view.addEventListener(name, (event) => {
        this.dispatchEvent(new CustomEvent(name, { detail: { index, detail: event.detail } }));
      });
    }
    this.holder.append(view.element);
    return view;
  }

  /** The view of a turn, counted from the end where `index` is negative. */
  view(index) {
    return this.#views.at(index);
  }

  /**
   * Marks a token, and no other.
   *
   * @param {number|null} turn
   * @param {number|null} token
   */
  mark(turn, token) {
    this.#views.forEach((view, index) => view.tokenText.mark(index === turn ? token : null));
  }
}
