// A conversation: its turns, the answer that is being written, and how it is kept.
//
// What the user typed is kept before it is answered, and an answer that did not come to its end is marked so: neither a
// reload nor a server that goes away loses any of it. A request that is refused before its first piece changes nothing.

import { Answer, write } from "./answer.js";

const TITLE = 60;

/**
 * A turn. `record` is the answer with its tokens and its usage, where it was written since the page was opened; `broken`
 * says why the answer has no end.
 *
 * @typedef {import("./store.js").Kept & {record?: Answer, broken?: string}} Turn
 */

/** A conversation; says `change` for each piece of an answer, `settle` once one ends, and `kept` when it has been saved. */
export class Conversation extends EventTarget {
  id = null;
  title = "";
  /** @type {Turn[]} */
  turns = [];
  /** Why the last saving failed. */
  unsaved = null;
  /** Whether it failed because the conversation was changed or deleted elsewhere. */
  isOutdated = false;
  #store;
  #stop = null;
  #saving = Promise.resolve();
  /** The revision that the turns follow. */
  #revision = undefined;

  /** @param {import("./store.js").Store} store */
  constructor(store) {
    super();
    this.#store = store;
  }

  /**
   * One that is kept already.
   *
   * @param {import("./store.js").Store} store
   * @param {import("./store.js").Whole} whole
   */
  static of(store, whole) {
    const conversation = new Conversation(store);
    conversation.id = whole.id;
    conversation.title = whole.title;
    conversation.turns = whole.turns;
    conversation.#revision = whole.revision;
    return conversation;
  }

  /** Whether an answer is being written. */
  get isAnswering() {
    return this.#stop !== null;
  }

  /**
   * The chat so far, as a request brings it.
   *
   * @param {string} system
   */
  messages(system) {
    const before = system.trim() ? [{ role: "system", content: system }] : [];
    return [...before, ...this.turns.flatMap(messagesOf)];
  }

  /**
   * Has a message answered, in the place of the turns from `at` on.
   *
   * @param {string} user
   * @param {number} at turns that stay
   * @param {(conversation: Conversation) => object} request made of the conversation with the message
   * @throws {import("./server.js").Failure} where nothing came; the turns are as they were
   */
  async ask(user, at, request) {
    const before = this.turns;
    this.turns = [...before.slice(0, at), { user, answer: "" }];
    if (!this.title) this.title = titleOf(user);
    await this.#answer(before, request);
  }

  /**
   * Gives the results of the calls that the last answer ended with, and has it go on.
   *
   * @param {string[]} results in the order of the calls
   * @param {(conversation: Conversation) => object} request
   * @throws {import("./server.js").Failure} where nothing came; the calls wait as before
   */
  async give(results, request) {
    const before = this.turns;
    const turn = before.at(-1);
    const calling = { role: "assistant", content: turn.answer, tool_calls: turn.tool_calls };
    const told = turn.tool_calls.map((call, index) => ({ role: "tool", tool_call_id: call.id, content: results[index] }));
    const next = { user: turn.user, reasoning: turn.reasoning, between: [...(turn.between ?? []), calling, ...told], answer: "" };
    this.turns = [...before.slice(0, -1), next];
    await this.#answer(before, request);
  }

  async #answer(before, request) {
    const turn = this.turns.at(-1);
    const thought = turn.reasoning ?? "";
    turn.record = new Answer();
    turn.interrupted = true;
    const stop = new AbortController();
    this.#stop = stop;
    this.#say("change");
    this.save();
    try {
      await write(request(this), turn.record, stop.signal, () => {
        take(turn, thought);
        this.#say("change");
      });
      turn.interrupted = false;
    } catch (error) {
      const stopped = stop.signal.aborted;
      if (!stopped) turn.broken = error.message;
      if (!stopped && turn.record.isEmpty) {
        this.turns = before;
        throw error;
      }
    } finally {
      this.#stop = null;
      take(turn, thought);
      if (this.turns.length === 0) this.title = "";
      this.#say("settle");
      this.save();
    }
  }

  /** Ends the answer that is being written; what has come stays. */
  stop() {
    this.#stop?.abort();
  }

  /**
   * Gives another title.
   *
   * @param {string} title
   */
  async rename(title) {
    this.title = shortened(title, 200);
    await this.save();
  }

  /**
   * Keeps the conversation, behind what is being kept already; one without turns is not kept. A failure is told as
   * `unsaved`.
   *
   * @param {boolean} [leaving] whether the page may be gone at once
   */
  save(leaving = false) {
    const keep = async () => {
      try {
        if (this.turns.length === 0) await this.#forget();
        else {
          const kept = await this.#store.save(this.id, this.title, this.turns.map(bare), { leaving, revision: this.#revision });
          this.id = kept.id;
          // A page that was left and came back may hear of two savings in any order.
          if (kept.revision !== undefined) this.#revision = Math.max(this.#revision ?? 0, kept.revision);
        }
        this.unsaved = null;
        this.isOutdated = false;
      } catch (error) {
        // What the page was saving when it was left came first, and has the same turns but for the last words.
        if (leaving && error.code === "changed") return;
        this.unsaved = error.message;
        this.isOutdated = error.code === "changed" || (this.id !== null && error.status === 404);
      }
      this.#say("kept");
    };
    // A page that is left has no later.
    if (leaving) return keep();
    this.#saving = this.#saving.then(keep);
    return this.#saving;
  }

  async #forget() {
    if (this.id !== null) await this.#store.remove(this.id);
    this.id = null;
    this.#revision = undefined;
  }

  /** Keeps the conversation as another one, beside what it has become elsewhere. */
  async saveApart() {
    this.#saving = this.#saving.then(() => {
      // What was being saved meanwhile may have gone well.
      if (!this.isOutdated) return;
      this.id = null;
      this.#revision = undefined;
    });
    await this.save();
  }

  /**
   * A conversation of the first turns of this one.
   *
   * @param {number} turns
   */
  async branch(turns) {
    const branch = new Conversation(this.#store);
    branch.title = shortened(`${this.title} (branch)`, 200);
    branch.turns = this.turns.slice(0, turns).map((turn) => ({ ...turn }));
    await branch.save();
    return branch;
  }

  #say(event) {
    this.dispatchEvent(new Event(event));
  }
}

/** Brings a turn to where its answer is. */
function take(turn, thought) {
  const { text, reasoning, calls } = turn.record;
  turn.answer = text;
  turn.reasoning = thought && reasoning ? `${thought}\n\n${reasoning}` : thought || reasoning;
  // A call that was cut off has no end, and is none.
  turn.tool_calls = turn.record.finish === "tool_calls" ? calls.filter(Boolean) : [];
}

function messagesOf(turn, index, turns) {
  const messages = [{ role: "user", content: turn.user }, ...(turn.between ?? [])];
  const isLast = index === turns.length - 1;
  const calls = turn.tool_calls ?? [];
  if (calls.length > 0) {
    messages.push({ role: "assistant", content: turn.answer, tool_calls: calls });
    // The user went on without them.
    if (!isLast) messages.push(...calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: "not run" })));
  } else if (turn.answer || !isLast) {
    messages.push({ role: "assistant", content: turn.answer });
  }
  return messages;
}

/** What is kept of a turn. */
function bare({ user, answer, reasoning, between, tool_calls: calls, interrupted }) {
  return {
    user,
    answer,
    ...(reasoning ? { reasoning } : {}),
    ...(between?.length ? { between } : {}),
    ...(calls?.length ? { tool_calls: calls } : {}),
    interrupted: interrupted ?? false,
  };
}

function titleOf(user) {
  return shortened(user.trim().split("\n")[0], TITLE) || "Untitled";
}

function shortened(text, most) {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most - 1).join("").trimEnd()}…` : text;
}
