//! The provider of plain models on disk, on files that the tests write.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};

use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, EngineError,
    Message,
};
use models::gguf::{GgufWriter, TensorKind, Value};
use models::synth::{self, Shape};
use models::{CacheType, GgufFile, LoadOptions, Special};
use providers::template::Variables;
use providers::{LocalProvider, ProgressEvent, ProgressHub, ProviderError};
use tempfile::TempDir;

fn written(shape: Shape) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("model.gguf");
    synth::write(shape, 11, &path).expect("the model can be written");
    (folder, path)
}

/// Gives the file at `path` these entries, in place of its own of the same keys or beside them.
fn change(path: &Path, entries: &[(&str, Value)]) {
    let copy = path.with_extension("copy");
    let file = GgufFile::open(path).expect("the model opens");
    let mut writer = GgufWriter::new();
    for (key, value) in file
        .metadata()
        .iter()
        .filter(|(key, _)| entries.iter().all(|(changed, _)| changed != key))
    {
        writer.metadata(key, value.clone());
    }
    for (key, value) in entries {
        writer.metadata(*key, value.clone());
    }
    for tensor in file.tensors() {
        let TensorKind::Known(kind) = tensor.kind else {
            panic!("{} has an unknown type", tensor.name)
        };
        let bytes = file.bytes(tensor).expect("the data is there");
        writer
            .tensor(tensor.name.clone(), &tensor.shape, kind, bytes)
            .expect("the tensor fits");
    }
    writer.write(&copy).expect("the copy can be written");
    std::fs::rename(&copy, path).expect("the copy can take the model's place");
}

fn load(path: &Path) -> LocalProvider {
    LocalProvider::load(path, &ProgressHub::new()).expect("the model loads")
}

fn params(max_tokens: u32) -> CandleCompletionParams {
    CandleCompletionParams {
        max_tokens: Some(max_tokens),
        seed: Some(9),
        ..Default::default()
    }
}

fn answer(provider: &LocalProvider, prompt: CandlePrompt) -> Vec<Result<CandleCompletionChunk, EngineError>> {
    provider.prompt(prompt, &params(8)).blocking_iter().collect()
}

#[test]
fn a_stream_ends_with_its_figures_and_only_then() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let provider = load(&path);
    let prompt = CandlePrompt::from("Hello");
    let counted = provider.count_tokens(&prompt).expect("the prompt can be counted");
    let chunks = answer(&provider, prompt);
    let tokens: usize = chunks.iter().flatten().map(|chunk| chunk.tokens().len()).sum();
    let completes = chunks
        .iter()
        .flatten()
        .filter(|c| matches!(c, CandleCompletionChunk::Complete { .. }))
        .count();
    assert_eq!(completes, 1);
    match chunks.last() {
        Some(Ok(CandleCompletionChunk::Complete { usage, seed, .. })) => {
            assert_eq!(usage.prompt_tokens, counted);
            assert_eq!(usage.completion_tokens, tokens);
            assert_eq!(*seed, Some(9));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(provider.engine().statistics().completed, 1);
}

#[test]
fn clones_share_one_model_and_one_engine() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let provider = load(&path);
    let other = provider.clone();
    drop(answer(&provider, CandlePrompt::from("Hello")));
    drop(answer(&other, CandlePrompt::from("Hello")));
    assert_eq!(provider.engine().statistics().completed, 2);
}

#[test]
fn a_chat_is_rendered_by_the_files_template_and_its_markers_become_tokens() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let provider = load(&path);
    let messages = [
        Message::system("Be brief."),
        Message::user("Hello"),
        Message::assistant("Hi"),
        Message::user("?"),
    ];
    let text = provider.render(&messages).expect("the template renders");
    assert_eq!(
        text,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n\
         <|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n"
    );
    let ids = provider
        .encode(&CandlePrompt::chat(messages))
        .expect("the prompt encodes");
    let tokenizer = provider.text_generator().tokenizer();
    let start = tokenizer.token_id("<|im_start|>").expect("the marker is a token");
    assert_eq!(ids.iter().filter(|id| **id == start).count(), 5);
    assert_eq!(
        ids,
        tokenizer.encode(&text, Special::Parse).expect("the text encodes")
    );
}

#[test]
fn a_start_token_stands_once_whether_the_template_writes_it_or_not() {
    let (_folder, path) = written(Shape::TinyLlama);
    let template = |text: &str| ("tokenizer.chat_template", Value::String(text.to_owned()));
    let mut encoded = Vec::new();
    for text in [
        "{{ bos_token }}{{ messages[0].content }}",
        "{{ messages[0].content }}",
    ] {
        change(
            &path,
            &[
                template(text),
                ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
            ],
        );
        let provider = load(&path);
        encoded.push(
            provider
                .encode(&CandlePrompt::from("abc"))
                .expect("the prompt encodes"),
        );
        let bos = provider.text_generator().tokenizer().bos();
        assert_eq!(encoded.last().and_then(|ids| ids.first()).copied(), bos, "{text}");
        assert_eq!(
            encoded
                .last()
                .map(|ids| ids.iter().filter(|id| Some(**id) == bos).count()),
            Some(1),
            "{text}"
        );
    }
}

#[test]
fn a_tokenizer_that_adds_no_start_token_gets_none() {
    let (_folder, path) = written(Shape::TinyLlama);
    change(&path, &[("tokenizer.ggml.add_bos_token", Value::Bool(false))]);
    let provider = load(&path);
    let bos = provider
        .text_generator()
        .tokenizer()
        .bos()
        .expect("the tokenizer has a start token");
    let ids = provider
        .encode(&CandlePrompt::raw("abc"))
        .expect("the prompt encodes");
    assert!(!ids.contains(&bos));
    let nothing = provider.encode(&CandlePrompt::raw(""));
    assert!(
        matches!(nothing, Err(ProviderError::NothingToContinue { .. })),
        "{nothing:?}"
    );
}

#[test]
fn templates_see_the_names_of_the_control_tokens() {
    let (_folder, path) = written(Shape::TinyLlama);
    let template = "{{ bos_token }}|{{ eos_token }}|{{ add_generation_prompt }}";
    change(
        &path,
        &[("tokenizer.chat_template", Value::String(template.to_owned()))],
    );
    let provider = load(&path);
    let tokenizer = provider.text_generator().tokenizer();
    let name = |id: Option<u32>| {
        tokenizer
            .token_text(id.expect("there is one"))
            .expect("it has a name")
            .to_owned()
    };
    let expected = format!("{}|{}|True", name(tokenizer.bos()), name(tokenizer.eos()));
    assert_eq!(
        provider
            .render(&[Message::user("x")])
            .expect("the template renders"),
        expected
    );
}

#[test]
fn a_refused_request_is_an_error_in_the_stream_and_costs_no_failure() {
    let (_folder, path) = written(Shape::TinyLlama);
    let provider = load(&path);
    let chunks = answer(&provider, CandlePrompt::from("Hello"));
    assert_eq!(chunks.len(), 1);
    let error = chunks
        .into_iter()
        .next()
        .and_then(Result::err)
        .expect("a chat needs a template");
    assert!(!error.is_backend_failure(), "{error:?}");
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<ProviderError>());
    assert!(
        matches!(source, Some(ProviderError::NoTemplate { .. })),
        "{error:?}"
    );
    assert_eq!(provider.engine().statistics().rejected, 1);
    assert!(!provider.capabilities().chat);
}

#[test]
fn a_prompt_that_fills_the_context_is_refused_before_the_model_works() {
    let (_folder, path) = written(Shape::TinyLlama);
    let provider = load(&path);
    let chunks = answer(&provider, CandlePrompt::raw("a b ".repeat(1000)));
    assert!(
        matches!(
            chunks[..],
            [Err(EngineError::ContextOverflow { context: 256, .. })]
        ),
        "{chunks:?}"
    );
    assert_eq!(provider.engine().statistics().rejected, 1);
}

#[test]
fn loading_is_told_from_beginning_to_end() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let hub = ProgressHub::new();
    let listener = hub.subscribe();
    drop(LocalProvider::load(&path, &hub).expect("the model loads"));
    drop(hub);
    let events: Vec<_> = std::iter::from_fn(|| listener.recv()).collect();
    assert!(
        matches!(events.first(), Some(ProgressEvent::Resolve { path: named }) if *named == path),
        "{events:?}"
    );
    assert!(
        matches!(events.get(1), Some(ProgressEvent::Map { .. })),
        "{events:?}"
    );
    assert!(
        matches!(events.get(2), Some(ProgressEvent::Load { done, total }) if done == total),
        "{events:?}"
    );
    assert!(
        matches!(events.get(3), Some(ProgressEvent::Ready { .. })),
        "{events:?}"
    );
    assert_eq!(events.len(), 4, "unread counts are one: {events:?}");
}

#[test]
fn a_failed_load_is_told_with_its_reason() {
    let hub = ProgressHub::new();
    let listener = hub.subscribe();
    let error = LocalProvider::load("/nowhere/model.gguf", &hub).expect_err("there is no such file");
    assert!(matches!(error, ProviderError::File(_)), "{error:?}");
    drop(hub);
    let last = std::iter::from_fn(|| listener.recv()).last();
    match last {
        Some(ProgressEvent::Failed { message }) => {
            assert!(
                message.contains("/nowhere/model.gguf") && message.contains("No such file"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_seed_gives_the_same_answer_from_a_fresh_load() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let tokens = || -> Vec<u32> {
        answer(&load(&path), CandlePrompt::raw("abc"))
            .iter()
            .flatten()
            .flat_map(|chunk| chunk.tokens().to_vec())
            .collect()
    };
    assert_eq!(tokens(), tokens());
}

/// The folder that a tiny model would be published as, and the file beside it.
fn published() -> (TempDir, PathBuf) {
    let (folder, path) = written(Shape::TinyQwen3);
    let file = GgufFile::open(&path).expect("the model opens");
    synth::publish(&file, folder.path()).expect("the folder can be written");
    (folder, path)
}

#[test]
fn a_published_folder_answers_as_its_gguf_file_does() {
    let (folder, path) = published();
    let tokens = |path: &Path| -> Vec<u32> {
        let chunks = answer(&load(path), CandlePrompt::from("Hello"));
        assert!(chunks.iter().all(Result::is_ok), "{chunks:?}");
        chunks
            .iter()
            .flatten()
            .flat_map(|chunk| chunk.tokens().to_vec())
            .collect()
    };
    let expected = tokens(&path);
    assert!(!expected.is_empty());
    assert_eq!(tokens(folder.path()), expected);
    assert_eq!(tokens(&folder.path().join("model.safetensors")), expected);
}

#[test]
fn a_model_without_a_name_has_that_of_its_file_or_folder() {
    let (folder, path) = published();
    let own = folder.path().file_name().expect("the folder has a name");
    assert_eq!(load(folder.path()).name(), own.to_string_lossy());
    change(&path, &[("general.name", Value::String(" ".to_owned()))]);
    assert_eq!(load(&path).name(), "model");
}

#[test]
fn a_folder_without_a_vocabulary_is_whole_but_cannot_be_run() {
    let (folder, _) = published();
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("it can be removed");
    let error = LocalProvider::load(folder.path(), &ProgressHub::new()).expect_err("there is no vocabulary");
    assert!(matches!(error, ProviderError::Load { .. }), "{error:?}");
    assert!(error.chain().contains("tokenizer.json"), "{}", error.chain());
}

#[test]
fn a_template_takes_further_variables() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let text = "{{ date_string }} {{ messages[0].content }}{{ add_generation_prompt }}";
    change(
        &path,
        &[("tokenizer.chat_template", Value::String(text.to_owned()))],
    );
    let provider = load(&path);
    let messages = [Message::user("x")];
    let mut further = Variables::new();
    assert_eq!(
        provider.render(&messages).expect("the template renders"),
        " xTrue"
    );
    further.insert("date_string".to_owned(), "26 Jul 2024".into());
    further.insert("add_generation_prompt".to_owned(), false.into());
    assert_eq!(
        provider
            .dialect()
            .render_with(&messages, &further)
            .expect("the template renders"),
        "26 Jul 2024 xFalse"
    );
}

#[test]
fn a_cache_of_half_precision_answers_too() {
    let (_folder, path) = written(Shape::TinyQwen3);
    let options = LoadOptions {
        cache: Some(CacheType::F16),
        ..LoadOptions::default()
    };
    let provider = LocalProvider::load_with(&path, options, &ProgressHub::new()).expect("the model loads");
    let chunks = answer(&provider, CandlePrompt::from("Hello"));
    assert!(
        matches!(chunks.last(), Some(Ok(CandleCompletionChunk::Complete { .. }))),
        "{chunks:?}"
    );
}
