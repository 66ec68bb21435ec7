//! Constraints in the words of each kind of server.
//!
//! JSON goes into `response_format`, which all of them take for chats; the rest is every kind's own. A grammar in Lark's
//! syntax is understood by vLLM alone, where its backend is `guidance`; with another it refuses.

use engine::{Constraint, EngineError};
use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::request::PLAIN;

/// Puts `constraint` into a request's body.
///
/// # Errors
///
/// [`EngineError::InvalidParameter`] for a constraint that a server of this kind cannot be asked for.
pub(crate) fn put(
    constraint: &Constraint,
    path: &str,
    dialect: Dialect,
    body: &mut Map<String, Value>,
) -> Result<(), EngineError> {
    let (field, value) = match (constraint, dialect) {
        // Its plain completions know no `response_format`.
        (Constraint::JsonSchema(schema), Dialect::LlamaCpp) if path == PLAIN => {
            ("json_schema", schema.clone())
        }
        (Constraint::JsonObject, Dialect::LlamaCpp) if path == PLAIN => {
            ("json_schema", json!({"type": "object"}))
        }
        (Constraint::JsonSchema(schema), _) => {
            let format = json!({"name": "answer", "schema": schema, "strict": true});
            (
                "response_format",
                json!({"type": "json_schema", "json_schema": format}),
            )
        }
        (Constraint::JsonObject, _) => ("response_format", json!({"type": "json_object"})),
        (Constraint::Regex(expression), Dialect::Vllm) => {
            ("structured_outputs", json!({"regex": expression}))
        }
        (Constraint::Regex(expression), Dialect::Sglang) => ("regex", expression.as_str().into()),
        (Constraint::Choice(texts), Dialect::Vllm) => ("structured_outputs", json!({"choice": texts})),
        (Constraint::Choice(texts), Dialect::Sglang) => ("regex", alternatives(texts).into()),
        (Constraint::Choice(texts), Dialect::LlamaCpp) => ("grammar", rule(texts).into()),
        (Constraint::Lark(grammar), Dialect::Vllm) => ("structured_outputs", json!({"grammar": grammar})),
        (Constraint::Regex(_), _) => return Err(dialect.lacks("constraint", "a regular expression")),
        (Constraint::Choice(_), _) => return Err(dialect.lacks("constraint", "a choice")),
        (Constraint::Lark(_), _) => return Err(dialect.lacks("constraint", "a grammar")),
        (other, _) => return Err(dialect.lacks("constraint", format!("{other:?}"))),
    };
    body.insert(field.to_owned(), value);
    Ok(())
}

/// A regular expression that matches these texts.
fn alternatives(texts: &[String]) -> String {
    let escaped = texts.iter().map(|text| {
        let mut literal = String::with_capacity(text.len());
        for c in text.chars() {
            if r"\.+*?()|[]{}^$/-".contains(c) {
                literal.push('\\');
            }
            literal.push(c);
        }
        literal
    });
    format!("({})", escaped.collect::<Vec<_>>().join("|"))
}

/// A grammar of llama.cpp that gives these texts; its strings are escaped as JSON's are.
fn rule(texts: &[String]) -> String {
    let quoted = texts.iter().map(|text| Value::from(text.as_str()).to_string());
    format!("root ::= {}", quoted.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(constraint: &Constraint, path: &str, dialect: Dialect) -> Option<Value> {
        let mut body = Map::new();
        put(constraint, path, dialect, &mut body).ok()?;
        Some(Value::Object(body))
    }

    const CHAT: &str = super::super::request::CHAT;

    #[test]
    fn json_goes_into_the_response_format() {
        let schema = json!({"type": "object"});
        let format = json!({"response_format": {"type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": true}}});
        for dialect in [Dialect::Vllm, Dialect::Sglang, Dialect::LlamaCpp, Dialect::OpenAi] {
            let constraint = Constraint::JsonSchema(schema.clone());
            assert_eq!(sent(&constraint, CHAT, dialect).as_ref(), Some(&format));
        }
        let plain = sent(&Constraint::JsonObject, PLAIN, Dialect::LlamaCpp);
        assert_eq!(plain, Some(json!({"json_schema": {"type": "object"}})));
    }

    #[test]
    fn each_kind_has_its_own_words_for_the_rest() {
        let regex = Constraint::Regex("a+".to_owned());
        let choice = Constraint::Choice(vec!["a.b".to_owned(), "\"c\"".to_owned()]);
        let lark = Constraint::Lark("start: \"a\"".to_owned());
        let cases = [
            (
                &regex,
                Dialect::Vllm,
                Some(json!({"structured_outputs": {"regex": "a+"}})),
            ),
            (&regex, Dialect::Sglang, Some(json!({"regex": "a+"}))),
            (&regex, Dialect::LlamaCpp, None),
            (
                &choice,
                Dialect::Vllm,
                Some(json!({"structured_outputs": {"choice": ["a.b", "\"c\""]}})),
            ),
            (&choice, Dialect::Sglang, Some(json!({"regex": "(a\\.b|\"c\")"}))),
            (
                &choice,
                Dialect::LlamaCpp,
                Some(json!({"grammar": "root ::= \"a.b\" | \"\\\"c\\\"\""})),
            ),
            (&choice, Dialect::OpenAi, None),
            (
                &lark,
                Dialect::Vllm,
                Some(json!({"structured_outputs": {"grammar": "start: \"a\""}})),
            ),
            (&lark, Dialect::Sglang, None),
        ];
        for (constraint, dialect, expected) in cases {
            assert_eq!(sent(constraint, CHAT, dialect), expected, "{dialect:?}");
        }
    }
}
