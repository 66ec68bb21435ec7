// The chat: which conversation is open, what the user does with it, and where each failure is told.
//
// A conversation that is left goes on with its answer; it is found again under its id.

import { Conversation } from "./conversation.js";
import { confirmed } from "./dialogs.js";
import { byId } from "./element.js";
import { counted } from "./figures.js";
import { Failure, json } from "./server.js";
import { fragment, fromFragment } from "./sidebar.js";

const GO_ON = "Please go on.";

/** What is done on the page. */
export class Chat {
  /** @type {Conversation} */
  #open;
  /** Conversations with an answer in the making. @type {Set<Conversation>} */
  #answering = new Set();
  #card = null;
  /** The token that is looked at; none while the newest is followed. */
  #looked = null;
  #counting = 0;

  /**
   * @param {{store: import("./store.js").Store, settings: import("./settings.js").Settings, thread: import("./thread.js").Thread,
   *   sidebar: import("./sidebar.js").Sidebar, composer: import("./composer.js").Composer, notice: import("./notice.js").Notice,
   *   inspector: import("./inspector.js").Inspector, watch: import("./health.js").Watch}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.#open = new Conversation(this.store);
    this.#listen(this.#open);
    this.thread.open(this.#open);
    const on = (name, does) => this.thread.addEventListener(name, ({ detail: { index, detail } }) => does(index, detail));
    on("copy", (_, text) => this.copy(text));
    on("edit", (index, text) => this.#attempt(() => this.#open.ask(text, index, (now) => this.#request(now))));
    on("again", (index) => this.regenerate(index));
    on("branch", (index) => this.#branch(index));
    on("give", (_, results) => this.#attempt(() => this.#open.give(results, (now) => this.#request(now))));
    on("go-on", () => this.#attempt(() => this.#open.ask(GO_ON, this.#open.turns.length, (now) => this.#request(now))));
    on("choose", (turn, token) => this.#look(turn, token));
    this.inspector.addEventListener("choose", ({ detail }) => {
      const turn = this.#looked?.turn ?? this.#open.turns.length - 1;
      this.thread.view(turn)?.tokenText.focus(detail);
      this.#look(turn, detail);
    });
    this.inspector.addEventListener("close", () => this.showTokens(false));
    this.sidebar.addEventListener("remove", ({ detail }) => this.#remove(detail));
    this.sidebar.addEventListener("rename", ({ detail }) => this.#rename(detail));
    window.addEventListener("hashchange", () => this.follow());
    window.addEventListener("pagehide", () => {
      for (const conversation of this.#answering) conversation.save(true);
    });
  }

  /** Learns what the model is, once it is ready. */
  async meet() {
    this.#card = (await json("GET", "/v1/models")).data[0];
    await this.list();
    this.#drawContext();
  }

  #request(conversation) {
    const alternatives = this.settings.alternatives;
    const told = this.#card?.capabilities.tokens ? { logprobs: true, top_logprobs: alternatives } : {};
    return {
      model: this.#card?.id ?? this.watch.health.model ?? "",
      messages: conversation.messages(this.settings.text("system")),
      stream: true,
      stream_options: { include_usage: true },
      ...told,
      ...this.settings.fields(),
    };
  }

  #listen(conversation) {
    const isOpen = () => conversation === this.#open;
    conversation.addEventListener("change", () => {
      this.#answering.add(conversation);
      if (!isOpen()) return;
      this.#drawState();
      this.thread.drawSoon();
      this.#followTokens();
    });
    conversation.addEventListener("settle", () => {
      this.#answering.delete(conversation);
      if (!isOpen()) return;
      this.#drawState();
      this.thread.draw();
      this.#followTokens();
      this.#drawContext();
      this.#announce();
    });
    conversation.addEventListener("kept", () => {
      if (conversation.unsaved) this.#offerToKeep(conversation);
      if (isOpen()) this.#name();
      this.list();
    });
  }

  /** Tells that a conversation could not be kept, and what can be done. */
  #offerToKeep(conversation) {
    if (conversation.isOutdated) {
      this.notice.show("This conversation was changed elsewhere, or deleted.", [{ label: "Keep this one apart", does: () => conversation.saveApart() }]);
    } else {
      this.notice.show(`The conversation could not be kept: ${conversation.unsaved}`, [{ label: "Keep it now", does: () => conversation.save() }]);
    }
  }

  /** Does what the model has to answer, and tells where it was refused; `text` then comes back into the field. */
  async #attempt(does, text = null) {
    if (this.#open.isAnswering) return;
    this.notice.hide();
    this.#looked = null;
    this.thread.toEnd();
    if (text !== null) this.composer.withdraw(text);
    try {
      await does();
    } catch (error) {
      if (text !== null) this.composer.restore(text);
      if (error.name === "AbortError") return;
      if (!(error instanceof Failure)) throw error;
      this.#tell(error, () => this.#attempt(does, text));
    }
  }

  #tell(failure, again) {
    const actions = [{ label: "Try again", does: again }];
    if (failure.code === "context_length_exceeded") {
      this.notice.show(`The conversation has no room left: ${failure.message}.`, [{ label: "New conversation", does: () => this.begin() }]);
      return;
    }
    if (failure.status === 400 && failure.param) {
      actions[0] = { label: "Settings", does: () => byId("open-settings").click() };
    }
    const message = failure.status === 429 ? `The server is busy: ${failure.message}.` : failure.message;
    this.notice.show(message, actions, failure.retryAfter);
    if (failure.code === "lost") this.watch.ask();
  }

  /**
   * Sends a message; where nothing of it is answered, it comes back into the field.
   *
   * @param {string} text
   */
  async send(text) {
    const conversation = this.#open;
    await this.#attempt(() => conversation.ask(text, conversation.turns.length, (now) => this.#request(now)), text);
  }

  /**
   * Answers a turn anew; the turns behind it go.
   *
   * @param {number} [index] the last one unless given
   */
  async regenerate(index = this.#open.turns.length - 1) {
    const turn = this.#open.turns[index];
    if (turn) await this.#attempt(() => this.#open.ask(turn.user, index, (now) => this.#request(now)));
  }

  /** Stops the answer of the conversation that is open; says whether there was one. */
  stop() {
    const answering = this.#open.isAnswering;
    this.#open.stop();
    return answering;
  }

  /** Opens the message of the last turn for changes. */
  editLast() {
    if (!this.#open.isAnswering) this.thread.view(-1)?.edit();
  }

  /** Copies a text and says so. */
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      byId("announcer").textContent = "Copied.";
      return true;
    } catch {
      this.notice.show("The browser does not let this page copy.");
      return false;
    }
  }

  async #branch(index) {
    const branch = await this.#open.branch(index + 1);
    this.#listen(branch);
    await this.list();
    this.#show(branch);
    this.composer.focus();
  }

  async #remove(outline) {
    if (!(await confirmed(`Delete “${outline.title || "Untitled"}” for good?`, "Delete"))) return;
    try {
      if (outline.id === this.#open.id) this.#open.stop();
      await this.store.remove(outline.id);
      if (outline.id === this.#open.id) this.begin();
      await this.list();
    } catch (error) {
      this.notice.show(`It could not be deleted: ${error.message}`);
    }
  }

  async #rename({ outline, title }) {
    try {
      const conversation = outline.id === this.#open.id ? this.#open : await this.#find(outline.id);
      await conversation.rename(title);
    } catch (error) {
      this.notice.show(`It could not be renamed: ${error.message}`);
    }
  }

  /** Begins a conversation. */
  begin() {
    const conversation = new Conversation(this.store);
    this.#listen(conversation);
    this.#show(conversation);
    this.sidebar.toggle(false);
    this.composer.focus();
  }

  async #find(id) {
    const known = [...this.#answering].find((conversation) => conversation.id === id);
    if (known) return known;
    const conversation = Conversation.of(this.store, await this.store.open(id));
    this.#listen(conversation);
    return conversation;
  }

  /** Opens what the address names. */
  async follow() {
    const id = fromFragment(location.hash);
    if (id === this.#open.id) return;
    if (id === null) return this.begin();
    try {
      this.#show(await this.#find(id));
      this.sidebar.toggle(false);
    } catch (error) {
      this.begin();
      this.notice.show(error.status === 404 ? "That conversation is not kept here." : `It could not be opened: ${error.message}`);
    }
  }

  #show(conversation) {
    this.#open = conversation;
    this.#looked = null;
    this.notice.hide();
    this.thread.open(conversation);
    this.#name();
    this.#drawState();
    this.#followTokens();
    this.#drawContext();
    this.list();
  }

  #name() {
    const title = this.#open.title || "New conversation";
    byId("title").textContent = title;
    document.title = this.#open.title ? `${title} · wick` : "wick";
    const address = fragment(this.#open.id);
    if (location.hash !== address && (location.hash || address !== "#")) history.replaceState(null, "", address);
  }

  #drawState() {
    const { turns, isAnswering } = this.#open;
    byId("welcome").hidden = turns.length > 0;
    this.composer.answering(isAnswering);
    byId("thread").setAttribute("aria-busy", String(isAnswering));
  }

  /** Draws the list of what is kept. */
  async list() {
    if (!this.#card) return;
    try {
      const outlines = await this.store.list();
      const answering = new Set([...this.#answering].map(({ id }) => id));
      this.sidebar.show(outlines, this.#open.id, answering);
    } catch (error) {
      if (error.code === "lost") return;
      byId("kept").textContent = `The list could not be read: ${error.message}`;
      byId("kept").hidden = false;
      return;
    }
    byId("kept").hidden = !this.store.isOfThisPage;
    byId("kept").textContent = "This server keeps no conversations: they end with this page.";
  }

  /** Shows how many tokens of the context the conversation has. */
  async #drawContext() {
    const counting = ++this.#counting;
    const conversation = this.#open;
    if (!this.#card || conversation.isAnswering) return;
    let used = conversation.turns.at(-1)?.record?.usage?.total_tokens ?? null;
    if (used === null && conversation.turns.length > 0 && this.#card.capabilities.tokens) {
      const messages = conversation.messages(this.settings.text("system"));
      used = (await json("POST", "/tokenize", { messages }).catch(() => null))?.count ?? null;
    }
    if (counting !== this.#counting) return;
    const most = this.#card.max_model_len;
    byId("context-meter").hidden = used === null;
    byId("context-meter").value = Math.min(1, (used ?? 0) / most);
    byId("context-text").textContent =
      used === null ? `${counted(most)} tokens of context` : `${counted(used)} of ${counted(most)} tokens of context`;
  }

  #announce() {
    const turn = this.#open.turns.at(-1);
    if (!turn) return;
    const how = turn.interrupted ? "The answer has no end." : turn.tool_calls?.length ? "The model calls a tool." : "Answered.";
    byId("announcer").textContent = `${how} ${turn.answer.slice(0, 300)}`;
  }

  /**
   * Shows answers as tokens, or as text.
   *
   * @param {boolean} shows
   */
  showTokens(shows) {
    const within = this.inspector.element.contains(document.activeElement);
    this.thread.showsTokens = shows;
    this.inspector.element.hidden = !shows;
    byId("frame").toggleAttribute("data-tokens", shows);
    byId("tokens").setAttribute("aria-pressed", String(shows));
    if (within) byId("tokens").focus();
    this.#looked = null;
    this.thread.draw();
    this.#followTokens();
  }

  #look(turn, token) {
    this.#looked = { turn, token };
    this.thread.mark(turn, token);
    this.inspector.show(this.#open.turns[turn]?.record?.tokens ?? [], token);
  }

  /** Shows the newest token, unless the user looks at another. */
  #followTokens() {
    if (!this.thread.showsTokens || this.#looked) return;
    const tokens = this.#open.turns.at(-1)?.record?.tokens ?? [];
    this.inspector.show(tokens, tokens.length - 1);
  }
}
