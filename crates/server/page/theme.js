// The theme: light, dark, or what the system says; set before the page is drawn, and remembered.

const NAME = "wick.theme";
const THEMES = ["auto", "light", "dark"];

/** The theme that was chosen: `auto`, `light` or `dark`. */
export function theme() {
  const kept = localStorage.getItem(NAME);
  return THEMES.includes(kept) ? kept : "auto";
}

/**
 * Chooses the theme.
 *
 * @param {string} name
 */
export function setTheme(name) {
  localStorage.setItem(NAME, name);
  document.documentElement.dataset.theme = name;
}

/** The theme behind this one, in the order of the button. */
export function nextTheme() {
  return THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
}

document.documentElement.dataset.theme = theme();
