//! Templates render as Python's Jinja2 renders them, and cannot hurt the program that runs them.

use serde_json::json;

use super::*;

/// A ChatML of our own words.
const CHATML: &str = "\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
";

/// Far more than any render may take, on a busy machine too.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

fn variables(json: serde_json::Value) -> Variables {
    match json {
        serde_json::Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn render(template: &str, values: serde_json::Value) -> String {
    try_render(template, values).unwrap_or_else(|error| panic!("{template}: {error:?}"))
}

fn try_render(template: &str, values: serde_json::Value) -> Result<String, ProviderError> {
    ChatTemplate::parse(template)?.render(&variables(values))
}

#[test]
fn a_conversation_becomes_its_prompt() {
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<b>&\"'</b>"},
    ]);
    let prompt = render(
        CHATML,
        json!({"messages": messages, "add_generation_prompt": true}),
    );
    assert_eq!(
        prompt,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<b>&\"'</b><|im_end|>\n\
         <|im_start|>assistant\n"
    );
}

#[test]
fn json_is_spelled_as_python_spells_it() {
    let value = json!({"b": [1, 2.0, 1e-7, 1e16, 1.5e300, -0.0], "a": "é<&>'\"\\\n\u{1}\u{7f}", "n": null, "t": true});
    assert_eq!(
        render("{{ v | tojson }}", json!({"v": value})),
        r#"{"b": [1, 2.0, 1e-07, 1e+16, 1.5e+300, -0.0], "a": "é<&>'\"\\\n\u0001"#.to_owned()
            + "\u{7f}"
            + r#"", "n": null, "t": true}"#
    );
}

#[test]
fn json_options_are_those_of_python() {
    let v = json!({"v": {"b": [1, []], "a": {}}});
    assert_eq!(
        render("{{ v | tojson(indent=2) }}", v.clone()),
        "{\n  \"b\": [\n    1,\n    []\n  ],\n  \"a\": {}\n}"
    );
    assert_eq!(
        render("{{ v | tojson(2) }}", v.clone()),
        render("{{ v | tojson(indent='  ') }}", v.clone())
    );
    assert_eq!(
        render("{{ v | tojson(sort_keys=true) }}", v.clone()),
        r#"{"a": {}, "b": [1, []]}"#
    );
    assert_eq!(
        render("{{ v | tojson(separators=(',', ':')) }}", v),
        r#"{"b":[1,[]],"a":{}}"#
    );
    assert_eq!(
        render("{{ 'é😀' | tojson(ensure_ascii=true) }}", json!({})),
        r#""\u00e9\ud83d\ude00""#
    );
}

#[test]
fn an_unknown_json_option_is_an_error() {
    let result = try_render("{{ 1 | tojson(indentation=2) }}", json!({}));
    assert!(
        matches!(result, Err(ProviderError::TemplateRender { .. })),
        "{result:?}"
    );
}

#[test]
fn json_of_an_undefined_variable_is_an_error() {
    let result = try_render("{{ tools | tojson }}", json!({}));
    assert!(
        matches!(result, Err(ProviderError::TemplateRender { line: 1, .. })),
        "{result:?}"
    );
}

#[test]
fn json_text_is_read_back_in_order() {
    let text = json!({"text": "{\"z\": 1, \"a\": [true, null]}"});
    assert_eq!(
        render("{{ text | fromjson | tojson }}", text.clone()),
        r#"{"z": 1, "a": [true, null]}"#
    );
    assert!(try_render("{{ '{' | fromjson }}", text).is_err());
}

#[test]
fn values_print_as_python_prints_them() {
    let values = json!({"v": [true, false, null, 1, 1.0, "it's", {"k": "v"}]});
    assert_eq!(
        render("{{ v }}", values),
        r#"[True, False, None, 1, 1.0, "it's", {'k': 'v'}]"#
    );
}

#[test]
fn blocks_are_trimmed_as_in_python() {
    let template = "  {% if true %}\na\n    {% endif %}\n b\n";
    assert_eq!(render(template, json!({})), "a\n b");
}

#[test]
fn methods_win_over_keys_of_the_same_name() {
    let values = json!({"schema": {"items": {"type": "string"}, "keys": 1}});
    assert_eq!(
        render(
            "{% for k, v in schema.items() %}{{ k }}={{ v }};{% endfor %}",
            values
        ),
        "items={'type': 'string'};keys=1;"
    );
}

#[test]
fn generation_blocks_print_their_body_in_a_scope_of_their_own() {
    let template = "{% set a = 1 %}[{%- generation -%} {% set a = 2 %}{{ a }} {%- endgeneration -%}]{{ a }}";
    assert_eq!(render(template, json!({})), "[2]1");
}

#[test]
fn generation_stays_a_word_elsewhere() {
    let template =
        "{# {% generation %} #}{% raw %}{% generation %}{% endraw %}{{ '{% generation %}' }}{{ generation }}";
    assert_eq!(
        render(template, json!({"generation": "x"})),
        "{% generation %}{% generation %}x"
    );
}

#[test]
fn lists_change_in_place() {
    let template = "{% set ns = namespace(ids=[]) %}{% for m in messages %}\
                    {% set _ = ns.ids.append(m.id) %}{% endfor %}\
                    {{ ns.ids.pop(0) }}{{ ns.ids.pop() }}{{ ns.ids }}{{ ns.ids | length }}";
    let values = json!({"messages": [{"id": "a"}, {"id": "b"}, {"id": "c"}]});
    assert_eq!(render(template, values), "ac['b']1");
}

#[test]
fn list_methods_are_those_of_python() {
    for (code, printed) in [
        (
            "{% set x = [1, 2] %}{% do x.extend([3, [4]]) %}{{ x }}",
            "[1, 2, 3, [4]]",
        ),
        ("{% set x = [1, 2] %}{% do x.insert(-1, 9) %}{{ x }}", "[1, 9, 2]"),
        ("{% set x = [1, 2] %}{% do x.insert(99, 9) %}{{ x }}", "[1, 2, 9]"),
        (
            "{% set x = [1, 2, 1] %}{% do x.remove(1) %}{{ x }}{{ x.index(1) }}",
            "[2, 1]1",
        ),
        (
            "{% set x = [1, 2] %}{% do x.reverse() %}{{ x }}{% do x.clear() %}{{ x }}",
            "[2, 1][]",
        ),
        (
            "{% set x = [1] %}{% set y = x %}{% set z = x.copy() %}{% do x.append(2) %}{{ y }}{{ z }}",
            "[1, 2][1]",
        ),
        (
            "{% set x = 'a b'.split() %}{% do x.append('c') %}{{ x | join('-') }}",
            "a-b-c",
        ),
        (
            "{% set x = [[1, 2][1], {'k': [3]}['k'][0]] %}{% do x.append(x[0]) %}{{ x }}",
            "[2, 3, 2]",
        ),
        (
            "{{ [] == [] and [1] == [1] and 1 in [1] and [].copy() is not none }}",
            "True",
        ),
        (
            "{% if not [].copy() %}empty{% endif %}{{ [3, 4][-1] }}{{ [3, 4, 5][1:] }}",
            "empty4[4, 5]",
        ),
        ("{{ messages.pop(0) }}{{ messages }}", "1[2]"),
        (
            "{% set x = [1] + [2] %}{% do x.append(3) %}{% set y = x[1:] %}{% do y.pop() %}{{ x }}{{ y }}",
            "[1, 2, 3][2]",
        ),
        (
            "{% set x = [1] %}{% do [x][0].append(2) %}{{ 2 in [1, 2] and 2 is in [2] and x == [1, 2] }}",
            "True",
        ),
        (
            "{% for a in [1, 2] if a not in [1] %}{{ [a, 3] if a else [4] }}{% endfor %}{{ [].copy() }}",
            "[2, 3][]",
        ),
    ] {
        assert_eq!(render(code, json!({"messages": [1, 2]})), printed, "{code}");
    }
}

#[test]
fn popping_an_empty_list_is_an_error() {
    assert!(matches!(
        try_render("{{ [].pop() }}", json!({})),
        Err(ProviderError::TemplateRender { .. })
    ));
}

#[test]
fn the_callers_messages_are_never_changed() {
    let template = ChatTemplate::parse("{{ messages.pop(0) }}").expect("parses");
    let values = variables(json!({"messages": ["a", "b"]}));
    assert_eq!(template.render(&values).expect("renders"), "a");
    assert_eq!(template.render(&values).expect("renders"), "a");
}

#[test]
fn a_refusal_carries_the_templates_words() {
    let result = try_render("{{ raise_exception('roles must ' ~ 'alternate') }}", json!({}));
    match result {
        Err(ProviderError::TemplateRefused { message }) => assert_eq!(message, "roles must alternate"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_inside_a_macro_is_a_refusal() {
    let template = "{% macro check(x) %}{{ raise_exception('no ' ~ x) }}{% endmacro %}{{ check('y') }}";
    let result = try_render(template, json!({}));
    assert!(
        matches!(&result, Err(ProviderError::TemplateRefused { message }) if message == "no y"),
        "{result:?}"
    );
}

#[test]
fn dates_are_formatted_as_strftime_does() {
    fn clock() -> jiff::Zoned {
        jiff::civil::date(2024, 7, 6)
            .at(5, 4, 3, 0)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .expect("a valid time")
    }
    let template = ChatTemplate::parse("{{ strftime_now('%d %b %Y %H:%M %A %-d %%') }}").expect("parses");
    let printed = template.render_at(&Variables::new(), clock).expect("renders");
    assert_eq!(printed, "06 Jul 2024 05:04 Saturday 6 %");
}

#[test]
fn an_unfinished_template_names_its_line() {
    let result = ChatTemplate::parse("a\nb {% if %}");
    assert!(
        matches!(result, Err(ProviderError::TemplateSyntax { line: 2, .. })),
        "{result:?}"
    );
}

#[test]
fn hostile_templates_end_in_typed_errors() {
    for template in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set x = namespace(t='x') %}{% for a in range(99999) %}{% set x.t = x.t ~ x.t %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = [] %}{% do x.append(x) %}{{ x }}",
        "{% set x = [] %}{% set y = [x] %}{% do x.append({'k': y}) %}{{ x }}",
        "{% set x = [] %}{% set n = namespace() %}{% do x.append(n) %}{% set n.x = x %}{{ x }}",
        "{% set n = namespace(x=[]) %}{% for a in range(99999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x.copy() }}",
        "{% set x = [] %}{% for a in range(99999) %}{% do x.insert(0, a) %}{% do x.insert(0, a) %}{% endfor %}\
         {% for a in range(99999) %}{% do x.extend(x) %}{% endfor %}",
        "{% set x = range(99999)|list %}{% for a in range(99999) %}{% set y = x %}{% endfor %}",
        "{% set x = range(99999)|list %}{% do x.append(1) %}{% for a in range(99999) %}{% if -1 in x %}{% endif %}{% endfor %}",
        "{% set x = range(99999)|list %}{% do x.append(1) %}{% for a in range(99999) %}{% for b in x %}{% do x.append(1) %}{% break %}{% endfor %}{% endfor %}",
        "{% set x = range(99999)|list %}{% do x.append(1) %}{% for a in range(99999) %}{% for b in x %}{% break %}{% endfor %}{% endfor %}{% for a in range(99999) %}{% for b in range(99) %}{% endfor %}{% endfor %}",
        "{% include 'other' %}",
        "{{ ''.__class__.__mro__ }}",
        "{% set n = namespace() %}{% set n.n = n %}{{ n | tojson }}",
    ] {
        let started = std::time::Instant::now();
        let result = try_render(template, json!({}));
        assert!(started.elapsed() < LIMIT, "{template}");
        assert!(result.is_err(), "{template}: {:?}", result.map(|text| text.len()));
    }
}

#[test]
fn values_that_hold_themselves_do_not_overflow_the_stack() {
    for template in [
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "{% set n = namespace(x=[]) %}{% for a in range(99999) %}{% set n.x = [n.x] %}{% endfor %}",
        "{% set n = namespace(x=[]) %}{% for a in range(99999) %}{% set n.x = (n.x, 1) %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=[]) %}{% for a in range(99999) %}{% set n.x = {'x': n.x} %}{% endfor %}{{ n.x|tojson }}",
        "{% set n = namespace(x=[]) %}{% for a in range(99999) %}{% set n.x = n.x | reverse %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=['a']) %}{% for a in range(99999) %}{% set n.x = n.x | map('upper') %}{% endfor %}{{ n.x|list }}",
        "{% set n = namespace(x=['a']) %}{% for a in range(99999) %}{% set n.x = n.x | select %}{% endfor %}{{ n.x|list }}",
        "{% set n = namespace() %}{% for a in [n, 1] %}{% set n.l = loop %}{{ n }}{% endfor %}",
        "{% set x = namespace() %}{% for a in range(99999) %}{% set x = namespace(y=x) %}{% endfor %}{{ x }}",
        "{% set n = namespace(x=1) %}{% for a in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|string }}",
        "{% set a = namespace() %}{% set b = namespace() %}{% set a.x = a %}{% set b.x = b %}{{ a == b }}",
    ] {
        // Only that the program survives is asked for; Python prints some of these.
        let started = std::time::Instant::now();
        let _ = try_render(template, json!({}));
        assert!(started.elapsed() < LIMIT, "{template}");
    }
}

#[test]
fn what_is_set_is_what_was_written() {
    for (code, printed) in [
        ("{%- set x = 1 -%} {{ x }}", "1"),
        ("{% set x = 1, 2 %}{{ x }}", "(1, 2)"),
        ("{% set a, b = 1, [2] %}{{ a }}{{ b }}", "1[2]"),
        ("{% set x = 3 if y else 4 %}{{ x }}", "4"),
        ("{% set x %}a{{ 1 == 1 }}{% endset %}{{ x }}", "aTrue"),
        ("{% set x | upper %}a{% endset %}{{ x }}", "A"),
        ("{% set x = {'a': '}%}'} %}{{ x.a }}", "}%}"),
        (
            "{% set n = namespace(a=1, b=namespace(c=2)) %}{% set n.a = n.a + 1 %}{{ n.a }}{{ n.b.c }}",
            "22",
        ),
        (
            "{% set x = {'a': 1}.items() %}{{ x | list }}{{ x | list }}",
            "[('a', 1)][('a', 1)]",
        ),
        ("{% set x = y %}{{ x is defined }}", "False"),
    ] {
        assert_eq!(render(code, json!({})), printed, "{code}");
    }
}

#[test]
fn text_outside_tags_survives_rewriting() {
    for text in [
        "{",
        "{{",
        "{%",
        "{#",
        "a{b}c",
        "{ {",
        "é{é",
        "{{ 'é' }}",
        "{% raw %}{{ [1] }}{% endraw %}[1].pop(0)",
    ] {
        let rewritten = source::rewrite(text);
        if !text.contains("pop") {
            assert_eq!(&*rewritten.text, text);
        } else {
            assert!(
                rewritten.text.ends_with("{{ [1] }}{% endraw %}[1].pop(0)"),
                "{}",
                rewritten.text
            );
        }
    }
}

#[test]
fn a_long_conversation_stays_within_the_budget() {
    let turns = (0..20_000)
        .map(|turn| json!({"role": if turn % 2 == 0 { "user" } else { "assistant" }, "content": "x"}));
    let values = json!({"messages": turns.collect::<Vec<_>>(), "add_generation_prompt": true});
    // Looks at every message several times, as templates that look for the last question do.
    let template = "{% set ns = namespace(last=0, seen=[]) %}{% for m in messages[::-1] %}\
                    {% set index = (messages | length - 1) - loop.index0 %}\
                    {% if m.role == 'user' and m.content is string and ns.last == 0 %}{% set ns.last = index %}{% endif %}\
                    {% endfor %}";
    let prompt = render(&format!("{template}{CHATML}"), values);
    assert_eq!(prompt.matches("<|im_end|>").count(), 20_000);
}

#[test]
fn a_variable_is_read_where_it_is_given_and_not_where_its_name_stands() {
    let template = ChatTemplate::parse(
        "{# hidden #}{% set ns = namespace(word='quoted') %}{% set effort = effort | default('low') %}\
         {%- set kind = messages[0].kind ~ 'kind' %}{{ kind }}\
         {%- if date is not defined %}{% set date = strftime_now('%d') %}{% endif %}\
         {% for message in messages %}{{ message.role ~ ns.word ~ effort ~ date }}{% endfor %}\
         {% macro call(tool) %}{{ tool ~ inner }}{% endmacro %}{% if thinking is defined %}plain{% endif %}",
    )
    .unwrap();
    for name in ["effort", "date", "messages", "inner", "thinking"] {
        assert!(template.reads(name), "{name}");
    }
    for name in [
        "hidden",
        "quoted",
        "kind",
        "word",
        "low",
        "ns",
        "message",
        "role",
        "tool",
        "call",
        "plain",
        "loop",
        "",
        "namespace",
        "strftime_now",
        "__variable",
        "default",
    ] {
        assert!(!template.reads(name), "{name}");
    }
}
