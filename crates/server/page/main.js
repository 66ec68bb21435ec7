// The page: makes its parts, joins them, and follows the model's status.

import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { askKey, openSettings, openShortcuts } from "./dialogs.js";
import { byId, h, icon } from "./element.js";
import { Watch } from "./health.js";
import { Inspector } from "./inspector.js";
import { Notice } from "./notice.js";
import { whenLockedOut } from "./server.js";
import { Settings } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { nextTheme, setTheme, theme } from "./theme.js";
import { Thread } from "./thread.js";

const STARTERS = ["Tell me a story about a fox named Pim in the forest.", "Who are you?", "How are tokens chosen?"];

const settings = new Settings();
const composer = new Composer();
const watch = new Watch();
const thread = new Thread(byId("thread"), byId("turns"));
const chat = new Chat({
  store: new Store(),
  settings,
  thread,
  sidebar: new Sidebar(),
  composer,
  notice: new Notice(),
  inspector: new Inspector(byId("inspector")),
  watch,
});

function drawIcons() {
  for (const [id, name] of [
    ["close-sidebar", "close"],
    ["open-sidebar", "menu"],
    ["open-settings", "settings"],
    ["open-shortcuts", "keyboard"],
  ]) {
    byId(id).append(icon(name));
  }
  byId("tokens").append(icon("tokens"), h("span", {}, "Tokens"));
  drawTheme();
}

function drawTheme() {
  const name = theme();
  const button = byId("theme");
  button.replaceChildren(icon({ auto: "auto", light: "sun", dark: "moon" }[name]));
  const label = `Theme: ${name === "auto" ? "the system’s" : name}`;
  button.setAttribute("aria-label", label);
  button.title = label;
}

const toggleTokens = () => chat.showTokens(byId("tokens").getAttribute("aria-pressed") !== "true");

function joinButtons() {
  byId("new").addEventListener("click", () => chat.begin());
  byId("open-settings").addEventListener("click", () => openSettings(settings));
  byId("open-shortcuts").addEventListener("click", openShortcuts);
  byId("tokens").addEventListener("click", toggleTokens);
  byId("theme").addEventListener("click", () => {
    setTheme(nextTheme());
    drawTheme();
  });
  composer.addEventListener("send", ({ detail }) => chat.send(detail));
  composer.addEventListener("stop", () => chat.stop());
  composer.addEventListener("edit-last", () => chat.editLast());
  byId("starters").append(
    ...STARTERS.map((text) => {
      const button = h("button.quiet", { type: "button" }, text);
      button.addEventListener("click", () => {
        composer.write(text);
        composer.focus();
      });
      return button;
    }),
  );
  byId("turns").addEventListener("click", async ({ target }) => {
    if (target.dataset?.copy !== "code") return;
    const done = await chat.copy(target.closest(".code").querySelector("code").textContent);
    if (!done) return;
    target.textContent = "Copied";
    setTimeout(() => (target.textContent = "Copy"), 1500);
  });
}

/** What a shortcut does, by its keys; letters alone count outside of fields. */
const SHORTCUTS = {
  "Ctrl+.": toggleTokens,
  "Ctrl+,": () => openSettings(settings),
  "Ctrl+Shift+O": () => chat.begin(),
  "Ctrl+K": () => {
    byId("frame").toggleAttribute("data-sidebar", true);
    byId("search").focus();
  },
  "/": () => composer.focus(),
  "?": openShortcuts,
};

function joinKeys() {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      if (!chat.stop()) byId("frame").removeAttribute("data-sidebar");
      return;
    }
    const held = event.ctrlKey || event.metaKey;
    if (!held && event.target.closest("textarea, input")) return;
    const letter = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const name = held ? `Ctrl+${event.shiftKey && /[A-Z]/.test(letter) ? "Shift+" : ""}${letter}` : event.key;
    const does = SHORTCUTS[name];
    if (!does) return;
    event.preventDefault();
    does();
  });
}

let met = false;

async function drawHealth() {
  const { state, text, share } = watch.health;
  byId("model").dataset.state = state;
  byId("model-text").textContent = text;
  byId("load").hidden = state !== "loading";
  if (share === null || share === undefined) byId("load").removeAttribute("value");
  else byId("load").value = share;
  composer.ready(state === "ready" && met);
  if (state !== "ready" || met) return;
  met = true;
  try {
    await chat.meet();
    await chat.follow();
  } catch {
    // Without a key, or without the server, the next look tries again.
    met = false;
  }
  composer.ready(met);
}

whenLockedOut(askKey);
drawIcons();
joinButtons();
joinKeys();
watch.addEventListener("change", drawHealth);
watch.ask();
if (matchMedia("(pointer: fine)").matches) composer.focus();
