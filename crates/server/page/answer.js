// An answer while it is written: its text, what was thought, calls of tools, and each token with its alternatives.

import { stream } from "./server.js";

/**
 * A token of an answer.
 *
 * @typedef {{token: string, id: number, logprob: number, bytes: number[]}} Spelled
 * @typedef {Spelled & {top_logprobs: Spelled[], kind: "reasoning"|"answer"|"call"|"mark"}} Token
 */

/** What the model writes, piece by piece. */
export class Answer {
  text = "";
  reasoning = "";
  /** Calls of tools in OpenAI's shape. */
  calls = [];
  /** @type {Token[]} */
  tokens = [];
  usage = null;
  seed = null;
  finish = null;

  /** Whether nothing has come yet. */
  get isEmpty() {
    return this.text === "" && this.reasoning === "" && this.calls.length === 0 && this.tokens.length === 0;
  }

  /**
   * Adds an event of the stream.
   *
   * @param {object} event a `chat.completion.chunk`
   */
  add(event) {
    if (event.usage) this.usage = event.usage;
    if (event.seed !== undefined && event.seed !== null) this.seed = event.seed;
    const choice = event.choices?.[0];
    if (!choice) return;
    const delta = choice.delta ?? {};
    this.text += delta.content ?? "";
    this.reasoning += delta.reasoning_content ?? "";
    for (const call of delta.tool_calls ?? []) this.#addCall(call);
    const kind = kindOf(delta);
    for (const token of choice.logprobs?.content ?? []) this.tokens.push({ ...token, kind });
    if (choice.finish_reason) this.finish = choice.finish_reason;
  }

  #addCall(delta) {
    this.calls[delta.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } };
    const call = this.calls[delta.index];
    if (delta.id) call.id = delta.id;
    if (delta.function?.name) call.function.name = delta.function.name;
    call.function.arguments += delta.function?.arguments ?? "";
  }
}

function kindOf(delta) {
  if (delta.tool_calls) return "call";
  if (delta.reasoning_content) return "reasoning";
  return delta.content ? "answer" : "mark";
}

/**
 * Asks for an answer and adds to `answer` as it comes.
 *
 * @param {object} request
 * @param {Answer} answer
 * @param {AbortSignal} signal
 * @param {() => void} changed after each piece
 * @throws {import("./server.js").Failure} and what an aborted `signal` throws; `answer` keeps what came before
 */
export async function write(request, answer, signal, changed) {
  for await (const event of stream("/v1/chat/completions", request, signal)) {
    answer.add(event);
    changed();
  }
}
