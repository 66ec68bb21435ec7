//! The call shapes of the pipeline, from a provider down to the model, on a real (tiny, random) model file.
//!
//! The provider owns its engine and its generator; a prompt becomes a closure that generates.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use engine::{
    AsyncStream, BackendErrorKind, CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams,
    CandlePrompt, Capabilities, Engine, EngineConfig, EngineError, Request,
};
use generator::{Constraint, GenerateRequest, Limits, SamplingConfig, SpecialTokens, TextGenerator};
use models::synth::{self, Shape};
use models::{Device, GgufFile, ModelFactory, Tokenizer};

/// Bytes of running caches: enough for a context of one tiny sequence, not of many.
const CACHES: usize = 1 << 18;

struct KimiK2Provider {
    engine: Engine,
    text_generator: TextGenerator,
}

impl KimiK2Provider {
    fn new(seed: u64) -> Self {
        let directory = std::env::temp_dir().join(format!("engine-seed-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let gguf_path = directory.join("tiny.gguf");
        synth::write(Shape::TinyLlama, seed, &gguf_path).unwrap();
        let file = GgufFile::open(&gguf_path).unwrap();

        let device = Device::Cpu;
        let tokenizer = Tokenizer::from_gguf(&file).unwrap();
        let model = ModelFactory::create_quantized_llama(&file, &device, &mut |_| {}).unwrap();
        drop(file);
        std::fs::remove_dir_all(&directory).unwrap();

        let sampling_config = SamplingConfig::default();
        let limits = Limits {
            cache_bytes: Some(CACHES),
            ..Limits::default()
        };
        let text_generator =
            TextGenerator::with_limits(model, tokenizer, device, sampling_config, limits).unwrap();
        let engine = Engine::new(EngineConfig::named("kimi-k2")).unwrap();
        Self {
            engine,
            text_generator,
        }
    }
}

impl CandleCompletionModel for KimiK2Provider {
    fn prompt(
        &self,
        prompt: CandlePrompt,
        params: &CandleCompletionParams,
    ) -> AsyncStream<Result<CandleCompletionChunk, EngineError>> {
        let request = match Request::new(&prompt, params) {
            Ok(request) => request,
            Err(error) => return self.engine.refuse(error),
        };
        let text_generator = self.text_generator.clone();
        let special_tokens = SpecialTokens::of(text_generator.tokenizer());
        let params = params.clone();
        self.engine.coordinate_generation(request, move || {
            text_generator.generate(prompt.text(), params.max_tokens.unwrap_or(1000), special_tokens)
        })
    }

    fn name(&self) -> &str {
        "kimi-k2"
    }

    fn context_length(&self) -> usize {
        self.text_generator.capabilities().context
    }

    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError> {
        let tokenizer = self.text_generator.tokenizer();
        Ok(tokenizer.encode_prompt(&prompt.text()).unwrap().len())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::local(false)
    }
}

fn at_most(max_tokens: u32) -> CandleCompletionParams {
    CandleCompletionParams {
        max_tokens: Some(max_tokens),
        ..Default::default()
    }
}

#[test]
fn a_prompt_runs_through_provider_engine_and_generator() {
    let provider: Arc<dyn CandleCompletionModel> = Arc::new(KimiK2Provider::new(1));
    let candle_prompt = CandlePrompt::raw("once upon");
    let candle_params = at_most(12);
    let prompt_tokens = provider.count_tokens(&candle_prompt).unwrap();
    let stream = provider.prompt(candle_prompt, &candle_params);

    let chunks: Vec<CandleCompletionChunk> = stream.blocking_iter().map(Result::unwrap).collect();
    let [
        pieces @ ..,
        CandleCompletionChunk::Finish { .. },
        CandleCompletionChunk::Complete { usage, .. },
    ] = chunks.as_slice()
    else {
        panic!("{chunks:?}");
    };
    let tokens: usize = pieces.iter().map(|piece| piece.tokens().len()).sum();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens),
        (prompt_tokens, tokens)
    );
    assert!((1..=12).contains(&tokens));
}

#[test]
fn a_request_after_a_dropped_one_is_served() {
    let provider = KimiK2Provider::new(2);
    for _ in 0..5 {
        let stream = provider.prompt(CandlePrompt::raw("a"), &at_most(200));
        assert!(stream.blocking_iter().next().unwrap().is_ok());
    }
    let last = provider
        .prompt(CandlePrompt::raw("a"), &at_most(3))
        .blocking_iter()
        .last()
        .unwrap();
    assert!(
        matches!(last, Ok(CandleCompletionChunk::Complete { .. })),
        "{last:?}"
    );
    let statistics = provider.engine.statistics();
    assert_eq!(
        (statistics.cancelled, statistics.completed, statistics.in_flight),
        (5, 1, 0)
    );
}

#[test]
fn what_is_wrong_with_a_prompt_reaches_the_caller_by_name() {
    let provider = KimiK2Provider::new(3);
    let error = |prompt: CandlePrompt, params| {
        let mut items: Vec<_> = provider.prompt(prompt, &params).blocking_iter().collect();
        assert_eq!(items.len(), 1);
        items.remove(0).unwrap_err()
    };
    let refused = error(CandlePrompt::raw("a"), at_most(0));
    assert_eq!(refused.to_string(), "max_tokens is 0, expected at least 1");

    let long = CandlePrompt::raw("word ".repeat(1000));
    let (expected, context) = (provider.count_tokens(&long).unwrap(), provider.context_length());
    match error(long, at_most(1)) {
        EngineError::ContextOverflow {
            prompt_tokens,
            context: of,
        } => {
            assert_eq!((prompt_tokens, of), (expected, context));
        }
        other => panic!("{other}"),
    }
    let statistics = provider.engine.statistics();
    assert_eq!((statistics.rejected, statistics.failed), (2, 0));
}

#[test]
fn what_a_generator_refuses_is_the_callers_error() {
    let provider = KimiK2Provider::new(4);
    let raw = CandlePrompt::raw("a");
    let mut sampling = SamplingConfig::default();
    sampling.params.temperature = f32::NAN;
    let bad_sampling = GenerateRequest {
        sampling,
        ..GenerateRequest::new(raw.text())
    };
    let bad_token = GenerateRequest {
        prompt: vec![u32::MAX].into(),
        sampling: SamplingConfig::default(),
        ..bad_sampling.clone()
    };
    let bad_constraint = GenerateRequest {
        constraint: Some(Constraint::Regex("(".to_owned())),
        ..bad_token.clone()
    };
    let too_large = GenerateRequest {
        choices: 16,
        ..GenerateRequest::new(raw.text())
    };
    let mut sources = Vec::new();
    for refused in [bad_sampling, bad_token, bad_constraint, too_large] {
        let request = Request::new(&raw, &at_most(1)).unwrap();
        let text_generator = provider.text_generator.clone();
        let stream = provider
            .engine
            .coordinate_generation(request, move || text_generator.generate_with(refused));
        let error = stream.blocking_iter().last().unwrap().unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        sources.extend(source);
        assert!(
            matches!(
                error,
                EngineError::Backend {
                    kind: BackendErrorKind::Request,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(!error.is_backend_failure());
    }
    let told = ["sampling", "token 4294967295", "constraint", "caches of"];
    assert_eq!(sources.len(), told.len());
    for (source, told) in sources.iter().zip(told) {
        assert!(source.contains(told), "{source}");
    }
}
