// Blocks of markdown: a text cut into headings, paragraphs, lists, quotes, tables and code, as plain data.
//
// Each block of the outermost level knows the text that it was cut from, so that one that has not changed is not drawn
// again. Every text is some list of blocks; what is no other block is a paragraph.

const DEPTH = 12;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:( +)(.*)|)$/;
const DIVIDER = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/**
 * @typedef {{kind: "paragraph", text: string} | {kind: "heading", level: number, text: string} | {kind: "rule"}
 *   | {kind: "code", language: string, text: string, open: boolean} | {kind: "quote", blocks: Block[]}
 *   | {kind: "list", start: number|null, tight: boolean, items: {task: boolean|null, blocks: Block[]}[]}
 *   | {kind: "table", head: string[], align: string[], rows: string[][]}} Block
 */

/**
 * The blocks of a text.
 *
 * @param {string} text
 * @returns {(Block & {source: string})[]}
 */
export function blocks(text) {
  return cut(text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), 0);
}

function cut(lines, depth) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at].trim() === "") {
      at += 1;
      continue;
    }
    const [block, end] = next(lines, at, depth);
    found.push({ ...block, source: lines.slice(at, end).join("\n") });
    at = end;
  }
  return found;
}

/** The block that begins at a line, and the line behind it. */
function next(lines, at, depth) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return code(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [{ kind: "heading", level: heading[1].length, text: heading[2] ?? "" }, at + 1];
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  if (depth < DEPTH) {
    if (QUOTE.test(line)) return quote(lines, at, depth);
    if (ITEM.test(line)) return list(lines, at, depth);
  }
  if (isTable(lines, at)) return table(lines, at);
  return paragraph(lines, at);
}

function code(lines, at, [, marks, info]) {
  const indent = lines[at].search(/[`~]/);
  const closing = new RegExp(`^ {0,3}${marks[0]}{${marks.length},}\\s*$`);
  let end = at + 1;
  while (end < lines.length && !closing.test(lines[end])) end += 1;
  const inside = lines.slice(at + 1, end).map((line) => line.slice(Math.min(indent, line.search(/\S|$/))));
  const open = end >= lines.length;
  const language = info.trim().split(/\s/)[0].toLowerCase();
  return [{ kind: "code", language, text: inside.join("\n"), open }, open ? end : end + 1];
}

function quote(lines, at, depth) {
  const inside = [];
  let end = at;
  while (end < lines.length && (QUOTE.test(lines[end]) || isLazy(lines, end, inside))) {
    inside.push(lines[end].replace(QUOTE, ""));
    end += 1;
  }
  return [{ kind: "quote", blocks: cut(inside, depth + 1) }, end];
}

/** Whether a line without its mark goes on with the paragraph before. */
function isLazy(lines, at, before) {
  const last = before.at(-1);
  return last !== undefined && last.trim() !== "" && lines[at].trim() !== "" && !interrupts(lines, at);
}

function list(lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  const mark = first[2].at(-1);
  const ordered = /\d/.test(first[2]);
  const items = [];
  let tight = true;
  let end = at;
  while (end < lines.length) {
    const begun = ITEM.exec(lines[end]);
    if (!begun || begun[2].at(-1) !== mark || begun[1].length > first[1].length + 3 || RULE.test(lines[end])) break;
    const [inside, behind, blank] = item(lines, end, begun);
    const task = /^\[([ xX])\]\s+/.exec(inside[0]);
    if (task) inside[0] = inside[0].slice(task[0].length);
    items.push({ task: task ? task[1] !== " " : null, blocks: cut(inside, depth + 1) });
    let following = behind;
    while (following < lines.length && lines[following].trim() === "") following += 1;
    const more = following < lines.length && ITEM.test(lines[following]);
    if (blank || (more && following > behind)) tight = false;
    end = more ? following : behind;
  }
  const start = ordered ? Number.parseInt(first[2], 10) : null;
  return [{ kind: "list", start, tight, items }, end];
}

/** The lines of an item, the line behind it, and whether blank lines part its blocks. */
function item(lines, at, [, indent, marker, gap = " ", text = ""]) {
  const width = indent.length + marker.length + (gap.length > 4 ? 1 : gap.length);
  const inside = [gap.length > 4 ? gap.slice(1) + text : text];
  let end = at + 1;
  let blank = false;
  while (end < lines.length) {
    const line = lines[end];
    if (line.trim() === "") {
      let following = end;
      while (following < lines.length && lines[following].trim() === "") following += 1;
      if (following >= lines.length || lines[following].search(/\S/) < width) break;
      blank ||= !ITEM.test(lines[following]);
      inside.push(...lines.slice(end, following).map(() => ""));
      end = following;
      continue;
    }
    const deep = line.search(/\S/) >= width;
    if (!deep && (ITEM.test(line) || !isLazy(lines, end, inside))) break;
    inside.push(deep ? line.slice(width) : line);
    end += 1;
  }
  return [inside, end, blank];
}

function isTable(lines, at) {
  const divider = lines[at + 1];
  if (!lines[at].includes("|") || divider === undefined || !divider.includes("-") || !DIVIDER.test(divider)) return false;
  return cells(lines[at]).length === cells(divider).length;
}

function table(lines, at) {
  const head = cells(lines[at]);
  const align = cells(lines[at + 1]).map((cell) => {
    if (cell.endsWith(":")) return cell.startsWith(":") ? "center" : "right";
    return "left";
  });
  const rows = [];
  let end = at + 2;
  while (end < lines.length && lines[end].trim() !== "" && lines[end].includes("|")) {
    const row = cells(lines[end]);
    rows.push(head.map((_, column) => row[column] ?? ""));
    end += 1;
  }
  return [{ kind: "table", head, align, rows }, end];
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() !== "" && !interrupts(lines, end)) end += 1;
  const text = lines.slice(at, end).map((line) => line.trimStart());
  return [{ kind: "paragraph", text: text.join("\n").trimEnd() }, end];
}

/** Whether a line begins a block even behind a paragraph's line. */
function interrupts(lines, at) {
  const line = lines[at];
  const item = ITEM.exec(line);
  const begins = item && item[4] && (!/\d/.test(item[2]) || Number.parseInt(item[2], 10) === 1);
  return begins || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || isTable(lines, at);
}
