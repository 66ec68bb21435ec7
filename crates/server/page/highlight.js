// Colours of code: a text cut into comments, strings, numbers, keywords and names, by one table for each language.
//
// The pieces joined are the text again, whatever it holds. Every pattern reads forward alone, so that time grows with length.

import { h } from "./element.js";

/** Longer code has no colours. */
const LENGTH = 100_000;

const words = (text) => new Set(text.split(" "));

const DOUBLE = /"(?:[^"\\\n]|\\[^])*"?/y;
const SINGLE = /'(?:[^'\\\n]|\\[^])*'?/y;
const NUMBER = /0[xXbBoO][\da-fA-F_]+[\w]*|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?\w*/y;
const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const SLASHES = /\/\/[^\n]*/y;
const STARS = /\/\*[^]*?(?:\*\/|$)/y;
const HASH = /#[^\n]*/y;
const OTHER = /\s+|[^\p{L}\p{N}_$\s"'`#/\-<@]+|[^]/uy;

const RUST = {
  rules: [
    ["comment", SLASHES],
    ["comment", STARS],
    ["string", /b?r(#*)"[^]*?(?:"\1|$)/y],
    ["string", /b?"(?:[^"\\]|\\[^])*"?/y],
    ["string", /b?'(?:[^'\\\n]|\\[^']*)'/y],
    ["type", /'[a-z_]\w*/y],
    ["mark", /#!?\[[^\]\n]*\]?/y],
    ["call", /[a-z_]\w*!(?=[([{])/y],
  ],
  keywords: words(
    "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut " +
      "pub ref return self Self static struct super trait true type unsafe use where while yield",
  ),
};

const PYTHON = {
  rules: [
    ["comment", HASH],
    ["string", /[rbfuRBFU]{0,2}("""|''')[^]*?(?:\1|$)/y],
    ["string", /[rbfuRBFU]{0,2}"(?:[^"\\\n]|\\[^])*"?/y],
    ["string", /[rbfuRBFU]{0,2}'(?:[^'\\\n]|\\[^])*'?/y],
    ["mark", /@[\w.]+/y],
  ],
  keywords: words(
    "and as assert async await break case class continue def del elif else except False finally for from global if import " +
      "in is lambda match None nonlocal not or pass raise return True try while with yield self",
  ),
};

const SCRIPT = {
  rules: [["comment", SLASHES], ["comment", STARS], ["string", /`(?:[^`\\]|\\[^])*`?/y], ["string", DOUBLE], ["string", SINGLE]],
  keywords: words(
    "abstract as async await break case catch class const continue debugger declare default delete do else enum export " +
      "extends false finally for from function get if implements import in instanceof interface let namespace new null of " +
      "private protected public readonly return set static super switch this throw true try type typeof undefined var " +
      "void while with yield",
  ),
};

const JSON_TEXT = {
  rules: [["key", /"(?:[^"\\\n]|\\[^])*"(?=\s*:)/y], ["string", DOUBLE], ["number", /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y]],
  keywords: words("true false null"),
};

const SHELL = {
  rules: [
    ["comment", /(?<=^|\s)#[^\n]*/y],
    ["string", /"(?:[^"\\]|\\[^])*"?/y],
    ["string", /'[^']*'?/y],
    ["key", /\$(?:\w+|\{[^}\n]*\}?|[@*#?$!-])/y],
    ["mark", /(?<=\s)--?[A-Za-z][\w-]*/y],
  ],
  keywords: words("if then else elif fi for in do done while until case esac function return export local set echo cd sudo"),
};

const C_LIKE = {
  rules: [["comment", SLASHES], ["comment", STARS], ["mark", /(?<=^|\n)[ \t]*#[^\n]*/y], ["string", DOUBLE], ["string", SINGLE]],
  keywords: words(
    "abstract auto bool boolean break byte case catch char class const constexpr continue default defer delete do double " +
      "else enum extern false final finally float for func go goto if implements import inline int interface internal let " +
      "long map namespace new nil null nullptr operator override package private protected public range return short " +
      "signed sizeof static string struct switch template this throw true try type typedef typename union unsigned using " +
      "val var virtual void volatile when while",
  ),
};

const GENERIC = {
  rules: [["comment", /(?:\/\/|#|--)[^\n]*/y], ["comment", STARS], ["string", DOUBLE], ["string", SINGLE]],
  keywords: words(
    "and begin break case class const continue def do else elsif end enum export false fn for from func function if import " +
      "in let local module new nil none not null or private public return select self static struct then true type var " +
      "where while with SELECT FROM WHERE INSERT INTO UPDATE DELETE CREATE TABLE JOIN ON GROUP ORDER BY LIMIT AND OR NOT NULL",
  ),
};

const PLAIN = new Set(["", "text", "txt", "plain", "plaintext", "markdown", "md", "console", "output", "log"]);
const LANGUAGES = new Map(
  [
    [RUST, "rust rs"],
    [PYTHON, "python py python3"],
    [SCRIPT, "javascript js jsx mjs typescript ts tsx"],
    [JSON_TEXT, "json jsonc json5"],
    [SHELL, "sh bash shell zsh fish"],
    [C_LIKE, "c h cpp c++ cc hpp cs csharp java kotlin kt go swift scala dart php objc glsl cuda"],
  ].flatMap(([language, names]) => names.split(" ").map((name) => [name, language])),
);

/**
 * Pieces of a code with what each one is; nothing where it is plain.
 *
 * @param {string} text
 * @param {string} name of the language, as behind a fence
 * @returns {[string|null, string][]}
 */
export function pieces(text, name) {
  if (PLAIN.has(name) || text.length > LENGTH) return text ? [[null, text]] : [];
  const language = LANGUAGES.get(name) ?? GENERIC;
  const found = [];
  const push = (kind, piece) => {
    const last = found.at(-1);
    if (last && last[0] === kind) last[1] += piece;
    else found.push([kind, piece]);
  };
  let at = 0;
  while (at < text.length) {
    const [kind, piece] = pieceAt(text, at, language);
    push(kind, piece);
    at += piece.length;
  }
  return found;
}

function pieceAt(text, at, language) {
  const match = (pattern) => {
    pattern.lastIndex = at;
    const piece = pattern.exec(text)?.[0];
    return piece || null;
  };
  for (const [kind, pattern] of language.rules) {
    const piece = match(pattern);
    if (piece) return [kind, piece];
  }
  const name = match(NAME);
  if (name) return [kindOfName(name, text, at + name.length, language), name];
  const number = match(NUMBER);
  if (number) return ["number", number];
  return [null, match(OTHER) ?? text[at]];
}

function kindOfName(name, text, end, language) {
  if (language.keywords.has(name)) return "keyword";
  if (/^\p{Lu}\p{L}*\p{Ll}/u.test(name)) return "type";
  return text[end] === "(" ? "call" : null;
}

/**
 * A code as nodes, each piece with the class of what it is.
 *
 * @param {string} text
 * @param {string} language
 * @returns {Node[]}
 */
export function highlighted(text, language) {
  return pieces(text, language).map(([kind, piece]) =>
    kind ? h(`span.${kind}`, {}, piece) : document.createTextNode(piece),
  );
}
