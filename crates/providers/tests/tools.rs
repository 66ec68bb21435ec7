//! Tools of a model on disk: declared by its template, refused where it cannot take them.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::PathBuf;

use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt,
    CandleStringChunk, EngineError, Events, Message, OutputParser as _, ToolCall, ToolDefinition,
};
use generator::Constraint;
use models::GgufFile;
use models::gguf::{Array, GgufWriter, TensorKind, Value};
use models::synth::{self, Shape};
use proptest::prelude::*;
use providers::template::Variables;
use providers::{ChatTemplate, LocalProvider, OutputFormat, ProgressHub, ProviderError};
use serde_json::json;
use tempfile::TempDir;

/// The template of the demo model.
const DEMO: &str = include_str!("../assets/demo.jinja");

/// A token's type in files: text, whatever it looks like.
const USER_DEFINED: i64 = 4;
/// A token of the small model that no test uses, `<|endoftext|>`.
const SPARE: usize = 264;

/// A small model with this chat template, and the folder that it lies in.
fn model(template: &str) -> (TempDir, LocalProvider) {
    written(template, None)
}

/// The same; with `word`, it says that and nothing else: all weights are zero, so that the first token is the
/// most probable, and that is its name.
fn written(template: &str, word: Option<&str>) -> (TempDir, LocalProvider) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path: PathBuf = folder.path().join("model.gguf");
    let source = folder.path().join("source.gguf");
    synth::write(Shape::TinyQwen3, 11, &source).expect("the model can be written");
    let file = GgufFile::open(&source).expect("the model opens");
    let mut writer = GgufWriter::new();
    for (key, value) in file.metadata().iter() {
        let value = match (key, value, word) {
            ("tokenizer.chat_template", _, _) => Value::String(template.to_owned()),
            ("tokenizer.ggml.tokens", Value::Array(names), Some(word)) => {
                let names = names.strings().expect("they are text");
                let mut names: Vec<String> = names.map(str::to_owned).collect();
                names[SPARE] = std::mem::replace(&mut names[0], word.to_owned());
                Value::Array(Array::of_strings(&names))
            }
            ("tokenizer.ggml.token_type", Value::Array(kinds), Some(_)) => {
                let mut kinds = kinds.to_i64s().expect("they are numbers");
                kinds[SPARE] = std::mem::replace(&mut kinds[0], USER_DEFINED);
                let kinds: Vec<i32> = kinds.into_iter().map(|kind| kind as i32).collect();
                Value::Array(Array::of_i32(&kinds))
            }
            _ => value.clone(),
        };
        writer.metadata(key, value);
    }
    let sizes = file
        .tensors()
        .iter()
        .flat_map(|tensor| file.bytes(tensor))
        .map(<[u8]>::len);
    let zeros = vec![0; sizes.max().unwrap_or_default()];
    for tensor in file.tensors() {
        let TensorKind::Known(kind) = tensor.kind else {
            panic!("{} has an unknown type", tensor.name)
        };
        let own = file.bytes(tensor).expect("the data is there");
        let bytes = if word.is_some() { &zeros[..own.len()] } else { own };
        writer
            .tensor(tensor.name.clone(), &tensor.shape, kind, bytes)
            .expect("the tensor fits");
    }
    writer.write(&path).expect("the model can be written");
    let provider = LocalProvider::load(&path, &ProgressHub::new()).expect("the model loads");
    (folder, provider)
}

fn tools() -> Vec<ToolDefinition> {
    let weather = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of the city."},
            "days": {"type": ["integer", "null"]},
            "items": {},
        },
        "required": ["city"],
    });
    vec![
        ToolDefinition::new("get_weather", weather).with_description("Tells the weather."),
        ToolDefinition::new("now", json!({"type": "object", "properties": {}})),
    ]
}

fn params(tools: Vec<ToolDefinition>) -> CandleCompletionParams {
    CandleCompletionParams {
        max_tokens: Some(16),
        seed: Some(3),
        tools,
        ..Default::default()
    }
}

/// A chat in which tools were called, one turn twice at once.
fn chat() -> Vec<Message> {
    let weather = ToolCall::new(
        "call_0",
        "get_weather",
        r#"{"city":"Zürich","days":2,"items":["a",1.5]}"#,
    );
    vec![
        Message::system("Be brief."),
        Message::user("Weather?"),
        Message::assistant("").with_tool_calls([weather]),
        Message::tool_result("call_0", "sunny"),
        Message::assistant("It is sunny."),
        Message::user("And the time, twice?"),
        Message::assistant("I look.").with_tool_calls([
            ToolCall::new("call_1", "now", "{}"),
            ToolCall::new("call_2", "now", ""),
        ]),
        Message::tool_result("call_1", "noon"),
        Message::tool_result("call_2", "noon"),
    ]
}

const DECLARED: &str = "\
<|im_start|>system
Be brief.

# Tools

<tools>
<function>
<name>get_weather</name>
<description>Tells the weather.</description>
<parameters>
<parameter>
<name>city</name>
<type>string</type>
<description>Name of the city.</description>
</parameter>
<parameter>
<name>days</name>
<type>[\"integer\", \"null\"]</type>
</parameter>
<parameter>
<name>items</name>
</parameter>
</parameters>
</function>
<function>
<name>now</name>
<parameters>
</parameters>
</function>
</tools><|im_end|>
";

const CHAT: &str = "\
<|im_start|>user
Weather?<|im_end|>
<|im_start|>assistant
<tool_call>
<function=get_weather>
<parameter=city>
Zürich
</parameter>
<parameter=days>
2
</parameter>
<parameter=items>
[\"a\", 1.5]
</parameter>
</function>
</tool_call><|im_end|>
<|im_start|>user
<tool_response>
sunny
</tool_response>
<|im_end|>
<|im_start|>assistant
It is sunny.<|im_end|>
<|im_start|>user
And the time, twice?<|im_end|>
<|im_start|>assistant
I look.
<tool_call>
<function=now>
</function>
</tool_call>
<tool_call>
<function=now>
</function>
</tool_call><|im_end|>
<|im_start|>user
<tool_response>
noon
</tool_response>
<tool_response>
noon
</tool_response>
<|im_end|>
<|im_start|>assistant
";

#[test]
fn the_demo_template_declares_tools_and_shows_calls_and_results() {
    let (_folder, provider) = model(DEMO);
    assert_eq!(provider.output_format().ok(), Some(OutputFormat::Qwen3Coder));
    let text = provider.render_with_tools(&chat(), &tools());
    assert_eq!(text.expect("the template renders"), format!("{DECLARED}{CHAT}"));
}

#[test]
fn the_demo_template_declares_tools_without_a_system_message() {
    let (_folder, provider) = model(DEMO);
    let now = tools().split_off(1);
    let text = provider.render_with_tools(&[Message::user("Hi")], &now);
    assert_eq!(
        text.expect("the template renders"),
        "<|im_start|>system\n# Tools\n\n<tools>\n<function>\n<name>now</name>\n<parameters>\n</parameters>\n\
         </function>\n</tools><|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn the_demo_template_says_nothing_of_its_own_without_tools() {
    let (_folder, provider) = model(DEMO);
    for (messages, expected) in [
        (
            vec![Message::user("Hi")],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            vec![
                Message::system("Be kind."),
                Message::user("Hi"),
                Message::assistant(""),
            ],
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
             <|im_start|>assistant\n<|im_end|>\n<|im_start|>assistant\n",
        ),
    ] {
        let text = provider.render_with_tools(&messages, &[]);
        assert_eq!(text.expect("the template renders"), expected);
    }
}

#[test]
fn the_demo_template_refuses_what_it_cannot_show() {
    let template = ChatTemplate::parse(DEMO).expect("the template parses");
    for messages in [
        json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]),
        json!([{"role": "narrator", "content": "a"}]),
    ] {
        let mut variables = Variables::new();
        variables.insert("messages".to_owned(), messages);
        let refused = template.render(&variables);
        assert!(
            matches!(refused, Err(ProviderError::TemplateRefused { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn calls_are_read_where_tools_are_declared_and_every_token_is_kept() {
    let (_folder, provider) = written(DEMO, Some("<function=now></function>"));
    assert!(provider.capabilities().tools);
    let chat =
        CandlePrompt::chat([Message::assistant("").with_tool_calls([ToolCall::new("call_4", "now", "{}")])]);
    let mut params = params(tools().split_off(1));
    (params.max_tokens, params.temperature) = (Some(3), Some(0.0));
    let declared = provider.encode_with_tools(&chat, &params.tools);
    let declared = declared.expect("the prompt encodes").len();
    assert!(declared > provider.count_tokens(&chat).expect("the prompt can be counted"));
    let counted = provider.count_request(&chat, &params);
    assert_eq!(counted.expect("the request can be counted"), declared);
    for tools in [params.tools.clone(), vec![]] {
        let params = CandleCompletionParams {
            tools,
            ..params.clone()
        };
        let chunks: Vec<CandleCompletionChunk> = provider
            .prompt(chat.clone(), &params)
            .blocking_iter()
            .map(|chunk| chunk.expect("the model answers"))
            .collect();
        let tokens: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.tokens().to_vec()).collect();
        assert_eq!(tokens, [0, 0, 0]);
        let calls = chunks.iter().filter_map(CandleCompletionChunk::tool_call);
        let calls: Vec<(&str, &str)> = calls.map(|call| (call.id.as_str(), call.name.as_str())).collect();
        let text: String = chunks.iter().filter_map(CandleCompletionChunk::text).collect();
        if params.tools.is_empty() {
            assert_eq!((calls, text), (vec![], "<function=now></function>".repeat(3)));
            continue;
        }
        assert_eq!(calls, [("call_5", "now"), ("call_6", "now"), ("call_7", "now")]);
        assert_eq!(text, "");
        let Some(CandleCompletionChunk::Complete { usage, .. }) = chunks.last() else {
            panic!("{chunks:?}")
        };
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (declared, 3));
    }
}

/// What a model that only ever says `word` answers with this template, in so many tokens: calls, reasoning and text.
fn answered(
    template: &str,
    word: &str,
    tokens: u32,
    tools: Vec<ToolDefinition>,
) -> (Vec<ToolCall>, String, String) {
    let (_folder, provider) = written(template, Some(word));
    let mut params = params(tools);
    (params.max_tokens, params.temperature) = (Some(tokens), Some(0.0));
    let (mut calls, mut reasoning, mut text) = (Vec::new(), String::new(), String::new());
    for chunk in provider.prompt(CandlePrompt::from("Hi"), &params).blocking_iter() {
        match chunk.expect("the model answers") {
            CandleCompletionChunk::Text { text: piece, .. } => text += &piece,
            CandleCompletionChunk::Reasoning { text: piece, .. } => reasoning += &piece,
            CandleCompletionChunk::ToolCallComplete { call, .. } => calls.push(call),
            _ => {}
        }
    }
    (calls, reasoning, text)
}

#[test]
fn calls_are_read_as_the_template_writes_them() {
    let now = |id: &str| ToolCall::new(id, "now", "{}");
    for (template, word, calls) in [
        (
            "{{ tools | tojson }}<|tool_call_argument_begin|>",
            "<|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
            [now("functions.now:0"), now("functions.now:0")],
        ),
        (
            "{{ tools | tojson }}<tool_call>{'name': 'f', 'arguments': {}}",
            "<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>",
            [now("call_0"), now("call_1")],
        ),
    ] {
        let tools = tools().split_off(1);
        assert_eq!(
            answered(template, word, 2, tools),
            (calls.to_vec(), String::new(), String::new())
        );
    }
}

#[test]
fn reasoning_is_told_apart_where_the_template_knows_it() {
    let knows = "{# </think> #}{{ messages[0].content }}";
    let pair = |reasoning: &str, text: &str| (vec![], reasoning.to_owned(), text.to_owned());
    assert_eq!(
        answered(knows, "<think>so</think>yes", 1, vec![]),
        pair("so", "yes")
    );
    let opens = format!("{knows}<think>\n");
    assert_eq!(answered(&opens, "so</think>yes", 1, vec![]), pair("so", "yes"));
    assert_eq!(answered(&opens, "so", 2, vec![]), pair("soso", ""));
    let word = "<think>so</think>yes";
    assert_eq!(
        answered("{{ messages[0].content }}", word, 1, vec![]),
        pair("", word)
    );
}

#[test]
fn what_the_generator_would_refuse_is_refused_before_it_queues() {
    let (_folder, provider) = model(DEMO);
    for params in [
        CandleCompletionParams {
            constraint: Some(Constraint::Regex("(".to_owned())),
            ..params(vec![])
        },
        CandleCompletionParams {
            choices: Some(u32::MAX),
            ..params(vec![])
        },
    ] {
        let mut items = provider.prompt(CandlePrompt::from("Hi"), &params).blocking_iter();
        let error = items
            .next()
            .expect("there is an item")
            .expect_err("it is refused");
        assert!(!error.is_backend_failure());
    }
    let statistics = provider.engine().statistics();
    assert_eq!((statistics.rejected, statistics.failed), (2, 0));
}

/// The error that asking with tools gives, and its cause.
fn refusal(provider: &LocalProvider, prompt: CandlePrompt) -> (EngineError, String) {
    let mut items = provider.prompt(prompt, &params(tools())).blocking_iter();
    let error = items
        .next()
        .expect("there is an item")
        .expect_err("it is refused");
    assert!(items.next().is_none());
    let source = std::error::Error::source(&error).map(ToString::to_string);
    (error, source.unwrap_or_default())
}

#[test]
fn tools_are_refused_by_a_template_that_cannot_take_them() {
    for (template, reason) in [
        (
            "{{ messages[0].content }}",
            "does not declare tools, so the model takes none",
        ),
        (
            "{{ tools | tojson }}{{ messages[0].content }}",
            "writes calls of tools in no known format",
        ),
        ("{% if %}", "cannot be used"),
    ] {
        let (_folder, provider) = model(template);
        assert!(!provider.capabilities().tools);
        let (error, source) = refusal(&provider, CandlePrompt::from("Hi"));
        assert!(!error.is_backend_failure());
        assert!(source.ends_with(reason), "{source}");
        // A chat in which tools were called would lose the calls.
        let error = provider.count_tokens(&CandlePrompt::chat(chat()));
        let error = error.expect_err("it is refused");
        assert!(matches!(error, EngineError::ToolsUnsupported { .. }), "{error}");
        assert_eq!(provider.engine().statistics().rejected, 1);
    }
}

#[test]
fn tools_are_refused_with_a_raw_prompt() {
    let (_folder, provider) = model(DEMO);
    let (error, _) = refusal(&provider, CandlePrompt::raw("Hi"));
    assert!(
        matches!(error, EngineError::InvalidParameter { field: "tools", .. }),
        "{error}"
    );
}

/// What the demo template shows of an assistant's message, without its turn's own markers.
fn shown(content: &str, arguments: &[serde_json::Value]) -> String {
    let call = |arguments| json!({"function": {"name": "f", "arguments": arguments}});
    let calls: Vec<serde_json::Value> = arguments.iter().map(call).collect();
    let message = json!({"role": "assistant", "content": content, "tool_calls": calls});
    let mut variables = Variables::new();
    variables.insert("messages".to_owned(), json!([message]));
    let template = ChatTemplate::parse(DEMO).expect("the template parses");
    let text = template.render(&variables).expect("the template renders");
    let text = text.strip_prefix("<|im_start|>assistant\n");
    let text = text.and_then(|text| text.strip_suffix("<|im_end|>\n"));
    text.expect("the turn has its markers").to_owned()
}

proptest! {
    #[test]
    fn what_the_demo_template_shows_is_what_the_parser_reads(
        content in "([a-z<>é][a-z<>é \n]{0,20}[a-z<>é])?",
        calls in prop::collection::vec(("[a-z<>/\"=é \n]{0,20}", any::<i64>(), any::<bool>(), "[a-z\"]{0,5}"), 1..4),
    ) {
        let schema = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "number": {"type": "integer"},
                "truth": {"type": "boolean"},
                "list": {"type": "array"},
                "nothing": {"type": ["null", "integer"]},
            },
        });
        let arguments: Vec<serde_json::Value> = calls
            .into_iter()
            .map(|(text, number, truth, word)| {
                json!({"text": text, "number": number, "truth": truth, "list": [word, {"a": number}], "nothing": null})
            })
            .collect();
        let mut parser = OutputFormat::Qwen3Coder.parser(&[ToolDefinition::new("f", schema)], &[]);
        let mut events = Events::new();
        let chunk = CandleStringChunk { text: shown(&content, &arguments), ..CandleStringChunk::default() };
        parser.push(&chunk, &mut events);
        parser.finish(0, &mut events);
        let (mut said, mut read) = (String::new(), Vec::new());
        while let Some(event) = events.pop() {
            said.push_str(event.text().unwrap_or_default());
            if let Some(call) = event.tool_call() {
                read.push(serde_json::Value::Object(call.parse_arguments().expect("they are an object")));
            }
        }
        prop_assert_eq!(said, content);
        prop_assert_eq!(read, arguments);
    }
}
