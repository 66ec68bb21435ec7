//! Families: what they add to a model's files, and calls that are forced through their providers.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::PathBuf;

use engine::{
    CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt, EngineError,
    FinishReason, Message, ToolCall, ToolChoice, ToolDefinition,
};
use models::gguf::{GgufWriter, TensorKind};
use models::synth::{self, Shape};
use models::{Checkpoint, GgufFile, LoadOptions};
use providers::{
    Dialect, FAMILIES, KimiK2Provider, LlamaProvider, OutputFormat, ProgressHub, ProviderError,
    Qwen3CoderProvider, Qwen3Provider,
};
use serde_json::json;
use tempfile::TempDir;

/// A small model without a chat template, and with room for the declarations of tools.
fn written(shape: Shape) -> (TempDir, PathBuf) {
    written_with(shape, |_| {})
}

/// The same, with more in its metadata.
fn written_with(shape: Shape, more: impl FnOnce(&mut GgufWriter<'_>)) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (source, path) = (
        folder.path().join("source.gguf"),
        folder.path().join("model.gguf"),
    );
    synth::write(shape, 5, &source).expect("the model can be written");
    let file = GgufFile::open(&source).expect("the model opens");
    let mut writer = GgufWriter::new();
    for (key, value) in file.metadata().iter() {
        if key.ends_with(".context_length") {
            writer.metadata(key, 2048u32);
        } else if key != "tokenizer.chat_template" {
            writer.metadata(key, value.clone());
        }
    }
    more(&mut writer);
    for tensor in file.tensors() {
        let TensorKind::Known(kind) = tensor.kind else {
            panic!("{} has an unknown type", tensor.name)
        };
        let bytes = file.bytes(tensor).expect("the data is there");
        writer
            .tensor(tensor.name.clone(), &tensor.shape, kind, bytes)
            .expect("the tensor fits");
    }
    writer.write(&path).expect("the model can be written");
    (folder, path)
}

fn tools() -> Vec<ToolDefinition> {
    vec![ToolDefinition::new(
        "set_light",
        json!({
            "type": "object",
            "properties": {"room": {"type": "string", "enum": ["hall", "attic"]}, "on": {"type": "boolean"}},
            "required": ["room", "on"],
            "additionalProperties": false,
        }),
    )]
}

/// The calls of an answer, its text, and how it ended.
fn answer(
    provider: &dyn CandleCompletionModel,
    prompt: CandlePrompt,
    params: &CandleCompletionParams,
) -> (Vec<ToolCall>, String, Option<FinishReason>) {
    let (mut calls, mut text, mut end) = (Vec::new(), String::new(), None);
    for chunk in provider.prompt(prompt, params).blocking_iter() {
        match chunk.expect("the answer goes on") {
            CandleCompletionChunk::ToolCallComplete { call, .. } => calls.push(call),
            CandleCompletionChunk::Text { text: piece, .. } => text += &piece,
            CandleCompletionChunk::Finish { finish, .. } => end = Some(finish),
            _ => {}
        }
    }
    (calls, text, end)
}

fn forced(choice: ToolChoice) -> CandleCompletionParams {
    CandleCompletionParams {
        tools: tools(),
        tool_choice: choice,
        seed: Some(3),
        max_tokens: Some(300),
        ..CandleCompletionParams::default()
    }
}

#[test]
fn a_forced_call_is_made_by_random_weights_of_every_family() {
    let hub = ProgressHub::new();
    let options = LoadOptions::default();
    let (_folder, qwen) = written(Shape::TinyQwen3);
    let (_folder, llama) = written(Shape::TinyLlama);
    let (_folder, kimi) = written(Shape::TinyDeepseek);
    let providers: [(Box<dyn CandleCompletionModel>, &str); 4] = [
        (
            Box::new(Qwen3Provider::load(&qwen, options, &hub).expect("it loads")),
            "call_0",
        ),
        (
            Box::new(Qwen3CoderProvider::load(&qwen, options, &hub).expect("it loads")),
            "call_0",
        ),
        (
            Box::new(LlamaProvider::load(&llama, options, &hub).expect("it loads")),
            "call_0",
        ),
        (
            Box::new(KimiK2Provider::load(&kimi, options, &hub).expect("it loads")),
            "functions.set_light:0",
        ),
    ];
    for (provider, id) in &providers {
        assert!(provider.capabilities().tools, "{}", provider.name());
        for choice in [ToolChoice::Required, ToolChoice::Named("set_light".to_owned())] {
            let (calls, text, end) = answer(&**provider, CandlePrompt::from("Hi"), &forced(choice));
            assert_eq!(text, "", "{}", provider.name());
            assert_eq!(end, Some(FinishReason::ToolCalls));
            let [call] = calls.as_slice() else {
                panic!("{}: {calls:?}", provider.name())
            };
            assert_eq!((call.name.as_str(), call.id.as_str()), ("set_light", *id));
            assert_eq!(call.parse_arguments().expect("valid arguments").len(), 2);
        }
    }
}

#[test]
fn texts_become_vectors_of_length_one_alone_or_in_company() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let provider = Qwen3Provider::load(&path, LoadOptions::default(), &ProgressHub::new()).expect("it loads");
    assert!(provider.capabilities().embeddings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let embed = |texts: &[&str]| {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        runtime.block_on(provider.embed(texts))
    };
    let long = "one two three ".repeat(100);
    let together = embed(&["a tree", &long, "a tree"]).expect("vectors");
    assert_eq!(together.vectors[0], together.vectors[2]);
    assert_ne!(together.vectors[0], together.vectors[1]);
    let mut tokens = 0;
    for (text, vector) in ["a tree", &long, "a tree"].iter().zip(&together.vectors) {
        let alone = embed(&[text]).expect("a vector");
        tokens += alone.prompt_tokens;
        assert_eq!(alone.vectors.first(), Some(vector));
        let length: f64 = vector.iter().map(|entry| f64::from(*entry).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    assert_eq!(together.prompt_tokens, tokens);
    assert!(matches!(embed(&["a", ""]), Err(EngineError::EmptyPrompt)));
    let endless = "one ".repeat(5000);
    assert!(matches!(
        embed(&[&endless]),
        Err(EngineError::ContextOverflow { .. })
    ));
    assert_eq!(embed(&[]).expect("nothing"), Default::default());
    // A request that nobody waits for leaves the model to others.
    drop(provider.embed(vec![long.clone(); 50]));
    assert_eq!(
        embed(&["a tree"]).expect("a vector").vectors[0],
        together.vectors[0]
    );
}

#[test]
fn a_file_says_how_its_texts_become_vectors() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let vector = |more: &dyn Fn(&mut GgufWriter<'_>)| {
        let (_folder, path) = written_with(Shape::TinyQwen3, more);
        let provider =
            Qwen3Provider::load(&path, LoadOptions::default(), &ProgressHub::new()).expect("it loads");
        let told = runtime.block_on(provider.embed(vec!["a tree".to_owned()]));
        assert_eq!(told.is_ok(), provider.capabilities().embeddings);
        told
    };
    let pooled = |kind: u32| {
        vector(&move |file| {
            file.metadata("qwen3.pooling_type", kind);
        })
    };
    let usual = vector(&|_| {}).expect("a vector");
    assert_eq!(pooled(1).expect("a vector"), usual);
    let (first, last) = (pooled(2).expect("a vector"), pooled(3).expect("a vector"));
    assert!(first != usual && last != usual && first != last);
    assert!(matches!(
        pooled(4),
        Err(EngineError::EmbeddingsUnsupported { .. })
    ));
    let ended = vector(&|file| {
        file.metadata("qwen3.pooling_type", 3u32)
            .metadata("tokenizer.ggml.add_eos_token", true);
    })
    .expect("a vector");
    assert_eq!(ended.prompt_tokens, last.prompt_tokens + 1);
    assert_ne!(ended.vectors, last.vectors);
}

#[test]
fn a_model_of_another_family_is_refused_with_both_names() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let error =
        KimiK2Provider::load(&path, LoadOptions::default(), &ProgressHub::new()).expect_err("it is no Kimi");
    assert!(
        matches!(&error, ProviderError::OtherFamily { family: "kimi-k2", found, .. } if found == "qwen3"),
        "{error}"
    );
}

#[test]
fn every_family_has_a_template_that_writes_what_its_parser_reads() {
    let call = |id: &str| ToolCall::new(id, "set_light", "{\"room\": \"hall\", \"on\": true}");
    for family in FAMILIES {
        let template =
            providers::ChatTemplate::parse(family.template.expect("it has one")).expect("it parses");
        assert_eq!(
            OutputFormat::of_template(template.source()),
            family.format,
            "{}",
            family.name
        );
        let shape = match family.name {
            "llama" => Shape::TinyLlama,
            "kimi-k2" => Shape::TinyDeepseek,
            _ => Shape::TinyQwen3,
        };
        let (_folder, path) = written(shape);
        let checkpoint = Checkpoint::open(&path).expect("it opens");
        let dialect = Dialect::of(&checkpoint, family).expect("it has a tokenizer");
        let messages = [
            Message::system("Be brief."),
            Message::user("Light!"),
            Message::assistant("So.").with_tool_calls([call("functions.set_light:0")]),
            Message::tool_result("functions.set_light:0", "done"),
        ];
        let variables = serde_json::from_value(json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Light!"},
                {"role": "assistant", "content": "So.", "tool_calls": [{"id": "functions.set_light:0", "type": "function",
                    "function": {"name": "set_light", "arguments": {"room": "hall", "on": true}}}]},
                {"role": "tool", "content": "done", "tool_call_id": "functions.set_light:0"},
            ],
            "tools": tools(),
            "add_generation_prompt": true,
            "bos_token": "",
        }));
        let text = template
            .render(&variables.expect("an object"))
            .expect("it renders");
        for said in ["Be brief.", "Light!", "So.", "done", "set_light"] {
            assert!(text.contains(said), "{}: {said} in {text}", family.name);
        }
        assert!(dialect.template().is_ok());
        // What the template writes of the call, the parser reads.
        let written = text.split("So.").nth(1).expect("the answer stands there");
        let written = written.split("<|im_end|>").next().unwrap_or_default();
        let written = written.split("<|eot_id|>").next().unwrap_or_default();
        let format = family.format.expect("it has one");
        let mut parser = format.parser(&tools(), &messages[..2]);
        let mut events = engine::Events::new();
        let chunk = engine::CandleStringChunk {
            text: written.to_owned(),
            ..Default::default()
        };
        parser.push(&chunk, &mut events);
        parser.finish(0, &mut events);
        let mut calls = Vec::new();
        while let Some(event) = events.pop() {
            calls.extend(event.tool_call().cloned());
        }
        let [read] = calls.as_slice() else {
            panic!("{}: {calls:?} of {written:?}", family.name)
        };
        assert_eq!(read.name, "set_light");
        assert_eq!(
            read.parse_arguments().ok(),
            call("").parse_arguments().ok(),
            "{}",
            family.name
        );
    }
}

#[cfg(feature = "demo")]
mod demo {
    use super::*;

    fn provider() -> Qwen3CoderProvider {
        let checkpoint = providers::demo::checkpoint().expect("it is built in");
        Qwen3CoderProvider::of_checkpoint(checkpoint, LoadOptions::default(), &ProgressHub::new())
            .expect("it loads")
    }

    fn calculator() -> ToolDefinition {
        let expression = json!({"type": "string"});
        ToolDefinition::new(
            "calculator",
            json!({"type": "object", "properties": {"expression": expression}, "required": ["expression"]}),
        )
        .with_description("Computes an arithmetic expression.")
    }

    fn params(tool: ToolDefinition, choice: ToolChoice) -> CandleCompletionParams {
        CandleCompletionParams {
            tools: vec![tool],
            tool_choice: choice,
            temperature: Some(0.0),
            ..CandleCompletionParams::default()
        }
    }

    #[test]
    fn the_demo_model_calls_a_tool_and_reports_its_result() {
        let provider = provider();
        let mut messages = vec![Message::user("What is 12 + 30?")];
        let params = params(calculator(), ToolChoice::Auto);
        let (calls, _, end) = answer(&provider, CandlePrompt::chat(messages.clone()), &params);
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        assert_eq!(
            (call.name.as_str(), end),
            ("calculator", Some(FinishReason::ToolCalls))
        );
        let arguments = call.parse_arguments().expect("valid arguments");
        assert!(
            arguments["expression"]
                .as_str()
                .is_some_and(|text| text.contains("12"))
        );
        messages.push(Message::assistant("").with_tool_calls(calls.clone()));
        messages.push(Message::tool_result(call.id.clone(), "42"));
        let (calls, text, _) = answer(&provider, CandlePrompt::chat(messages), &params);
        assert!(calls.is_empty() && text.contains("42"), "{text}");
    }

    #[test]
    fn it_is_told_of_no_tool_where_it_may_call_none() {
        let provider = provider();
        let asked = || CandlePrompt::from("What is 12 + 30?");
        let none = params(calculator(), ToolChoice::None);
        let (calls, text, _) = answer(&provider, asked(), &none);
        assert!(calls.is_empty() && !text.is_empty());
        let free = CandleCompletionParams {
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            ..none
        };
        assert_eq!(answer(&provider, asked(), &free).1, text);
    }

    #[test]
    fn a_call_is_forced_where_it_would_talk() {
        let provider = provider();
        let forced = params(calculator(), ToolChoice::Required);
        let (calls, text, end) = answer(&provider, CandlePrompt::from("Hello!"), &forced);
        assert_eq!(
            (calls.len(), text.as_str(), end),
            (1, "", Some(FinishReason::ToolCalls))
        );
        let strict = params(calculator().with_strict(true), ToolChoice::Auto);
        let free = params(calculator(), ToolChoice::Auto);
        for asked in ["Hello!", "What is 12 + 30?"] {
            let held = answer(&provider, CandlePrompt::from(asked), &strict);
            assert_eq!(
                held,
                answer(&provider, CandlePrompt::from(asked), &free),
                "{asked}"
            );
        }
    }
}

#[test]
fn an_answer_that_is_begun_stands_behind_thoughts_that_are_closed() {
    let rendered = |thinks: bool| {
        let opened = if thinks { "<think>\n" } else { "" };
        let template = format!(
            "{{% for m in messages %}}[{{{{ m.role }}}}]{{{{ m.content }}}}{{% endfor %}}\
             {{% if add_generation_prompt %}}[assistant]{opened}{{% endif %}}{{# </think> #}}"
        );
        let (_folder, path) = written_with(Shape::TinyQwen3, |writer| {
            writer.metadata("tokenizer.chat_template", template.as_str());
        });
        let checkpoint = Checkpoint::open(&path).expect("the model opens");
        let dialect = Dialect::of(&checkpoint, &providers::family::PLAIN).expect("it has a dialect");
        let mut params = CandleCompletionParams::default();
        let further = &mut params.template_variables;
        further.insert(providers::dialect::CONTINUE.to_owned(), true.into());
        let said = [Message::user("Hi"), Message::assistant("I am")];
        let begun = dialect.render_for(&said, &params).expect("the template renders");
        // There is nothing to go on in where the user spoke last, or a call waits for its result.
        let calling = [
            Message::user("Hi"),
            Message::assistant("").with_tool_calls([ToolCall::new("a", "b", "{}")]),
        ];
        for said in [&said[..1], &calling] {
            let refused = dialect.render_for(said, &params);
            assert!(
                matches!(refused, Err(ProviderError::UnreadVariable { .. })),
                "{refused:?}"
            );
        }
        begun
    };
    assert_eq!(rendered(false), "[user]Hi[assistant]I am");
    assert_eq!(rendered(true), "[user]Hi[assistant]<think>\n\n</think>\n\nI am");
}
