//! What a generation may say: a grammar that is followed token by token, as masks over the vocabulary.
//!
//! Grammars work on bytes, so that a token may end anywhere inside a word, a number or a character. End tokens are allowed
//! where the text may end, and nowhere else. Where only one continuation is left, its tokens need no draw.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{
    ApproximateTokEnv, INVALID_TOKEN, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie,
    TokenizerEnv,
};
use llguidance::{Matcher, ParserFactory};
use models::{Special, Tokenizer};

use crate::GenerateError;

/// Texts that a choice may have.
const TEXTS: usize = 16_384;
/// Bytes that a constraint may have.
const BYTES: usize = 512 << 10;
/// Symbols that a compiled grammar may have.
const SYMBOLS: usize = 50_000;

/// What a generated text has to be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Constraint {
    /// JSON that is valid under this schema, with at most 64 characters of white space at a place.
    JsonSchema(serde_json::Value),
    /// A JSON object, whatever is in it.
    JsonObject,
    /// A text that this regular expression matches from its first character to its last, in the syntax of the crate
    /// `regex` without anchors and word boundaries.
    Regex(String),
    /// A text of this grammar, in Lark's syntax; it begins with the rule `start`. Marks of the vocabulary, such as
    /// `<tool_call>`, are named without quotes, and no other terminal holds them.
    Lark(String),
    /// One of these texts, none of them empty.
    Choice(Vec<String>),
}

impl Constraint {
    /// Whether an answer can be held to it, as far as that is known without a model. What a grammar in Lark's syntax names
    /// depends on the vocabulary, so that it is not looked at.
    ///
    /// # Errors
    ///
    /// [`GenerateError::InvalidConstraint`] if it cannot be followed, or allows nothing but the empty text.
    pub fn check(&self) -> Result<(), GenerateError> {
        if matches!(self, Self::Lark(_)) {
            return Ok(());
        }
        let bytes = ApproximateTokEnv::single_byte_env();
        ConstraintCompiler::over(&bytes)?.compile(self).map(drop)
    }

    /// Refuses what would take too long to compile, which nothing could interrupt.
    fn check_size(&self) -> Result<(), GenerateError> {
        let (bytes, what) = match self {
            Self::JsonSchema(schema) => (written_len(schema), "schema"),
            Self::JsonObject => return Ok(()),
            Self::Regex(expression) => (expression.len(), "regular expression"),
            Self::Lark(grammar) => (grammar.len(), "grammar"),
            Self::Choice(texts) => {
                if texts.len() > TEXTS {
                    let count = texts.len();
                    return Err(invalid(format!(
                        "there are {count} texts to choose from, expected at most {TEXTS}"
                    )));
                }
                (texts.iter().map(String::len).sum(), "list of texts")
            }
        };
        if bytes > BYTES {
            return Err(invalid(format!(
                "the {what} has {bytes} bytes, expected at most {BYTES}"
            )));
        }
        Ok(())
    }

    fn grammar(&self) -> Result<TopLevelGrammar, GenerateError> {
        Ok(match self {
            Self::JsonSchema(schema) => json(schema.clone()),
            Self::JsonObject => json(serde_json::json!({"type": "object"})),
            Self::Regex(expression) => TopLevelGrammar::from_regex(expression),
            Self::Lark(grammar) => TopLevelGrammar::from_lark(grammar.clone()),
            Self::Choice(texts) => {
                if texts.is_empty() {
                    return Err(invalid("there are no texts to choose from"));
                }
                if let Some(index) = texts.iter().position(String::is_empty) {
                    return Err(invalid(format!("the text at index {index} is empty")));
                }
                // A string of Lark is written as one of JSON.
                let quoted = texts
                    .iter()
                    .map(|text| serde_json::Value::from(text.as_str()).to_string());
                TopLevelGrammar::from_lark(format!("start: {}", quoted.collect::<Vec<_>>().join(" | ")))
            }
        })
    }
}

/// Bytes of a value that is written as JSON.
fn written_len(value: &serde_json::Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Nothing in a value is refused, and the count takes everything.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The grammar of a schema, without endless white space: a model that is lost in it would never come out.
fn json(mut schema: serde_json::Value) -> TopLevelGrammar {
    if let Some(keywords) = schema.as_object_mut() {
        let own = || serde_json::json!({"whitespace_pattern": r"[\x20\x0A\x0D\x09]{1,64}"});
        keywords.entry("x-guidance").or_insert_with(own);
    }
    TopLevelGrammar::from_json_schema(schema)
}

fn invalid(fault: impl Into<String>) -> GenerateError {
    GenerateError::InvalidConstraint { fault: fault.into() }
}

fn unusable(error: &dyn std::fmt::Display) -> GenerateError {
    invalid(format!("the vocabulary is of no use: {error}"))
}

/// A byte that no text holds, and that the trie takes for the beginning of special tokens.
const SPECIAL: u8 = 0xFF;

fn is_mark(tokenizer: &Tokenizer, id: u32, bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'<')
        && std::str::from_utf8(bytes).is_ok_and(|name| tokenizer.mark(name) == Some(id))
}

/// Compiles constraints for one vocabulary; a generator has one and needs no other.
pub struct ConstraintCompiler {
    factory: ParserFactory,
}

impl ConstraintCompiler {
    /// For a model with `vocab` logits.
    ///
    /// # Errors
    ///
    /// [`GenerateError::InvalidConstraint`] if no grammar can be followed over this vocabulary.
    pub fn new(tokenizer: &Tokenizer, vocab: usize) -> Result<Self, GenerateError> {
        let size = u32::try_from(vocab).map_err(|error| unusable(&error))?;
        let words: Vec<Vec<u8>> = (0..size)
            .map(|id| match tokenizer.token_bytes(id) {
                Some([SPECIAL, ..]) | None => Vec::new(),
                Some(bytes) if is_mark(tokenizer, id, bytes) => [&[SPECIAL], bytes].concat(),
                Some(bytes) => bytes.to_vec(),
            })
            .collect();
        // End tokens are the request's, and set by hand.
        let trie = TokTrie::from(&TokRxInfo::new(size, INVALID_TOKEN), &words);
        let environment: TokEnv = Arc::new(Vocabulary {
            tokenizer: tokenizer.clone(),
            trie,
        });
        Self::over(&environment)
    }

    fn over(environment: &TokEnv) -> Result<Self, GenerateError> {
        let capabilities = InferenceCapabilities {
            ff_tokens: true,
            ..InferenceCapabilities::default()
        };
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory =
            ParserFactory::new(environment, capabilities, &slices).map_err(|error| unusable(&error))?;
        factory.quiet();
        // What a grammar is about stays out of errors: they are logged.
        factory.limits_mut().verbose_errors = false;
        factory.limits_mut().max_grammar_size = SYMBOLS;
        Ok(Self { factory })
    }

    /// A guard that follows `constraint` from its start.
    ///
    /// # Errors
    ///
    /// [`GenerateError::InvalidConstraint`] if it cannot be followed, or allows nothing but the empty text.
    pub fn compile(&self, constraint: &Constraint) -> Result<ConstraintGuard, GenerateError> {
        constraint.check_size()?;
        let parser = self.factory.create_parser(constraint.grammar()?);
        let parser = parser.map_err(|error| invalid(told(&error)))?;
        let mut matcher = Matcher::new(Ok(parser));
        if let Some(fault) = matcher.get_error() {
            return Err(invalid(told(&fault)));
        }
        let first = matcher.clone().compute_mask();
        if first.is_err() || first.is_ok_and(|mask| mask.is_zero()) {
            let empty = matcher.is_accepting().is_ok_and(|accepts| accepts);
            let what = if empty {
                "nothing but the empty text"
            } else {
                "no text"
            };
            return Err(invalid(format!("it allows {what}")));
        }
        Ok(ConstraintGuard {
            matcher,
            mask: SimpleVob::new(),
        })
    }
}

/// What an error says, without the mark that it could say more. A panic of the library says where its source lies, and
/// nothing that would help.
fn told(error: &impl std::fmt::Display) -> String {
    let said = format!("{error:#}").replace("<non-verbose/>", "");
    if said.contains("<backtrace>") || said.trim_start().starts_with("panic:") {
        return "it is more than the compiler of grammars can take".to_owned();
    }
    said.trim().to_owned()
}

/// How texts become tokens.
struct Vocabulary {
    tokenizer: Tokenizer,
    trie: TokTrie,
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            // A mark that is text, such as the tag before a call, is a token of its own; that of an end is none of the text.
            // A tokenizer may also change what it is given, with a space in front for one; here each byte counts.
            let told = [Special::Parse, Special::Literal]
                .into_iter()
                .find_map(|special| {
                    let ids = self.tokenizer.encode(text, special).ok()?;
                    let bytes = ids
                        .iter()
                        .flat_map(|id| self.tokenizer.token_bytes(*id).unwrap_or_default());
                    bytes.eq(text.as_bytes()).then_some(ids)
                });
            told.unwrap_or_else(|| self.trie.greedy_tokenize(text.as_bytes()))
        })
    }
}

/// A constraint at a place in a text; a clone goes on from there by itself.
#[derive(Clone)]
pub struct ConstraintGuard {
    matcher: Matcher,
    /// The tokens allowed next, reused.
    mask: SimpleVob,
}

impl ConstraintGuard {
    /// The tokens allowed next, one bit each; `ends` among them where the text may end and `may_end` says so, and nowhere
    /// else, even if they have a text that would fit.
    ///
    /// # Errors
    ///
    /// [`GenerateError::ConstraintFailed`] if the grammar takes too much work here.
    pub fn mask(&mut self, ends: &[u32], may_end: bool) -> Result<&[u32], GenerateError> {
        self.mask = self.matcher.compute_mask().map_err(failed)?;
        let may_end = may_end && self.matcher.is_accepting().map_err(failed)?;
        for &end in ends {
            if may_end {
                self.mask.allow_token(end);
            } else {
                self.mask.disallow_token(end);
            }
        }
        Ok(self.mask.as_slice())
    }

    /// Goes on behind `token`, which the mask allowed and which is no end token.
    ///
    /// # Errors
    ///
    /// [`GenerateError::ConstraintFailed`].
    pub fn take(&mut self, token: u32) -> Result<(), GenerateError> {
        self.matcher.consume_token(token).map_err(failed)
    }

    /// Whether the text is complete: nothing but an end could follow.
    pub fn is_complete(&self) -> bool {
        self.matcher.is_stopped() && !self.matcher.is_error()
    }

    /// Tokens that have to follow, whatever is drawn; perhaps none.
    pub fn forced(&mut self) -> Vec<u32> {
        self.matcher.compute_ff_tokens()
    }
}

fn failed(error: impl std::fmt::Display) -> GenerateError {
    GenerateError::ConstraintFailed { fault: told(&error) }
}

impl std::fmt::Debug for ConstraintCompiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConstraintCompiler").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ConstraintGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (complete, failed) = (self.is_complete(), self.matcher.get_error());
        f.debug_struct("ConstraintGuard")
            .field("complete", &complete)
            .field("failed", &failed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_answer_can_be_held_to_is_known_without_a_model() {
        let schema = |schema| Constraint::JsonSchema(schema).check();
        assert!(schema(serde_json::json!({"type": "object"})).is_ok());
        for impossible in [
            serde_json::json!({"type": "sheep"}),
            serde_json::json!({"type": "string", "minLength": 3, "maxLength": 1}),
            serde_json::json!({"not": {"type": "string"}}),
        ] {
            let found = schema(impossible.clone());
            assert!(
                matches!(found, Err(GenerateError::InvalidConstraint { .. })),
                "{impossible}: {found:?}"
            );
        }
        assert!(Constraint::Regex("(".to_owned()).check().is_err());
        assert!(Constraint::Lark("start: <a_mark>".to_owned()).check().is_ok());
    }

    /// Compiles it and says how long that took.
    fn timed(constraint: &Constraint) -> (Result<(), GenerateError>, std::time::Duration) {
        let began = std::time::Instant::now();
        let found = constraint.check();
        (found, began.elapsed())
    }

    #[test]
    fn what_would_take_long_to_compile_is_refused_with_its_size() {
        let texts =
            |count: usize| Constraint::Choice((0..count).map(|number| format!("choice {number}")).collect());
        let properties = |count: usize| {
            let properties =
                (0..count).map(|number| (format!("p{number}"), serde_json::json!({"type": "string"})));
            Constraint::JsonSchema(serde_json::json!({"type": "object",
                "properties": properties.collect::<serde_json::Map<_, _>>()}))
        };
        for (fits, constraint) in [
            (true, texts(TEXTS)),
            (false, texts(200_000)),
            (true, properties(2_000)),
            (false, properties(200_000)),
            (false, Constraint::Regex("a".repeat(BYTES + 1))),
            (true, Constraint::Regex("(((a{100}){100}){100})".to_owned())),
        ] {
            let (found, took) = timed(&constraint);
            assert_eq!(found.is_ok(), fits, "{found:?}");
            assert!(took < std::time::Duration::from_secs(5), "{took:?}");
        }
    }

    #[test]
    fn a_panic_of_the_compiler_is_told_without_where_it_lies() {
        let said = "compile: panic: assertion failed\n<backtrace>\n 0: somewhere/src/lib.rs\n</backtrace>";
        assert_eq!(told(&said), "it is more than the compiler of grammars can take");
    }

    #[test]
    fn a_choice_of_nothing_is_refused_by_its_place() {
        for (texts, fault) in [
            (vec![], "there are no texts to choose from"),
            (
                vec!["a".to_owned(), String::new()],
                "the text at index 1 is empty",
            ),
        ] {
            match Constraint::Choice(texts).grammar() {
                Err(GenerateError::InvalidConstraint { fault: found }) => assert_eq!(found, fault),
                other => panic!("{other:?}"),
            }
        }
    }
}
