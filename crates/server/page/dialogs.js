// Dialogs: the settings, the key, a question before something goes for good, and the list of shortcuts.

import { byId, h, icon } from "./element.js";
import { key, setKey } from "./server.js";
import { EXAMPLE, GROUPS } from "./settings.js";

function head(id, title, dialog) {
  const close = h("button.icon", { type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"));
  return h("div.head", {}, h("h2", { id }, title), close);
}

/**
 * Opens the settings.
 *
 * @param {import("./settings.js").Settings} settings
 */
export function openSettings(settings) {
  const dialog = byId("settings");
  const draw = () => {
    const groups = GROUPS.map(({ title, settings: inside }) =>
      h("fieldset", {}, h("legend", {}, title), ...inside.map((setting) => field(settings, setting))),
    );
    const clear = h("button.quiet", { type: "button" }, "Back to the model’s own");
    clear.addEventListener("click", () => {
      settings.clear();
      draw();
      dialog.querySelector("textarea").focus();
    });
    const hint = h("p.hint", {}, "What is empty is the model’s own. All of it is remembered by this browser.");
    dialog.replaceChildren(head("settings-title", "Settings", dialog), h("div.body", { tabindex: "0", role: "region", "aria-labelledby": "settings-title" }, hint, ...groups, clear));
  };
  draw();
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("textarea").focus();
}

function field(settings, setting) {
  const { field: name, label, kind, hint } = setting;
  const long = ["text", "lines", "tools"].includes(kind);
  const id = `setting-${name}`;
  const input = h(long ? "textarea" : "input", {
    id,
    name,
    rows: long ? (kind === "tools" ? "8" : "3") : null,
    type: long ? null : "text",
    inputmode: kind === "number" ? "decimal" : kind === "whole" ? "numeric" : null,
    placeholder: setting.empty ?? (long ? null : "model’s own"),
    autocomplete: "off",
    spellcheck: kind === "text" ? null : "false",
    "aria-describedby": `${id}-hint ${id}-fault`,
  });
  input.value = settings.text(name);
  const fault = h("p.fault", { id: `${id}-fault`, role: "alert" });
  const keep = () => {
    const wrong = settings.set(setting, input.value);
    fault.textContent = wrong ?? "";
    input.setAttribute("aria-invalid", String(wrong !== null));
  };
  input.addEventListener("input", keep);
  const children = [h("label", { for: id }, label), input, h("p.hint", { id: `${id}-hint` }, hint), fault];
  if (kind === "tools") {
    const example = h("button.quiet", { type: "button" }, "Insert a calculator");
    example.addEventListener("click", () => {
      input.value = EXAMPLE;
      keep();
    });
    children.push(example);
  }
  return h(long ? "div.field.long" : "div.field", {}, ...children);
}

/**
 * Asks for the key of the server.
 *
 * @returns {Promise<boolean>} whether one was given
 */
export function askKey() {
  const dialog = byId("key");
  const input = h("input", { id: "key-text", type: "password", autocomplete: "off", spellcheck: "false" });
  const remember = h("input", { id: "key-remember", type: "checkbox" });
  const refused = key() !== "";
  let given = false;
  const use = () => {
    if (input.value.trim() === "") return input.focus();
    setKey(input.value.trim(), remember.checked);
    given = true;
    dialog.close();
  };
  input.addEventListener("keydown", (event) => event.key === "Enter" && use());
  dialog.replaceChildren(
    head("key-title", "This server asks for a key", dialog),
    h("p.fault", { role: "alert" }, refused ? "The server does not know the key that was given." : ""),
    h("label", { for: "key-text" }, "API key"),
    input,
    h("div.row", {}, remember, h("label", { for: "key-remember" }, "Remember it on this device")),
    h("div.row", {}, h("button.primary", { type: "button", on: { click: use } }, "Use the key")),
  );
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(given), { once: true });
    dialog.showModal();
    input.focus();
  });
}

/**
 * Asks before something goes for good.
 *
 * @param {string} question
 * @param {string} label of the button that does it
 * @returns {Promise<boolean>}
 */
export function confirmed(question, label) {
  const dialog = byId("confirm");
  let yes = false;
  const decide = (answer) => () => {
    yes = answer;
    dialog.close();
  };
  dialog.replaceChildren(
    h("h2", { id: "confirm-title" }, question),
    h(
      "div.row",
      {},
      h("button.primary", { type: "button", on: { click: decide(true) } }, label),
      h("button.quiet", { type: "button", on: { click: decide(false) } }, "Cancel"),
    ),
  );
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(yes), { once: true });
    dialog.showModal();
    dialog.querySelector(".quiet").focus();
  });
}

/** Each shortcut with what it does. */
const SHORTCUTS = [
  [["Enter"], "sends the message"],
  [["Shift", "Enter"], "breaks the line"],
  [["Esc"], "stops the answer"],
  [["↑"], "edits the last message, from an empty field"],
  [["/"], "goes to the message"],
  [["Ctrl", "."], "shows or hides how tokens were chosen"],
  [["←", "→"], "go from token to token"],
  [["Ctrl", "Shift", "O"], "begins a conversation"],
  [["Ctrl", "K"], "searches the titles"],
  [["Ctrl", ","], "opens the settings"],
  [["?"], "shows this list"],
];

/** Opens the list of shortcuts. */
export function openShortcuts() {
  const dialog = byId("shortcuts");
  const rows = SHORTCUTS.flatMap(([keys, does]) => [
    h("dt", {}, ...keys.map((name) => h("kbd", {}, name))),
    h("dd", {}, does),
  ]);
  dialog.replaceChildren(head("shortcuts-title", "Shortcuts", dialog), h("dl", {}, ...rows));
  if (!dialog.open) dialog.showModal();
}
