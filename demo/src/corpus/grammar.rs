//! The grammar: a pattern stands for many texts.
//!
//! `[a|b|]` is a choice, which may hold further choices; `{name}` is a slot. What fills a slot is taken as it
//! is, so that a name or a number is written alike wherever it stands.

use super::draw::Draw;

/// What fills the slots of a pattern.
pub(super) type Slots<'a> = &'a [(&'a str, &'a str)];

/// One text of a pattern.
pub(super) fn text(draw: &mut Draw, pattern: &str, slots: Slots<'_>) -> String {
    let mut out = String::new();
    expand(draw, pattern, slots, &mut out);
    tidy(&out)
}

/// Without the spaces that an empty choice leaves.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if out.ends_with(' ') && matches!(letter, ' ' | '.' | ',' | '?' | '!' | ':' | ';') {
            out.pop();
        }
        out.push(letter);
    }
    out.trim().to_owned()
}

/// One text of one of the patterns.
pub(super) fn one_of(draw: &mut Draw, patterns: &[&str], slots: Slots<'_>) -> String {
    let pattern = draw.pick(patterns);
    text(draw, pattern, slots)
}

/// As [`one_of`], with a capital at its beginning: a sentence of the model.
pub(super) fn sentence(draw: &mut Draw, patterns: &[&str], slots: Slots<'_>) -> String {
    capital(&one_of(draw, patterns, slots))
}

/// The text with a capital at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

/// The text with a capital at the beginning of each sentence but the first.
pub(super) fn capitals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut ended = false;
    for letter in text.chars() {
        let begins = ended && out.ends_with(' ');
        out.push(if begins {
            letter.to_ascii_uppercase()
        } else {
            letter
        });
        ended = matches!(letter, '.' | '?' | '!') || (ended && letter == ' ');
    }
    out
}

/// The noun with its article.
pub(super) fn with_article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']) && !noun.starts_with("uni");
    let article = if vowel || noun.starts_with("honest") {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn enumeration(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn expand(draw: &mut Draw, pattern: &str, slots: Slots<'_>, out: &mut String) {
    let mut rest = pattern;
    while let Some(at) = rest.find(['[', '{']) {
        out.push_str(&rest[..at]);
        let opened = &rest[at + 1..];
        if rest[at..].starts_with('{') {
            let (name, after) = opened.split_once('}').unwrap_or((opened, ""));
            match slots.iter().find(|(slot, _)| *slot == name) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(&rest[at..rest.len() - after.len()]),
            }
            rest = after;
        } else {
            let (choices, after) = choices(opened);
            let choice = *draw.pick(&choices);
            expand(draw, choice, slots, out);
            rest = after;
        }
    }
    out.push_str(rest);
}

/// The alternatives up to the closing bracket, and what follows it.
fn choices(opened: &str) -> (Vec<&str>, &str) {
    let mut depth = 0;
    let mut begin = 0;
    let mut found = Vec::new();
    for (at, letter) in opened.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' if depth == 0 => {
                found.push(&opened[begin..at]);
                return (found, &opened[at + 1..]);
            }
            ']' => depth -= 1,
            '|' if depth == 0 => {
                found.push(&opened[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(&opened[begin..]);
    (found, "")
}

/// How a person says it: with more or less politeness, capitals and punctuation.
///
/// The pattern's own ending tells what it is: `?` a question, `.` a command, else a fragment.
pub(super) fn spoken(draw: &mut Draw, patterns: &[&str], slots: Slots<'_>) -> String {
    let core = one_of(draw, patterns, slots);
    dress(draw, &core)
}

/// See [`spoken`].
pub(super) fn dress(draw: &mut Draw, core: &str) -> String {
    let plain = draw.chance(35);
    let frame = match core.as_bytes().last() {
        _ if plain => "{x}{end}",
        Some(b'=') => "{x}",
        Some(b'?') => *draw.pick(QUESTIONS),
        Some(b'.') if core.starts_with("I ") || core.contains(". ") => *draw.pick(STATEMENTS),
        Some(b'.') => *draw.pick(COMMANDS),
        _ => *draw.pick(FRAGMENTS),
    };
    let (body, end) = match core.as_bytes().last() {
        Some(b'?') => (&core[..core.len() - 1], "?"),
        Some(b'.') => (&core[..core.len() - 1], "."),
        _ => (core, ""),
    };
    let end = if draw.chance(12) { "" } else { end };
    let said = text(draw, frame, &[("x", body), ("end", end)]);
    if draw.chance(80) {
        capital(&capitals(&said))
    } else {
        said
    }
}

const QUESTIONS: &[&str] = &[
    "[hi|hello|hey|good morning|good evening][,|.|!] {x}{end}",
    "[quick question|a question|one question|question|a small question]: {x}{end}",
    "[tell me|please tell me|say|do tell me][:|,] {x}{end}",
    "[so|well|okay|now|ok|right|all right], {x}{end}",
    "{x}? [thanks|thank you|please|cheers|many thanks][.|!|]",
    "{x}, [please|by the way|do you know|roughly speaking|if I may ask]?",
    "[I wonder|I was wondering|I need to know|I would like to know|I am curious|just curious|my question \
        is]: {x}{end}",
    "[can|could] you help me? {x}{end}",
    "[excuse me|sorry to bother you|one more thing|another question|next|also], {x}{end}",
    "{x}? I [want|need|would like|have] to know[.|!|]",
];

const COMMANDS: &[&str] = &[
    "please {x}{end}",
    "please {x}{end}",
    "[could|can|would|will] you [please |kindly |]{x}?",
    "[could|can|would|will] you {x}[, please|]?",
    "{x}, please{end}",
    "{x} please",
    "I [want|would like|need|have to ask] you to {x}{end}",
    "[hi|hello|hey][,|!] [please |]{x}{end}",
    "[now|next|okay, now|first|then] {x}{end}",
    "{x}{end} [thanks|thank you|cheers][.|!|]",
    "[be so kind and|do me a favor and|go ahead and|just] {x}{end}",
];

const STATEMENTS: &[&str] = &[
    "[hi|hello|hey][.|!] {x}{end}",
    "[so|well|okay], {x}{end}",
    "{x}. [thanks|thank you][.|!|]",
];

const FRAGMENTS: &[&str] = &[
    "{x}?",
    "{x}[.|!|]",
    "{x}, please[.|?|]",
    "{x} please",
    "[please|hi|hello|hey|quick|now|next|okay][:|,] {x}[?|.|]",
    "[I need|I want|give me|show me|tell me|I am looking for|let me have] [this|the following|just this]: \
        {x}[.|]",
    "{x}? [thanks|thank you][.|!|]",
];
