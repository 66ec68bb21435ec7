// Elements: DOM nodes from names, attributes and children. Text is always a text node, so that none of it is ever markup.

/**
 * An element.
 *
 * @param {string} name its tag, with classes behind dots: `div.turn.open`
 * @param {Object<string, unknown>} attributes by name; `on` holds listeners by event, `hidden` and other booleans are
 *   properties, absent values are left out
 * @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElement}
 */
export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * The element of the page with this id.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return document.getElementById(id);
}

const PATHS = {
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  settings: "M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4",
  keyboard: "M4 6h16v12H4zM8 10h.01M12 10h.01M16 10h.01M8 14h8",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1M12 20v1M3 12h1M20 12h1M5.600 5.600l.7.7M17.700 17.700l.7.7M18.400 5.600l-.7.7M6.300 17.700l-.7.7",
  moon: "M20 14.500A8 8 0 0 1 9.500 4 8 8 0 1 0 20 14.500z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  copy: "M9 9h10v10H9zM5 15V5h10",
  again: "M19 12a7 7 0 1 1-2.300-5.200M19 4v4h-4",
  branch: "M7 5v14M7 12c6 0 10-1 10-6M15 8l2-2 2 2",
  edit: "M5 19h4L19 9l-4-4L5 15z",
  remove: "M6 7h12M10 7V5h4v2M8 7l1 12h6l1-12",
  tokens: "M4 19V9M9.300 19V5M14.700 19v-7M20 19v-4",
  tool: "M14.500 6.500a4 4 0 0 0-5 5L4 17l3 3 5.500-5.500a4 4 0 0 0 5-5L15 12l-3-3z",
  check: "M5 13l4 4L19 7",
};

/**
 * A line drawing of 20 pixels that readers of the screen do not hear of.
 *
 * @param {keyof PATHS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  drawing.classList.add("icon");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  drawing.append(path);
  return drawing;
}

/**
 * Makes an element like another one of the same name, and keeps the nodes that need no change, with what is selected or
 * hovered in them.
 *
 * @param {Element} current
 * @param {Element} wanted is used up
 */
export function becomeElement(current, wanted) {
  for (const { name } of [...current.attributes]) {
    if (!wanted.hasAttribute(name)) current.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  const children = [...wanted.childNodes];
  children.forEach((child, index) => {
    const there = current.childNodes[index];
    if (!there) {
      current.append(child);
    } else if (there.nodeType !== child.nodeType || there.nodeName !== child.nodeName) {
      there.replaceWith(child);
    } else if (there.nodeType === Node.TEXT_NODE) {
      if (there.data !== child.data) there.data = child.data;
    } else {
      becomeElement(there, child);
    }
  });
  while (current.childNodes.length > children.length) current.lastChild.remove();
}
