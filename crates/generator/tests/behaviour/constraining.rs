//! Constraints: whatever a model makes of it, what comes out is what was asked for.

use generator::{
    Basis, Constraint, ConstraintCompiler, FinishReason, GenerateError, GenerateRequest, Limits,
    LogprobsConfig, StopCause,
};
use serde_json::{Value, json};
use simd_sampling::Stage;

use crate::reading::{Answer, drawn, read, read_choices};
use crate::scripted::{ScriptedModel, Watch, mix, noise};
use crate::vocabulary::{END, VOCAB, byte_level, sentence_piece};

fn constrained(constraint: Constraint, seed: u64) -> GenerateRequest {
    GenerateRequest {
        constraint: Some(constraint),
        ..drawn(vec![u32::from(b'?'); 1 + seed as usize % 5], 3_000, Some(seed))
    }
}

fn model() -> (ScriptedModel, Watch) {
    let (mut model, watch) = ScriptedModel::new(noise());
    model.capabilities.fork = true;
    (model, watch)
}

/// A model that would rather end than say anything.
fn ending() -> (ScriptedModel, Watch) {
    let mut noise = noise();
    ScriptedModel::new(Box::new(move |token, position, row| {
        noise(token, position, row);
        row[END as usize] = 50.0;
    }))
}

/// Draws of a schema.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 += 1;
        mix(self.0) % most
    }

    fn word(&mut self) -> String {
        let words = ["name", "größe", "a b", "x", "list_of_things", "\"quoted\"", "0"];
        words[self.below(7) as usize].to_owned()
    }

    fn schema(&mut self, depth: u64) -> Value {
        match self.below(if depth == 0 { 7 } else { 10 }) {
            0 => json!({"type": "boolean"}),
            1 => json!({"type": "null"}),
            2 => {
                let least = self.below(200) as i64 - 100;
                json!({"type": "integer", "minimum": least, "maximum": least + self.below(1000) as i64})
            }
            3 => json!({"type": "string", "maxLength": self.below(10)}),
            4 => json!({"enum": [self.word(), self.below(100), null, true]}),
            5 => json!({"const": {"kind": self.word()}}),
            6 => json!({"type": "string", "pattern": "^[a-f]{2}-[0-9]{1,3}$"}),
            7 => {
                json!({"type": "array", "items": self.schema(depth - 1), "minItems": self.below(2), "maxItems": 3})
            }
            8 => json!({"anyOf": [self.schema(depth - 1), {"type": "boolean"}]}),
            _ => {
                let mut properties = serde_json::Map::new();
                for _ in 0..=self.below(3) {
                    properties.insert(self.word(), self.schema(depth - 1));
                }
                let required: Vec<&String> = properties.keys().filter(|name| name.len() > 1).collect();
                json!({
                    "type": "object", "properties": properties, "required": required,
                    "additionalProperties": false,
                })
            }
        }
    }
}

/// What JSON a request said, whole.
fn said(answer: &Answer) -> Value {
    assert_eq!(answer.end.finish, FinishReason::Stop, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {}", answer.text))
}

#[test]
fn a_thousand_schemas_each_get_a_valid_document() {
    let (model, _) = model();
    let generator = model.generator(Limits::default());
    for seed in 0..1_000 {
        let mut schema = Dice(seed << 20).schema(2);
        let validator = jsonschema::validator_for(&schema).unwrap();
        if seed % 4 != 0 {
            schema["x-guidance"] = json!({"whitespace_flexible": false});
        }
        let mut request = constrained(Constraint::JsonSchema(schema.clone()), seed);
        if seed % 3 == 0 {
            request.draft = 8;
        }
        if seed % 5 == 0 {
            request.special.eos = vec![END];
        }
        let answer = read(generator.generate_with(request)).unwrap();
        let said = said(&answer);
        assert!(validator.is_valid(&said), "{schema} has {said}");
    }
}

#[test]
fn expressions_grammars_and_choices_are_followed_to_their_end() {
    let (model, _) = model();
    let generator = model.generator(Limits::default());
    let answer =
        |constraint: Constraint, seed| read(generator.generate_with(constrained(constraint, seed))).unwrap();
    let expression = regex::Regex::new("^[a-c]{3}(, [0-9]{2}){1,4}!$").unwrap();
    for seed in 0..30 {
        let said = answer(Constraint::Regex("[a-c]{3}(, [0-9]{2}){1,4}!".to_owned()), seed);
        assert!(expression.is_match(&said.text), "{}", said.text);
        let texts = ["left", "right \"and\" left", "straight\non", "←"].map(str::to_owned);
        let said = answer(Constraint::Choice(texts.to_vec()), seed);
        assert!(texts.contains(&said.text), "{}", said.text);
        let lark = "start: item (\"+\" item)*\nitem: /[0-9]/ | \"(\" start \")\"\n";
        let mut request = constrained(Constraint::Lark(lark.to_owned()), seed);
        request.max_tokens = Some(40);
        let said = read(generator.generate_with(request)).unwrap();
        assert!(
            said.text.bytes().all(|byte| b"0123456789+()".contains(&byte)),
            "{}",
            said.text
        );
    }
    let object = answer(
        Constraint::JsonSchema(json!({"type": "object", "maxProperties": 0})),
        1,
    );
    assert_eq!(said(&object), json!({}));
    let mut request = constrained(Constraint::JsonObject, 3);
    request.max_tokens = Some(200);
    assert!(
        read(generator.generate_with(request))
            .unwrap()
            .text
            .starts_with('{')
    );
}

#[test]
fn an_end_comes_only_where_the_text_may_end() {
    let (model, _) = ending();
    let generator = model.generator(Limits::default());
    let ask = |expression: &str, min_tokens| {
        let mut request = constrained(Constraint::Regex(expression.to_owned()), 1);
        request.special.eos = vec![END];
        request.min_tokens = min_tokens;
        read(generator.generate_with(request)).unwrap()
    };
    let digits = |answer: &Answer| answer.text.bytes().filter(u8::is_ascii_digit).count();
    let answer = ask("[0-9]{3}[a-z]*", 0);
    assert_eq!((digits(&answer), answer.text.len()), (3, 3), "{}", answer.text);
    assert_eq!(answer.end.stop, Some(StopCause::Token(END)));
    assert_eq!(answer.tokens.last(), Some(&END));
    let answer = ask("[0-9]{3}[a-z]*", 9);
    assert_eq!((digits(&answer), answer.tokens.len()), (3, 10), "{}", answer.text);
    // What is complete ends without an end token, and before the fewest tokens.
    let answer = ask("[0-9]{3}", 9);
    assert_eq!((digits(&answer), answer.tokens.len()), (3, 3));
    assert_eq!(answer.end.stop, Some(StopCause::Constraint));
}

#[test]
fn tokens_without_an_alternative_cost_no_step_of_their_own() {
    let schema = json!({
        "type": "object", "properties": {"temperature": {"type": "boolean"}}, "required": ["temperature"],
        "additionalProperties": false, "x-guidance": {"whitespace_flexible": false},
    });
    let (model, watch) = model();
    let generator = model.generator(Limits::default());
    let request = constrained(Constraint::JsonSchema(schema), 1);
    let answer = read(generator.generate_with(request.clone())).unwrap();
    let steps = watch.log.steps().len();
    assert!(
        steps < 8,
        "{steps} steps for {} tokens of {}",
        answer.tokens.len(),
        answer.text
    );
    assert!(said(&answer)["temperature"].is_boolean());

    // Each token has its log-probabilities where they are asked for, so that each is drawn.
    let observed = GenerateRequest {
        logprobs: Some(LogprobsConfig {
            top: 1,
            basis: Basis::Model,
        }),
        ..request
    };
    let answer = read(generator.generate_with(observed)).unwrap();
    assert_eq!(watch.log.steps().len() - steps, answer.tokens.len());
    assert!(said(&answer)["temperature"].is_boolean());
}

#[test]
fn a_small_channel_and_guesses_change_no_token() {
    let schema = json!({
        "type": "object", "properties": {"words": {"type": "array", "items": {"enum": ["wind", "window", "winter"]},
        "minItems": 4, "maxItems": 9}}, "required": ["words"], "additionalProperties": false,
    });
    let request = |draft, seed| GenerateRequest {
        draft,
        ..constrained(Constraint::JsonSchema(schema.clone()), seed)
    };
    let generators = [64, 3, 1].map(|unread| {
        model().0.generator(Limits {
            unread,
            ..Limits::default()
        })
    });
    for seed in 0..20 {
        let expected = read(generators[0].generate_with(request(0, seed))).unwrap();
        said(&expected);
        let guessed = read(generators[0].generate_with(request(16, seed))).unwrap();
        assert_eq!(guessed.tokens, expected.tokens);
        for generator in &generators[1..] {
            let slow = read(generator.generate_with(request(16, seed))).unwrap();
            assert_eq!(slow.tokens, expected.tokens);
        }
    }
}

#[test]
fn each_choice_follows_the_constraint_by_itself() {
    let (model, _) = model();
    let generator = model.generator(Limits::default());
    let request = GenerateRequest {
        choices: 4,
        ..constrained(Constraint::Regex("[a-z]{5}-[0-9]{5}".to_owned()), 7)
    };
    let expression = regex::Regex::new("^[a-z]{5}-[0-9]{5}$").unwrap();
    let answers = read_choices(generator.generate_with(request), 4).unwrap();
    assert!(
        answers.iter().all(|answer| expression.is_match(&answer.text)),
        "{answers:?}"
    );
    assert!(answers.iter().any(|answer| answer.text != answers[0].text));
}

#[test]
fn what_cannot_be_followed_is_refused_before_any_work() {
    let (model, watch) = model();
    let generator = model.generator(Limits::default());
    for constraint in [
        Constraint::Regex("(".to_owned()),
        Constraint::Regex(String::new()),
        Constraint::Lark("start: nothing".to_owned()),
        Constraint::Choice(Vec::new()),
        Constraint::JsonSchema(json!({"type": "strnig"})),
        Constraint::JsonSchema(json!({"type": "string", "minLength": 5, "maxLength": 2})),
        Constraint::JsonSchema(json!(7)),
    ] {
        match read(generator.generate_with(constrained(constraint.clone(), 1))) {
            Err(GenerateError::InvalidConstraint { fault }) => assert!(!fault.is_empty()),
            other => panic!("{constraint:?}: {other:?}"),
        }
    }
    let mut unmasked = constrained(Constraint::JsonObject, 1);
    unmasked.sampling.params.order = vec![Stage::Temperature];
    match read(generator.generate_with(unmasked)) {
        Err(GenerateError::InvalidConstraint { fault }) => assert!(fault.contains("masks"), "{fault}"),
        other => panic!("{other:?}"),
    }
    assert!(watch.log.steps().is_empty());
}

#[test]
fn forced_tokens_are_the_grammars_bytes_whatever_the_tokenizer_puts_in_front() {
    let tokenizer = sentence_piece();
    let compiler = ConstraintCompiler::new(&tokenizer, VOCAB).unwrap();
    let text = "{Once upon a time}";
    let constraint = Constraint::Lark(format!("start: /[0-9]/ {text:?}"));
    let mut guard = compiler.compile(&constraint).unwrap();
    let digit = (0..VOCAB as u32)
        .find(|id| tokenizer.token_bytes(*id) == Some(b"7"))
        .unwrap();
    guard.take(digit).unwrap();
    let mut said = Vec::new();
    while !guard.is_complete() {
        let forced = guard.forced();
        assert!(!forced.is_empty(), "{:?}", String::from_utf8_lossy(&said));
        for token in forced {
            guard.take(token).unwrap();
            said.extend_from_slice(tokenizer.token_bytes(token).unwrap());
        }
    }
    assert_eq!(String::from_utf8(said).unwrap(), text);
}

#[test]
fn an_end_token_whose_text_would_fit_ends_the_text_and_nothing_else() {
    let compiler = ConstraintCompiler::new(&byte_level(), VOCAB).unwrap();
    let (a, b) = (u32::from(b'a'), u32::from(b'b'));
    let mut guard = compiler
        .compile(&Constraint::Regex("[ab]{2,3}".to_owned()))
        .unwrap();
    let allowed = |guard: &mut generator::ConstraintGuard, may_end| {
        let mask = guard.mask(&[a], may_end).unwrap();
        [a, b].map(|token| mask[token as usize / 32] >> (token % 32) & 1 == 1)
    };
    assert_eq!(allowed(&mut guard, true), [false, true]);
    guard.take(b).unwrap();
    guard.take(b).unwrap();
    assert_eq!(allowed(&mut guard, false), [false, true]);
    assert_eq!(allowed(&mut guard, true), [true, true]);
}
