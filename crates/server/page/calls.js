// Calls of tools: what the model asks for, what came back, and where the user types a result.

import { h, icon } from "./element.js";
import { highlighted } from "./highlight.js";

/** JSON text, indented where it is JSON. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/**
 * A call, with its result where there is one.
 *
 * @param {{id: string, function: {name: string, arguments: string}}} call
 * @param {string} [result]
 * @returns {HTMLElement}
 */
export function callCard(call, result) {
  const name = call.function.name || "a tool";
  const head = h("div.name", {}, icon("tool"), h("span", {}, "calls ", h("code", {}, name)));
  const given = h(
    "pre",
    { tabindex: "0", role: "group", "aria-label": `Arguments of ${name}` },
    h("code", {}, ...highlighted(pretty(call.function.arguments), "json")),
  );
  const card = h("div.call", {}, head, given);
  if (result !== undefined) {
    card.append(h("div.label", {}, "Result"), h("pre.result", { tabindex: "0", role: "group", "aria-label": `Result of ${name}` }, result));
  }
  return card;
}

/**
 * The calls and results that lie between a message and its answer, in their order; what was said with a call stands before
 * it.
 *
 * @param {object[]} between messages in OpenAI's shape
 * @returns {HTMLElement[]}
 */
export function settledCalls(between) {
  const results = new Map(between.filter(({ role }) => role === "tool").map((told) => [told.tool_call_id, told.content]));
  return between
    .filter(({ role }) => role === "assistant")
    .flatMap(({ content, tool_calls: calls = [] }) => [
      ...(content?.trim() ? [h("p.aside", {}, content)] : []),
      ...calls.map((call) => callCard(call, results.get(call.id))),
    ]);
}

/**
 * Calls that wait for their results.
 *
 * @param {object[]} calls
 * @param {(results: string[]) => void} give
 * @returns {HTMLElement}
 */
export function waitingCalls(calls, give) {
  const fields = calls.map((call, index) =>
    h("textarea", {
      rows: "2",
      "aria-label": `Result of ${call.function.name}, call ${index + 1}`,
      placeholder: "What does it give back?",
    }),
  );
  const send = () => give(fields.map((field) => field.value));
  const cards = calls.map((call, index) => {
    const card = callCard(call);
    card.append(fields[index]);
    return card;
  });
  for (const field of fields) {
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    });
  }
  const label = calls.length === 1 ? "Send result" : "Send results";
  return h("div.waiting", {}, ...cards, h("button.primary", { type: "button", on: { click: send } }, label));
}
