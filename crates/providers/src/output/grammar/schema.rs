//! Schemas of tools, as they are put into grammars.

use engine::ToolDefinition;
use serde_json::{Value, json};

/// Schemas that are looked at for one value; one can refer to itself.
const MAX_SCHEMAS: usize = 256;

/// The values that a schema allows, where they can be counted.
pub(super) fn values(schema: &Value, root: &Value) -> Option<Vec<Value>> {
    counted(schema, root, &mut MAX_SCHEMAS.clone())
}

fn counted(schema: &Value, root: &Value, budget: &mut usize) -> Option<Vec<Value>> {
    *budget = budget.checked_sub(1)?;
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.clone());
    }
    if let Some(value) = schema.get("const") {
        return Some(vec![value.clone()]);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("null") => return Some(vec![Value::Null]),
        Some("boolean") => return Some(vec![true.into(), false.into()]),
        _ => {}
    }
    let branches = branches(schema, root);
    let all = branches.into_iter().map(|branch| counted(branch, root, budget));
    let values: Vec<Value> = all.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    (!values.is_empty()).then_some(values)
}

/// The first keyword that allows some strings and not others, wherever it stands.
pub(super) fn narrows(schema: &Value, root: &Value) -> Option<&'static str> {
    narrowed(schema, root, &mut MAX_SCHEMAS.clone())
}

fn narrowed(schema: &Value, root: &Value, budget: &mut usize) -> Option<&'static str> {
    *budget = budget.checked_sub(1)?;
    let keywords = [
        "pattern",
        "format",
        "minLength",
        "maxLength",
        "enum",
        "const",
        "not",
    ];
    let found = keywords.into_iter().find(|keyword| schema.get(keyword).is_some());
    found.or_else(|| {
        branches(schema, root)
            .into_iter()
            .find_map(|branch| narrowed(branch, root, budget))
    })
}

/// What a schema is made of: its branches, and what it refers to.
fn branches<'a>(schema: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    let target = schema.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
    let listed = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(|keyword| {
        let branches = schema.get(keyword).and_then(Value::as_array);
        branches.into_iter().flatten()
    });
    listed.chain(target).collect()
}

/// The schema of a tool's arguments, which are an object.
pub(super) fn of_object(tool: &ToolDefinition) -> Value {
    let mut schema = tool.parameters.clone();
    if let Some(keywords) = schema.as_object_mut() {
        keywords.entry("type").or_insert("object".into());
    }
    close(&mut schema);
    schema
}

/// Leaves objects that declare their properties no others, unless they say something about others: a model that is held
/// to a schema would otherwise be free to make some up.
pub(super) fn close(schema: &mut Value) {
    const OPEN: [&str; 7] = [
        "additionalProperties",
        "patternProperties",
        "unevaluatedProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "$ref",
    ];
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    if keywords.contains_key("properties") && !OPEN.iter().any(|keyword| keywords.contains_key(*keyword)) {
        keywords.insert("additionalProperties".to_owned(), false.into());
    }
    for (keyword, below) in keywords {
        match (keyword.as_str(), below) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values_mut().for_each(close);
            }
            ("items", one) => close(one),
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(several)) => several.iter_mut().for_each(close),
            _ => {}
        }
    }
}

/// Gives a schema the definitions at the root of another that it is a part of, so that references hold.
pub(super) fn adopt_definitions(schema: &mut Value, root: &Value) {
    for definitions in ["$defs", "definitions"] {
        if let (Some(keywords), Some(those)) = (schema.as_object_mut(), root.get(definitions)) {
            keywords.insert(definitions.to_owned(), those.clone());
        }
    }
}

/// JSON of a schema, with no white space but behind commas and colons.
pub(super) fn inline(mut schema: Value) -> String {
    if let Some(keywords) = schema.as_object_mut() {
        let own = || json!({"whitespace_flexible": false, "item_separator": ", ?", "key_separator": ": ?"});
        keywords.entry("x-guidance").or_insert_with(own);
    }
    format!("%json {schema}")
}
