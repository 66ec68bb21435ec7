//! A call as one JSON object, `{"name": …, "arguments": …}`, read as it comes.
//!
//! The name is known before the object is whole, and arguments that are an object can be streamed to the letter from then
//! on. Whatever is no such object is refused where it shows, and nothing of it is lost.

use std::borrow::Cow;

use engine::ToolDefinition;
use serde_json::Value;

/// What arguments may be called.
const ARGUMENTS: [&str; 2] = ["arguments", "parameters"];

/// How far an object has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More text is needed.
    Open,
    /// It is whole.
    Whole,
    /// What comes next cannot stand in it.
    Broken,
}

/// An object as it is read.
#[derive(Default)]
pub(super) struct CallObject {
    /// All that was read.
    raw: String,
    place: Place,
    key: String,
    name: Option<String>,
    arguments: Option<Span>,
}

/// Where a value stands in the text; one without an end is not whole yet.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    to: Option<usize>,
}

/// Where the next byte stands. Places in a key or a value know where it began.
#[derive(Clone, Copy, Default)]
enum Place {
    /// Before the brace that opens the object.
    #[default]
    Outside,
    /// Before a key or, before the first one, the brace that closes the object.
    BeforeKey {
        first: bool,
    },
    Key {
        from: usize,
        escaped: bool,
    },
    BeforeColon,
    BeforeValue,
    String {
        from: usize,
        escaped: bool,
    },
    /// In an object or array, `depth` of them, and perhaps in a string in there.
    Nested {
        from: usize,
        depth: usize,
        quoted: bool,
        escaped: bool,
    },
    /// In a number or a word.
    Word {
        from: usize,
    },
    AfterValue,
}

impl CallObject {
    /// Reads on, and says how many bytes of `text` belong to the object.
    pub(super) fn read(&mut self, text: &str) -> (usize, Progress) {
        let before = self.raw.len();
        self.raw.push_str(text);
        for (at, byte) in text.bytes().enumerate() {
            let taken = match self.step(before + at, byte) {
                Progress::Open => continue,
                Progress::Whole => at + 1,
                Progress::Broken => at,
            };
            self.raw.truncate(before + taken);
            let whole = taken > at;
            return (taken, if whole { Progress::Whole } else { Progress::Broken });
        }
        (text.len(), Progress::Open)
    }

    /// All that was read.
    pub(super) fn raw(&self) -> &str {
        &self.raw
    }

    /// The tool called, once it is known.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What is certain of the arguments: nothing, or JSON text that only ever grows. Arguments that are a string are the
    /// object that it spells.
    pub(super) fn arguments(&self) -> Cow<'_, str> {
        let Some(Span { from, to }) = self.arguments else {
            return Cow::default();
        };
        let text = self
            .raw
            .get(from..to.unwrap_or(self.raw.len()))
            .unwrap_or_default();
        if text.starts_with('{') || text.starts_with('[') {
            return Cow::Borrowed(text);
        }
        match (to, text) {
            (None, _) | (_, "null") => Cow::default(),
            _ => match serde_json::from_str::<String>(text) {
                Ok(spelled) if matches!(serde_json::from_str(&spelled), Ok(Value::Object(_))) => {
                    Cow::Owned(spelled)
                }
                _ => Cow::Borrowed(text),
            },
        }
    }

    /// The byte at `at`.
    fn step(&mut self, at: usize, byte: u8) -> Progress {
        let is_space = byte.is_ascii_whitespace();
        self.place = match (self.place, byte) {
            (Place::Outside, b'{') => Place::BeforeKey { first: true },
            (Place::BeforeKey { .. } | Place::BeforeColon | Place::BeforeValue | Place::AfterValue, _)
                if is_space =>
            {
                return Progress::Open;
            }
            (Place::BeforeKey { .. }, b'"') => Place::Key {
                from: at,
                escaped: false,
            },
            (Place::BeforeKey { first: true }, b'}') | (Place::AfterValue, b'}') => return Progress::Whole,
            (Place::Key { from, escaped: false }, b'"') => {
                self.key = self.string(from, at).unwrap_or_default();
                Place::BeforeColon
            }
            (Place::Key { from, escaped }, byte) => Place::Key {
                from,
                escaped: !escaped && byte == b'\\',
            },
            (Place::BeforeColon, b':') => Place::BeforeValue,
            (Place::BeforeValue, byte) => return self.begin(at, byte),
            (Place::String { from, escaped: false }, b'"') => return self.end(from, at + 1),
            (Place::String { from, escaped }, byte) => Place::String {
                from,
                escaped: !escaped && byte == b'\\',
            },
            (
                Place::Nested {
                    from,
                    depth,
                    quoted: true,
                    escaped,
                },
                byte,
            ) => Place::Nested {
                from,
                depth,
                quoted: escaped || byte != b'"',
                escaped: !escaped && byte == b'\\',
            },
            (Place::Nested { from, depth: 1, .. }, b'}' | b']') => return self.end(from, at + 1),
            (Place::Nested { from, depth, .. }, byte) => Place::Nested {
                from,
                depth: match byte {
                    b'{' | b'[' => depth.saturating_add(1),
                    b'}' | b']' => depth.saturating_sub(1),
                    _ => depth,
                },
                quoted: byte == b'"',
                escaped: false,
            },
            (Place::Word { from }, byte) if is_space || matches!(byte, b',' | b'}') => {
                return match self.end(from, at) {
                    Progress::Open => self.step(at, byte),
                    other => other,
                };
            }
            (Place::Word { from }, byte) if is_of_word(byte) => Place::Word { from },
            (Place::AfterValue, b',') => Place::BeforeKey { first: false },
            _ => return Progress::Broken,
        };
        Progress::Open
    }

    /// The first byte of a value.
    fn begin(&mut self, from: usize, byte: u8) -> Progress {
        self.place = match byte {
            b'"' => Place::String { from, escaped: false },
            b'{' | b'[' => Place::Nested {
                from,
                depth: 1,
                quoted: false,
                escaped: false,
            },
            byte if is_of_word(byte) => Place::Word { from },
            _ => return Progress::Broken,
        };
        if self.arguments.is_none() && ARGUMENTS.contains(&self.key.as_str()) {
            self.arguments = Some(Span { from, to: None });
        }
        Progress::Open
    }

    /// The end of a value.
    fn end(&mut self, from: usize, to: usize) -> Progress {
        self.place = Place::AfterValue;
        if let Some(span) = &mut self.arguments
            && span.from == from
        {
            span.to = Some(to);
        }
        if self.key == "name" && self.name.is_none() {
            match self.string(from, to - 1) {
                Some(name) if ToolDefinition::is_name(&name) => self.name = Some(name),
                _ => return Progress::Broken,
            }
        }
        Progress::Open
    }

    /// The string from the quote at `from` to the one at `to`.
    fn string(&self, from: usize, to: usize) -> Option<String> {
        serde_json::from_str(self.raw.get(from..=to)?).ok()
    }
}

/// Whether a byte can stand in a number, `true`, `false` or `null`.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> (CallObject, usize, Progress) {
        let mut whole = CallObject::default();
        let (taken, progress) = whole.read(text);
        let mut pieces = CallObject::default();
        let (mut sum, mut last, mut before) = (0, Progress::Open, String::new());
        for (at, c) in text.char_indices() {
            let (taken, progress) = pieces.read(&text[at..at + c.len_utf8()]);
            sum += taken;
            last = progress;
            let now = pieces.arguments().into_owned();
            assert!(now.starts_with(&before), "{before:?} became {now:?}");
            before = now;
            if progress != Progress::Open {
                break;
            }
        }
        assert_eq!((sum, last), (taken, progress), "{text}");
        assert_eq!(
            (pieces.name(), pieces.raw()),
            (whole.name(), whole.raw()),
            "{text}"
        );
        assert_eq!(pieces.arguments(), whole.arguments(), "{text}");
        (whole, taken, progress)
    }

    #[test]
    fn name_and_arguments_are_taken_to_the_letter() {
        for (text, arguments) in [
            (
                r#"{"name": "f", "arguments": {"a": "}\"]", "b": [1, {}]}}"#,
                r#"{"a": "}\"]", "b": [1, {}]}"#,
            ),
            (r#"{"name":"f","parameters":{}}"#, "{}"),
            (r#"{ "arguments" : { } , "name" : "f" }"#, "{ }"),
            (
                r#"{"id": 7, "name": "f", "type": null, "x": [[]], "y": "\""}"#,
                "",
            ),
            (r#"{"name": "f", "arguments": null}"#, ""),
            (r#"{"name": "f", "arguments": "{\"a\": 1}"}"#, r#"{"a": 1}"#),
            (r#"{"name": "f", "arguments": "a"}"#, r#""a""#),
            (r#"{"name": "f", "arguments": -1.5e3}"#, "-1.5e3"),
            (
                r#"{"name": "f", "arguments": {}, "parameters": {"a": 1}, "name": "g"}"#,
                "{}",
            ),
            (
                "{\"name\": \"f\",\n \"arguments\": {\"é\":\n\"語\"}\n}",
                "{\"é\":\n\"語\"}",
            ),
        ] {
            let (object, taken, progress) = read(&format!("{text} rest"));
            assert_eq!((object.name(), progress), (Some("f"), Progress::Whole), "{text}");
            assert_eq!((taken, object.raw()), (text.len(), text));
            assert_eq!(object.arguments(), arguments);
        }
        assert_eq!(read("{}").0.name(), None);
    }

    #[test]
    fn what_is_no_such_object_is_refused_where_it_shows() {
        for (fine, rest) in [
            ("", "x"),
            ("", "é"),
            ("{", "name"),
            ("{\"a\"", "}"),
            ("{\"a\": ", "}"),
            ("{\"a\": tr", "_"),
            ("{\"a\": 1 ", "2}"),
            ("{\"a\": 1, ", "}"),
            ("{\"name\": \"two words", "\"}"),
            ("{\"name\": 7", "}"),
            ("{\"name\": \"f\", \"arguments\": {\"a\": 1}", "</tool_call>"),
        ] {
            let (object, taken, progress) = read(&format!("{fine}{rest}"));
            assert_eq!((taken, progress), (fine.len(), Progress::Broken), "{fine}{rest}");
            assert_eq!(object.raw(), fine);
        }
    }

    #[test]
    fn arguments_are_known_before_their_end() {
        let (object, _, progress) = read(r#"{"name": "f", "arguments": {"a": "so f"#);
        assert_eq!(progress, Progress::Open);
        assert_eq!(object.arguments(), r#"{"a": "so f"#);
        assert_eq!(read(r#"{"name": "f", "arguments": "{}"#).0.arguments(), "");
    }
}
