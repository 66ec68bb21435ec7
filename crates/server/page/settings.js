// The settings of answers: what each may be, what the user has chosen, and the fields of a request that follow.
//
// A value out of its bounds is never kept and never sent. What is left empty is the model's own.

const NAME = "wick.settings";
/** Alternatives that are told with each token, unless the user chooses. */
const ALTERNATIVES = 8;

/**
 * A setting. `kind`: `text`, `number`, `whole`, `lines` or `tools`; `field` is the name in a request.
 *
 * @typedef {{field: string, label: string, kind: string, hint: string, least?: number, most?: number, empty?: string}} Setting
 */

/** @type {{title: string, settings: Setting[]}[]} */
export const GROUPS = [
  {
    title: "Instructions",
    settings: [
      { field: "system", label: "System prompt", kind: "text", hint: "Stands before every conversation; it is not stored with them." },
    ],
  },
  {
    title: "Draws",
    settings: [
      { field: "temperature", label: "Temperature", kind: "number", least: 0, hint: "0 always takes the most probable token." },
      { field: "top_p", label: "Top p", kind: "number", least: 0, most: 1, hint: "Keeps the most probable tokens up to this sum." },
      { field: "top_k", label: "Top k", kind: "whole", least: 0, most: 2147483647, hint: "Keeps so many tokens; 0 keeps all." },
      { field: "min_p", label: "Min p", kind: "number", least: 0, most: 1, hint: "Keeps tokens of this share of the largest." },
      {
        field: "repetition_penalty",
        label: "Repetition penalty",
        kind: "number",
        least: 0.01,
        most: 100,
        hint: "1 changes nothing.",
      },
      { field: "seed", label: "Seed", kind: "whole", least: 0, most: Number.MAX_SAFE_INTEGER, hint: "The same seed, the same answer." },
    ],
  },
  {
    title: "Length",
    settings: [
      { field: "max_tokens", label: "Most tokens", kind: "whole", least: 1, most: 4294967295, hint: "Of one answer." },
      { field: "stop", label: "Stop texts", kind: "lines", most: 64, hint: "One a line; each ends the answer." },
      { field: "reasoning_effort", label: "Reasoning effort", kind: "word", hint: "In the words of the model's template." },
    ],
  },
  {
    title: "Tools",
    settings: [
      { field: "tools", label: "Tools the model may call", kind: "tools", hint: "JSON, a list of functions. You give the results yourself." },
    ],
  },
  {
    title: "Tokens",
    settings: [
      {
        field: "alternatives",
        label: "Alternatives of each token",
        kind: "whole",
        least: 0,
        most: 20,
        empty: String(ALTERNATIVES),
        hint: "How many are told, 0 to 20.",
      },
    ],
  },
];

/** A tool to begin with. */
export const EXAMPLE = JSON.stringify(
  [
    {
      name: "calculator",
      description: "Computes an arithmetic expression.",
      parameters: { type: "object", properties: { expression: { type: "string" } }, required: ["expression"] },
    },
  ],
  null,
  2,
);

const ALL = GROUPS.flatMap((group) => group.settings);

/**
 * What is wrong with a text as the value of a setting; nothing where it may be.
 *
 * @param {Setting} setting
 * @param {string} text
 * @returns {string|null}
 */
export function fault(setting, text) {
  if (text.trim() === "") return null;
  const { kind, least = -Infinity, most = Infinity } = setting;
  if (kind === "number" || kind === "whole") {
    const value = Number(text);
    if (!Number.isFinite(value)) return `${text} is no number.`;
    if (kind === "whole" && !Number.isInteger(value)) return `${text} is no whole number.`;
    if (value < least || value > most) {
      return most === Infinity ? `${text} is below ${least}.` : `${text} is not between ${least} and ${most}.`;
    }
  }
  if (kind === "lines" && linesOf(text).length > most) return `${linesOf(text).length} texts, at most ${most} may be given.`;
  if (kind === "tools") return toolFault(text);
  return null;
}

function toolFault(text) {
  let tools;
  try {
    tools = JSON.parse(text);
  } catch (error) {
    return `This is no JSON: ${error.message}.`;
  }
  if (!Array.isArray(tools)) return "This is no list of tools.";
  for (const [index, tool] of tools.entries()) {
    const name = (tool?.function ?? tool)?.name;
    if (typeof name !== "string" || !/^[\w.-]{1,64}$/.test(name)) {
      return `Tool ${index + 1} has no name of 1 to 64 letters, digits, "_", "." and "-".`;
    }
  }
  return null;
}

function linesOf(text) {
  return text.split("\n").filter((line) => line !== "");
}

/** The settings as the user typed them, by field. */
export class Settings {
  #texts;

  constructor() {
    let kept = {};
    try {
      kept = JSON.parse(localStorage.getItem(NAME) ?? "{}") ?? {};
    } catch {
      // What was kept is no JSON: the model's own settings stand.
    }
    const fits = (setting) => typeof kept[setting.field] === "string" && fault(setting, kept[setting.field]) === null;
    this.#texts = Object.fromEntries(ALL.filter(fits).map(({ field }) => [field, kept[field]]));
  }

  /** The text of a field; empty where it is the model's own. */
  text(field) {
    return this.#texts[field] ?? "";
  }

  /**
   * Keeps a text, unless it may not be.
   *
   * @param {Setting} setting
   * @param {string} text
   * @returns {string|null} what is wrong with it
   */
  set(setting, text) {
    const wrong = fault(setting, text);
    if (wrong === null) {
      this.#texts[setting.field] = text.trim() === "" ? "" : text;
      localStorage.setItem(NAME, JSON.stringify(this.#texts));
    }
    return wrong;
  }

  /** Goes back to the model's own settings. */
  clear() {
    this.#texts = {};
    localStorage.removeItem(NAME);
  }

  /** Alternatives that are asked for with each token. */
  get alternatives() {
    return this.text("alternatives") === "" ? ALTERNATIVES : Number(this.text("alternatives"));
  }

  /**
   * The fields of a request that say how it is answered.
   *
   * @returns {object}
   */
  fields() {
    const fields = {};
    for (const { field, kind } of ALL) {
      const text = this.text(field);
      if (text === "" || field === "system" || field === "alternatives") continue;
      if (kind === "number" || kind === "whole") fields[field] = Number(text);
      else if (kind === "lines") fields[field] = linesOf(text);
      else if (kind === "tools") fields[field] = toolsOf(text);
      else fields[field] = text.trim();
    }
    if (fields.tools?.length === 0) delete fields.tools;
    return fields;
  }
}

function toolsOf(text) {
  return JSON.parse(text).map((tool) => (tool.function ? tool : { type: "function", function: tool }));
}
