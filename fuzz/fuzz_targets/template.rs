//! Any chat template: it renders, or is refused, in bounded time, twice the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use providers::ChatTemplate;
use serde_json::json;

/// What templates are made of; any other byte stands for itself.
const FRAGMENTS: [&str; 26] = [
    "{% for message in messages %}",
    "{% endfor %}",
    "{% if message.role == 'user' %}",
    "{% else %}",
    "{% endif %}",
    "{{ message.content }}",
    "{{ message }}",
    "{{ tools | tojson(indent=2) }}",
    "{% set x = ",
    " %}",
    "{{- ",
    " -}}",
    "messages",
    "[::-1]",
    "loop.index0",
    ".strip('a')",
    ".split('e')",
    " | items",
    "namespace(a=1)",
    "range(1000000)",
    "raise_exception('x')",
    "strftime_now('%Y')",
    "'ab' * 100000",
    "fromjson('[1]')",
    "{% macro m(a) %}",
    "{% endmacro %}{{ m(m(1)) }}",
];

fuzz_target!(|letters: Vec<u8>| {
    let fragment = |letter: &u8| match FRAGMENTS.get(usize::from(*letter)) {
        Some(fragment) => (*fragment).to_owned(),
        None => char::from(*letter).to_string(),
    };
    let source: String = letters.iter().map(fragment).collect();
    let Ok(template) = ChatTemplate::parse(&source) else {
        return;
    };
    let variables = json!({
        "messages": [
            {"role": "system", "content": "é"},
            {"role": "user", "content": "a\n{{ b }}"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "add_generation_prompt": true,
    });
    let serde_json::Value::Object(variables) = variables else {
        return;
    };
    let (first, again) = (template.render(&variables), template.render(&variables));
    assert_eq!(first.is_ok(), again.is_ok());
    // The clock may have moved on between the two.
    if let (Ok(first), Ok(again)) = (first, again)
        && !source.contains("strftime_now")
    {
        assert_eq!(first, again);
    }
});
