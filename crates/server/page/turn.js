// A turn on the page: the message, what was thought and called, the answer or its tokens, and what can be done with it.

import { callCard, settledCalls, waitingCalls } from "./calls.js";
import { h, icon } from "./element.js";
import { usageOf } from "./figures.js";
import { Markdown } from "./markdown.js";
import { TokenText } from "./tokens.js";

/**
 * What the page knows of a turn that is drawn.
 *
 * @typedef {{index: number, isLast: boolean, answering: boolean, tokens: boolean}} State
 */

/**
 * A turn that is shown. Says what the user wants of it, with `detail`: `copy`, `edit` (the new message), `again`, `branch`,
 * `give` (results), `go-on`, and `choose` (the index of a token).
 */
export class TurnView extends EventTarget {
  #turn = null;
  #between = null;
  #calls = "";
  #markdown = new Markdown();

  constructor() {
    super();
    this.message = h("div.message");
    this.userActions = h("div.actions", {}, this.#action("edit", "Edit", () => this.edit()));
    this.steps = h("div.steps");
    this.thought = h("div.thought");
    this.reasoning = h("details.reasoning", { hidden: true }, h("summary", {}, h("span", {}, "Thought")), this.thought);
    this.tokenText = new TokenText();
    this.tokenText.addEventListener("choose", (event) => this.#say("choose", event.detail));
    this.unknown = h("p.hint", { hidden: true }, "How these tokens were chosen is known only until the page is left.");
    this.wait = h("div.wait", { hidden: true }, h("span"), h("span"), h("span"));
    this.calls = h("div.steps");
    this.note = h("div.note", { hidden: true });
    this.figures = h("div.figures");
    this.actions = h(
      "div.actions",
      {},
      this.#action("copy", "Copy", () => this.#say("copy", this.#turn.answer)),
      this.#action("again", "Regenerate", () => this.#say("again")),
      this.#action("branch", "Branch", () => this.#say("branch")),
    );
    this.foot = h("div.foot", {}, this.figures, this.actions);
    this.heading = h("h2.unseen");
    this.user = h("div.user", {}, this.message, this.userActions);
    this.answer = h(
      "div.answer",
      {},
      this.steps,
      this.reasoning,
      this.#markdown.element,
      this.tokenText.element,
      this.unknown,
      this.calls,
      this.wait,
      this.note,
      this.foot,
    );
    this.element = h("article.turn", {}, this.heading, this.user, this.answer);
  }

  #action(name, label, does) {
    return h("button.quiet", { type: "button", "aria-label": label, title: label, on: { click: does } }, icon(name), h("span", {}, label));
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /**
   * Draws the turn as it is.
   *
   * @param {import("./conversation.js").Turn} turn
   * @param {State} state
   */
  update(turn, state) {
    this.#turn = turn;
    const answering = state.isLast && state.answering;
    this.heading.textContent = `Turn ${state.index + 1}`;
    if (this.message.textContent !== turn.user) this.message.textContent = turn.user;
    this.#drawThought(turn, answering);
    if (this.#between !== (turn.between ?? null)) {
      this.#between = turn.between ?? null;
      this.steps.replaceChildren(...settledCalls(turn.between ?? []));
    }
    const tokens = turn.record?.tokens ?? [];
    const asTokens = state.tokens && tokens.length > 0;
    this.#markdown.element.hidden = asTokens || turn.answer === "";
    this.tokenText.element.hidden = !asTokens;
    this.unknown.hidden = !(state.tokens && tokens.length === 0 && turn.answer !== "" && !answering);
    if (asTokens) this.tokenText.show(tokens);
    if (!this.#markdown.element.hidden) this.#markdown.show(turn.answer);
    this.#drawCalls(turn, state, answering);
    this.wait.hidden = !(answering && (turn.record?.isEmpty ?? true));
    this.#drawNote(turn, state, answering);
    this.foot.hidden = answering;
    this.element.toggleAttribute("data-answering", answering);
    this.element.toggleAttribute("data-last", state.isLast);
    this.userActions.hidden = state.answering;
    for (const button of this.actions.children) button.hidden = state.answering;
    const usage = turn.record?.usage;
    this.figures.replaceChildren(...(usage ? usageOf(usage).map((figure) => h("span", {}, figure)) : []));
    const seed = turn.record?.seed;
    this.figures.title = seed === null || seed === undefined ? "" : `seed ${seed}`;
  }

  #drawThought(turn, answering) {
    const thinking = answering && turn.answer === "" && Boolean(turn.reasoning);
    this.reasoning.hidden = !turn.reasoning;
    this.reasoning.querySelector("span").textContent = thinking ? "Thinking" : "Thought";
    this.reasoning.toggleAttribute("data-thinking", thinking);
    if (this.thought.textContent !== (turn.reasoning ?? "")) this.thought.textContent = turn.reasoning ?? "";
  }

  #drawCalls(turn, state, answering) {
    const calls = answering ? (turn.record?.calls ?? []).filter(Boolean) : (turn.tool_calls ?? []);
    const waiting = !answering && state.isLast && calls.length > 0;
    const now = JSON.stringify([waiting, calls]);
    // What is being typed as a result stays.
    if (now === this.#calls) return;
    this.#calls = now;
    if (waiting) this.calls.replaceChildren(waitingCalls(calls, (results) => this.#say("give", results)));
    else this.calls.replaceChildren(...calls.map((call) => callCard(call)));
  }

  #drawNote(turn, state, answering) {
    const cut = turn.record?.finish === "length";
    this.note.hidden = answering || !(turn.interrupted || cut);
    if (this.note.hidden) return;
    const why = turn.broken
      ? `The answer broke off. ${turn.broken}`
      : cut
        ? "The answer has the most tokens that it may have."
        : "The answer was stopped before its end.";
    const button = (label, name) => h("button.quiet", { type: "button", on: { click: () => this.#say(name) } }, label);
    const more = state.isLast ? [button("Continue", "go-on"), button("Regenerate", "again")] : [];
    this.note.replaceChildren(h("span", {}, why), ...more);
    this.note.classList.toggle("bad", Boolean(turn.broken));
  }

  /** Lets the user change the message. */
  edit() {
    if (this.user.querySelector("textarea")) return;
    const field = h("textarea", { "aria-label": "Edit the message", rows: "2" });
    field.value = this.#turn.user;
    const close = () => {
      form.remove();
      this.message.hidden = false;
      this.userActions.hidden = false;
    };
    const send = () => {
      if (field.value.trim() === "") return;
      close();
      this.#say("edit", field.value);
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
        this.userActions.querySelector("button").focus();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    const form = h(
      "div.editing",
      {},
      field,
      h("p.hint", {}, "The turns from here on are answered anew. A branch keeps them."),
      h(
        "div.row",
        {},
        h("button.primary", { type: "button", on: { click: send } }, "Send"),
        h("button.quiet", { type: "button", on: { click: close } }, "Cancel"),
      ),
    );
    this.message.hidden = true;
    this.userActions.hidden = true;
    this.user.prepend(form);
    field.focus();
  }
}
