//! That what a grammar allows is read as calls, and that nothing else is allowed.

use generator::ConstraintCompiler;
use models::gguf::{Array, GgufFile, GgufWriter};
use models::{Special, Tokenizer};

use super::*;
use crate::output::read::{Output, read};

const FORMATS: [OutputFormat; 4] = [
    OutputFormat::KimiK2,
    OutputFormat::Llama3,
    OutputFormat::Qwen3,
    OutputFormat::Qwen3Coder,
];
const CONTROL: i32 = 3;

/// The letter that stands for a byte in a byte-level vocabulary.
fn letter(byte: u8) -> char {
    let shown = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if shown(&byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !shown(byte)).count() as u32;
    char::from_u32(256 + before).unwrap()
}

/// A vocabulary of single bytes and of an end, and, with `marked`, of the marks of all formats, which are shown.
fn vocabulary(marked: bool) -> (Tokenizer, u32) {
    let mut names: Vec<String> = (0..=255).map(|byte| letter(byte).to_string()).collect();
    let mut classes = vec![1; names.len()];
    let marks: Vec<&str> = FORMATS
        .iter()
        .flat_map(|format| format.marks())
        .copied()
        .collect();
    // The tags of values are marks in the demo model's vocabulary.
    let tags = ["<think>", "</think>", "</parameter>", "</function>", "<|im_end|>"];
    for mark in marks.iter().chain(&tags) {
        let added = marked || *mark == "<|im_end|>";
        if added && !names.iter().any(|name| name == mark) {
            names.push((*mark).to_owned());
            classes.push(CONTROL);
        }
    }
    let mut writer = GgufWriter::new();
    writer
        .metadata("tokenizer.ggml.model", "gpt2")
        .metadata("tokenizer.ggml.pre", "qwen2")
        .metadata("tokenizer.ggml.tokens", Array::of_strings(&names))
        .metadata("tokenizer.ggml.token_type", Array::of_i32(&classes))
        .metadata("tokenizer.ggml.merges", Array::of_strings::<&str>(&[]));
    let mut bytes = Vec::new();
    writer.write_to(&mut bytes).unwrap();
    let tokenizer = Tokenizer::from_gguf(&GgufFile::from_bytes("vocabulary", bytes).unwrap()).unwrap();
    let end = tokenizer.token_id("<|im_end|>").unwrap();
    let mut shown = marks;
    shown.extend(tags.iter().filter(|tag| **tag != "<|im_end|>"));
    (tokenizer.showing(&shown), end)
}

fn tools() -> Vec<ToolDefinition> {
    vec![
        ToolDefinition::new(
            "set_light",
            json!({
                "type": "object",
                "properties": {
                    "room": {"type": "string", "enum": ["hall", "attic"]},
                    "on": {"type": "boolean"},
                    "level": {"$ref": "#/$defs/level"},
                },
                "required": ["room", "on"],
                "additionalProperties": false,
                "$defs": {"level": {"type": "integer", "minimum": 0, "maximum": 9}},
            }),
        ),
        ToolDefinition::new(
            "say",
            json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}),
        ),
        ToolDefinition::new("now", json!({"type": "object", "properties": {}})),
    ]
}

struct Asked {
    tools: Vec<ToolDefinition>,
    choice: ToolChoice,
    parallel: Option<bool>,
    content: Option<Constraint>,
    reasoning: Reasoning,
}

impl Asked {
    fn new(choice: ToolChoice) -> Self {
        Self {
            tools: tools(),
            choice,
            parallel: None,
            content: None,
            reasoning: Reasoning::Never,
        }
    }

    fn constraint(&self, format: OutputFormat) -> Result<Option<Constraint>, EngineError> {
        self.constraint_for(format, &vocabulary(true).0)
    }

    fn constraint_for(
        &self,
        format: OutputFormat,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Constraint>, EngineError> {
        format.constraint(&Calls {
            tokenizer,
            tools: &self.tools,
            choice: &self.choice,
            parallel: self.parallel,
            before: 3,
            content: self.content.as_ref(),
            reasoning: self.reasoning,
        })
    }

    /// Whether the whole of `text` is allowed, be the marks tokens or not.
    #[track_caller]
    fn allows(&self, format: OutputFormat, text: &str) -> bool {
        let [marked, spelled] = [true, false].map(|marked| self.allows_in(format, text, &vocabulary(marked)));
        assert_eq!(marked, spelled, "{format:?} {text:?} with marks and without");
        marked
    }

    #[track_caller]
    fn allows_in(&self, format: OutputFormat, text: &str, (tokenizer, end): &(Tokenizer, u32)) -> bool {
        let end = *end;
        let compiler = ConstraintCompiler::new(tokenizer, tokenizer.vocab_size()).unwrap();
        let constraint = self
            .constraint_for(format, tokenizer)
            .unwrap()
            .expect("a constraint");
        let mut guard = compiler
            .compile(&constraint)
            .unwrap_or_else(|error| panic!("{error}: {constraint:?}"));
        let has = |mask: &[u32], token: u32| mask[token as usize / 32] >> (token % 32) & 1 == 1;
        for token in tokenizer.encode(text, Special::Parse).unwrap() {
            if guard.is_complete() || !has(guard.mask(&[end], true).unwrap(), token) {
                return false;
            }
            guard.take(token).unwrap();
        }
        guard.is_complete() || has(guard.mask(&[end], true).unwrap(), end)
    }
}

fn named(name: &str) -> ToolChoice {
    ToolChoice::Named(name.to_owned())
}

/// A call of a tool as `format` writes it, alone in an answer.
fn written(format: OutputFormat, name: &str, json: &str, tags: &str) -> String {
    match format {
        OutputFormat::KimiK2 => format!(
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.{name}:3<|tool_call_argument_begin|>{json}\
             <|tool_call_end|><|tool_calls_section_end|>"
        ),
        OutputFormat::Llama3 => format!("{{\"name\": \"{name}\", \"parameters\": {json}}}"),
        OutputFormat::Qwen3 => {
            format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {json}}}\n</tool_call>")
        }
        OutputFormat::Qwen3Coder => {
            format!("<tool_call>\n<function={name}>\n{tags}</function>\n</tool_call>")
        }
    }
}

fn tag(key: &str, value: &str) -> String {
    format!("<parameter={key}>\n{value}\n</parameter>\n")
}

#[test]
fn a_model_that_decides_by_itself_is_free() {
    for format in FORMATS {
        assert_eq!(Asked::new(ToolChoice::Auto).constraint(format).unwrap(), None);
        let mut none = Asked::new(ToolChoice::Required);
        none.tools.clear();
        assert_eq!(none.constraint(format).unwrap(), None);
    }
}

#[test]
fn a_forced_call_is_one_valid_call_and_nothing_else() {
    let asked = Asked::new(ToolChoice::Required);
    let light = tag("room", "attic") + &tag("on", "false");
    let good = [
        ("set_light", "{\"room\": \"attic\", \"on\": false}", light.clone()),
        (
            "set_light",
            "{\"room\": \"hall\", \"on\": true, \"level\": 7}",
            tag("room", "hall") + &tag("on", "true") + &tag("level", "7"),
        ),
        ("say", "{\"text\": \"a\\n<b>\"}", tag("text", "a\n<b>")),
        ("now", "{}", String::new()),
    ];
    let bad = [
        ("other", "{}", String::new()),
        (
            "set_light",
            "{\"room\": \"cellar\", \"on\": false}",
            tag("room", "cellar") + &tag("on", "false"),
        ),
        ("set_light", "{\"room\": \"hall\"}", tag("room", "hall")),
        (
            "set_light",
            "{\"room\": \"hall\", \"on\": true, \"level\": 10}",
            tag("room", "hall") + &tag("on", "true") + &tag("level", "10"),
        ),
    ];
    for format in FORMATS {
        for (name, json, tags) in &good {
            let text = written(format, name, json, tags);
            assert!(asked.allows(format, &text), "{format:?} {text}");
            assert!(
                !asked.allows(format, &text[..text.len() - 1]),
                "{format:?} cut off"
            );
            assert!(!asked.allows(format, &format!("{text} and")), "{format:?} more");
            assert!(!asked.allows(format, &format!("So. {text}")), "{format:?} before");
        }
        for (name, json, tags) in &bad {
            let text = written(format, name, json, tags);
            assert!(!asked.allows(format, &text), "{format:?} {text}");
        }
        assert!(!asked.allows(format, "No."));
    }
}

#[test]
fn a_named_tool_is_the_only_one() {
    let asked = Asked::new(named("now"));
    for format in FORMATS {
        assert!(asked.allows(format, &written(format, "now", "{}", "")));
        let other = written(format, "say", "{\"text\": \"\"}", &tag("text", ""));
        assert!(!asked.allows(format, &other));
    }
}

#[test]
fn what_is_allowed_is_read_as_calls() {
    let asked = Asked {
        parallel: Some(true),
        ..Asked::new(ToolChoice::Required)
    };
    let call = |json: &str, tags: &str| (json.to_owned(), tags.to_owned());
    let (json, tags) = call("{\"text\": \"a\"}", &tag("text", "a"));
    for format in FORMATS {
        let one = written(format, "say", &json, &tags);
        let two = match format {
            OutputFormat::KimiK2 => {
                one.replace("<|tool_calls_section_end|>", "")
                    + &one.replace("<|tool_calls_section_begin|>", "")
            }
            OutputFormat::Llama3 => format!("{one}; {one}"),
            OutputFormat::Qwen3 | OutputFormat::Qwen3Coder => format!("{one}\n{one}"),
        };
        assert!(asked.allows(format, &two), "{format:?} {two}");
        let output: Output = read(format.parser(&asked.tools, &[]), [two.as_str()]);
        assert_eq!(output.calls().len(), 2, "{format:?}");
        assert_eq!(output.text(), "");
        for call in output.calls() {
            assert_eq!(
                Value::Object(call.parse_arguments().unwrap()),
                json!({"text": "a"})
            );
        }
        let single = Asked {
            parallel: Some(false),
            ..Asked::new(ToolChoice::Required)
        };
        assert!(!single.allows(format, &two), "{format:?}");
    }
}

#[test]
fn a_strict_tool_is_held_to_its_schema_where_the_model_decides_by_itself() {
    let mut asked = Asked::new(ToolChoice::Auto);
    asked.tools[0].strict = true;
    for format in FORMATS {
        for text in ["Good day.", "a < b", "So?\n\n1. one"] {
            assert!(asked.allows(format, text), "{format:?} {text}");
        }
        let tags = |on: &str| tag("room", "hall") + &tag("on", on);
        let good = written(
            format,
            "set_light",
            "{\"room\": \"hall\", \"on\": true}",
            &tags("true"),
        );
        let bad = written(format, "set_light", "{\"room\": \"hall\", \"on\": 1}", &tags("1"));
        assert!(asked.allows(format, &good), "{format:?} {good}");
        assert!(!asked.allows(format, &bad), "{format:?} {bad}");
        if format != OutputFormat::Llama3 {
            assert!(
                asked.allows(format, &format!("Well:\n{good}")),
                "{format:?} text before"
            );
            assert!(
                !asked.allows(format, &format!("Well:\n{bad}")),
                "{format:?} text before"
            );
        }
    }
}

#[test]
fn an_answer_with_tools_may_have_to_be_json() {
    let asked = Asked {
        content: Some(Constraint::JsonSchema(
            json!({"type": "object", "required": ["a"], "properties": {"a": {}}}),
        )),
        ..Asked::new(ToolChoice::Auto)
    };
    for format in FORMATS {
        assert!(asked.allows(format, "{\"a\": 1}"), "{format:?}");
        assert!(
            asked.allows(format, &written(format, "now", "{}", "")),
            "{format:?}"
        );
        assert!(!asked.allows(format, "Good day."), "{format:?}");
    }
}

#[test]
fn nothing_is_made_up_beside_what_is_declared() {
    let asked = Asked::new(named("say"));
    for format in [OutputFormat::KimiK2, OutputFormat::Llama3, OutputFormat::Qwen3] {
        for (json, allowed) in [
            ("{\"text\":\"a\"}", true),
            ("{\"text\": \"a\"}", true),
            ("{\"text\":  \"a\"}", false),
            ("{ \"text\": \"a\"}", false),
            ("{\"text\": \"a\", \"more\": 1}", false),
        ] {
            assert_eq!(
                asked.allows(format, &written(format, "say", json, "")),
                allowed,
                "{format:?} {json}"
            );
        }
    }
}

#[test]
fn reasoning_may_stand_before_a_forced_call() {
    for format in FORMATS {
        let call = written(format, "now", "{}", "");
        let asked = |reasoning| Asked {
            reasoning,
            ..Asked::new(ToolChoice::Required)
        };
        let thinking = format!("<think>\nHm, <b> </think>\n\n{call}");
        assert!(asked(Reasoning::Possible).allows(format, &thinking), "{format:?}");
        assert!(asked(Reasoning::Possible).allows(format, &call), "{format:?}");
        assert!(!asked(Reasoning::Never).allows(format, &thinking), "{format:?}");
        let opened = format!("Hm.\n</think>\n\n{call}");
        assert!(asked(Reasoning::Opened).allows(format, &opened), "{format:?}");
        assert!(!asked(Reasoning::Opened).allows(format, "Hm."), "{format:?}");
    }
}

#[test]
fn a_schema_that_bare_text_cannot_be_held_to_is_refused() {
    let mut asked = Asked::new(ToolChoice::Auto);
    asked.tools[1] = ToolDefinition::new(
        "say",
        json!({"type": "object", "properties": {"text": {"type": "string", "pattern": "^a+$"}}}),
    )
    .with_strict(true);
    let error = asked.constraint(OutputFormat::Qwen3Coder).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the schema of a tool's parameters is one of \"say\" that has pattern for \"text\", to which bare text cannot be \
         held, expected what the model's format of calls can be held to"
    );
    assert!(asked.constraint(OutputFormat::Qwen3).unwrap().is_some());
}

#[test]
fn a_call_that_is_spelled_is_no_talk() {
    let mut asked = Asked::new(ToolChoice::Auto);
    asked.tools[0].strict = true;
    let bad = |format, before: &str| {
        let tags = tag("room", "hall") + &tag("on", "1");
        before.to_owned() + &written(format, "set_light", "{\"room\": \"hall\", \"on\": 1}", &tags)
    };
    let (tokenizer, end) = vocabulary(true);
    let compiler = ConstraintCompiler::new(&tokenizer, tokenizer.vocab_size()).unwrap();
    for format in FORMATS {
        let constraint = asked
            .constraint_for(format, &tokenizer)
            .unwrap()
            .expect("a constraint");
        let before = ["\n", " \n", ""];
        let mut texts: Vec<String> = before.iter().map(|before| bad(format, before)).collect();
        if format == OutputFormat::Qwen3Coder {
            texts.push(texts[0].replace("<tool_call>\n", ""));
        }
        if format == OutputFormat::KimiK2 {
            texts.push(texts[0].replace("<|tool_calls_section_begin|>", ""));
        }
        for text in texts {
            let mut guard = compiler.compile(&constraint).unwrap();
            // Every byte is a token of its own here, and the first of that name.
            let spelled = text.bytes().all(|byte| {
                let token = tokenizer.token_id(letter(byte).encode_utf8(&mut [0; 4])).unwrap();
                let mask = guard.mask(&[end], true).unwrap();
                let allowed = mask[token as usize / 32] >> (token % 32) & 1 == 1;
                allowed && guard.take(token).is_ok()
            });
            assert!(!spelled, "{format:?} {text:?}");
        }
        assert!(asked.allows(format, "\n Good day. <b>"), "{format:?}");
    }
    assert!(asked.allows(OutputFormat::Llama3, "<b>"));
}

#[test]
fn a_string_is_held_to_what_its_schema_refers_to() {
    let unit = json!({"type": "object", "required": ["unit", "note"], "properties": {
        "unit": {"$ref": "#/$defs/Unit"},
        "note": {"anyOf": [{"const": "none"}, {"type": "null"}]},
    }, "$defs": {"Unit": {"type": "string", "enum": ["c", "f"]}}});
    let asked = |schema: Value| Asked {
        tools: vec![ToolDefinition::new("say", schema).with_strict(true)],
        ..Asked::new(ToolChoice::Required)
    };
    for (unit_said, note, allowed) in [
        ("c", "none", true),
        ("f", "null", true),
        ("k", "none", false),
        ("c", "x", false),
    ] {
        let text = written(
            OutputFormat::Qwen3Coder,
            "say",
            "",
            &(tag("unit", unit_said) + &tag("note", note)),
        );
        assert_eq!(
            asked(unit.clone()).allows(OutputFormat::Qwen3Coder, &text),
            allowed,
            "{text}"
        );
    }
    for schema in [
        json!({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]}),
        json!({"anyOf": [{"enum": ["a"]}, {"type": "integer"}]}),
        json!({"allOf": [{"type": "string"}, {"pattern": "a"}]}),
    ] {
        let asked = asked(json!({"type": "object", "properties": {"text": schema}}));
        let error = asked
            .constraint(OutputFormat::Qwen3Coder)
            .unwrap_err()
            .to_string();
        assert!(error.contains("bare text cannot be held"), "{error}");
    }
}

#[test]
fn content_may_hold_slashes_and_must_not_be_empty() {
    let asked = |content| Asked {
        content: Some(content),
        ..Asked::new(ToolChoice::Auto)
    };
    for expression in ["a/b", r"a\/b", r"a[/]b"] {
        let regex = asked(Constraint::Regex(expression.to_owned()));
        assert!(regex.allows(OutputFormat::Qwen3, "a/b"), "{expression}");
        assert!(!regex.allows(OutputFormat::Qwen3, "a"), "{expression}");
    }
    for empty in [
        Constraint::Regex(String::new()),
        Constraint::Choice(vec![]),
        Constraint::Choice(vec!["a".to_owned(), String::new()]),
    ] {
        assert!(asked(empty).constraint(OutputFormat::Qwen3).is_err());
    }
}
