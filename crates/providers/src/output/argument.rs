//! Arguments that a model writes as bare text, as values of the types that their schema declares.
//!
//! Whatever is not a value of a declared type is a string, so that no text is ever refused or lost.

use engine::ToolDefinition;
use serde_json::Value;

/// Schemas that are looked at to know the types of one argument; one can refer to itself.
const MAX_SCHEMAS: usize = 256;

/// A set of JSON types. An integer is a number too; a number need not be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    const NONE: Self = Self(0);
    const STRING: Self = Self(1);
    const INTEGER: Self = Self(2);
    const NUMBER: Self = Self(4 | 2);
    const BOOLEAN: Self = Self(8);
    const NULL: Self = Self(16);
    const ARRAY: Self = Self(32);
    const OBJECT: Self = Self(64);
    const ALL: Self = Self(127);

    /// The types that `tool` declares for its argument `key`: a string alone where it declares the argument and
    /// says nothing of its type, and any type where it does not declare it.
    pub(super) fn declared(tool: Option<&ToolDefinition>, key: &str) -> Self {
        let root = tool.map(|tool| &tool.parameters);
        let property = root.and_then(|root| root.get("properties")?.get(key));
        let (Some(root), Some(property)) = (root, property) else {
            return Self::ALL;
        };
        match Self::of_schema(property, root, &mut MAX_SCHEMAS.clone()) {
            Self::NONE => Self::STRING,
            types => types,
        }
    }

    /// Whether only a string will do, so that no text has to be waited for.
    pub(super) fn only_string(self) -> bool {
        self == Self::STRING
    }

    /// Whether a string will do.
    pub(super) fn has_string(self) -> bool {
        self.has(Self::STRING)
    }

    fn has(self, types: Self) -> bool {
        self.0 & types.0 == types.0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn of_schema(schema: &Value, root: &Value, budget: &mut usize) -> Self {
        if *budget == 0 {
            return Self::NONE;
        }
        *budget -= 1;
        let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
        let nullable = match schema.get("nullable") {
            Some(Value::Bool(true)) => Self::NULL,
            _ => Self::NONE,
        };
        match schema.get("type") {
            Some(Value::String(name)) => return Self::named(name).and(nullable),
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str).map(Self::named);
                return names.fold(nullable, Self::and);
            }
            _ => {}
        }
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
        let branches = ["anyOf", "oneOf", "allOf"]
            .into_iter()
            .flat_map(list)
            .chain(target);
        let types = branches.fold(nullable, |types, branch| {
            types.and(Self::of_schema(branch, root, budget))
        });
        let values = list("enum").chain(schema.get("const"));
        let types = values.fold(types, |types, value| types.and(Self::of_value(value)));
        let implied = [("properties", Self::OBJECT), ("items", Self::ARRAY)];
        let implied = implied.into_iter().filter(|(key, _)| schema.get(key).is_some());
        implied.fold(types, |types, (_, of)| types.and(of))
    }

    fn named(name: &str) -> Self {
        match name {
            "string" => Self::STRING,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "boolean" => Self::BOOLEAN,
            "null" => Self::NULL,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::NONE,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if is_integer(number) => Self::INTEGER,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// `text` as JSON: to the letter where it spells a value of one of these types that is not a string, else
    /// as a string.
    ///
    /// `True`, `False` and `None` are values too where no string is declared: templates print booleans and
    /// nulls as Python does, and models write what they are shown.
    pub(super) fn json(self, text: &str) -> String {
        let word = text.trim();
        let python = match word {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            _ => word,
        };
        let word = if self.has(Self::STRING) { word } else { python };
        match parse(word) {
            Some(value) if !value.is_string() && self.has(Self::of_value(&value)) => word.to_owned(),
            _ => string(text),
        }
    }
}

/// Whether a number has no fraction, however it is written.
fn is_integer(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// The value that `text` spells, where it is one that can also stand inside an object: nesting is bounded.
fn parse(text: &str) -> Option<Value> {
    let mut items: Vec<Value> = serde_json::from_str(&format!("[{text}]")).ok()?;
    let value = items.pop()?;
    items.is_empty().then_some(value)
}

/// `text` as a JSON string.
pub(super) fn string(text: &str) -> String {
    Value::from(text).to_string()
}

/// `text` as a JSON string without its quotes, which is a piece of a longer one.
pub(super) fn escaped(text: &str) -> String {
    let mut quoted = string(text);
    quoted.pop();
    quoted.split_off(1.min(quoted.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn types(property: Value) -> Types {
        let tool = ToolDefinition::new(
            "f",
            json!({
                "type": "object",
                "properties": {"x": property},
                "$defs": {"Id": {"type": "integer"}, "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}, {"$ref": "#/$defs/Loop"}]}},
            }),
        );
        Types::declared(Some(&tool), "x")
    }

    #[test]
    fn text_is_a_value_of_the_declared_type_or_a_string() {
        for (schema, text, expected) in [
            (json!({"type": "string"}), "42", r#""42""#),
            (json!({"type": "string"}), "null", r#""null""#),
            (json!({"type": "integer"}), " 42 ", "42"),
            (json!({"type": "integer"}), "-7e2", "-7e2"),
            (json!({"type": "integer"}), "4.5", r#""4.5""#),
            (json!({"type": "integer"}), "forty", r#""forty""#),
            (json!({"type": "number"}), "4.50", "4.50"),
            (json!({"type": "number"}), "1e999", r#""1e999""#),
            (json!({"type": "number"}), "", r#""""#),
            (
                json!({"type": "integer"}),
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            (json!({"type": "boolean"}), "true", "true"),
            (json!({"type": "boolean"}), "False", "false"),
            (json!({"type": "boolean"}), "1", r#""1""#),
            (json!({"type": "null"}), "None", "null"),
            (
                json!({"type": "array"}),
                "[1, {\"a\": \"]\"}]",
                "[1, {\"a\": \"]\"}]",
            ),
            (json!({"type": "array"}), "1, 2", r#""1, 2""#),
            (json!({"type": "array"}), "[1", r#""[1""#),
            (json!({"type": "object"}), "{\"a\": null}", "{\"a\": null}"),
            (json!({"type": "object"}), "[]", r#""[]""#),
        ] {
            assert_eq!(types(schema.clone()).json(text), expected, "{schema} {text:?}");
        }
    }

    #[test]
    fn of_several_types_a_string_is_the_last() {
        for (schema, text, expected) in [
            (json!({"type": ["string", "null"]}), "null", "null"),
            (json!({"type": ["string", "null"]}), "None", r#""None""#),
            (json!({"type": ["string", "null"]}), "7", r#""7""#),
            (json!({"type": ["integer", "null"]}), "7", "7"),
            (json!({"type": ["integer", "null"]}), "null", "null"),
            (json!({"type": "integer", "nullable": true}), "null", "null"),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
                "7",
                "7",
            ),
            (
                json!({"oneOf": [{"$ref": "#/$defs/Id"}, {"type": "null"}]}),
                "7",
                "7",
            ),
            (json!({"allOf": [{"$ref": "#/$defs/Id"}]}), "7", "7"),
            (json!({"enum": [1, 2.5]}), "2.5", "2.5"),
            (json!({"enum": ["a", null]}), "a", r#""a""#),
            (json!({"const": true}), "true", "true"),
            (json!({"properties": {}}), "{}", "{}"),
            (json!({"items": {}}), "[]", "[]"),
        ] {
            assert_eq!(types(schema.clone()).json(text), expected, "{schema} {text:?}");
        }
    }

    #[test]
    fn an_argument_without_a_type_is_a_string() {
        for schema in [
            json!({}),
            json!({"description": "?"}),
            json!(true),
            json!({"type": "any"}),
        ] {
            assert!(types(schema.clone()).only_string(), "{schema}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_has_an_end() {
        assert!(types(json!({"$ref": "#/$defs/Loop"})).only_string());
    }

    #[test]
    fn an_undeclared_argument_is_json_that_is_no_string_or_a_string() {
        let all = Types::declared(None, "x");
        assert_eq!(all.json("{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(all.json("true"), "true");
        assert_eq!(all.json("True"), r#""True""#);
        assert_eq!(all.json("\"a\""), r#""\"a\"""#);
        assert_eq!(all.json("a\n"), r#""a\n""#);
    }

    #[test]
    fn nesting_that_no_reader_takes_is_a_string() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for levels in [126, 127, 128, 500] {
            let object = format!("{{\"x\":{}}}", Types::ALL.json(&deep(levels)));
            assert!(serde_json::from_str::<Value>(&object).is_ok(), "{levels}");
        }
    }

    #[test]
    fn escaped_pieces_join_to_the_escaped_whole() {
        assert_eq!(escaped(""), "");
        assert_eq!(escaped("a\"\n") + &escaped("é\\"), "a\\\"\\né\\\\");
    }
}
