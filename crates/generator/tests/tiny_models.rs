//! Generation with true architectures on tiny seeded files: what the scripted model cannot show, that
//! caches, batches and resumed sequences give what a lone run gives.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use generator::{
    CacheMiss, CandleStringChunk, FinishReason, GenerateError, GenerateRequest, GenerationEnd, Limits,
    SamplingConfig, SpecialTokens, TextGenerator,
};
use models::synth::{self, Shape};
use models::{
    Capabilities, Device, GgufFile, KvCache, Logits, Model, ModelError, ModelFactory, Rows, SequenceStep,
    Tokenizer,
};
use simd_sampling::SamplingParams;

const SHAPES: [Shape; 2] = [Shape::TinyLlama, Shape::TinyQwen3];

fn tiny(shape: Shape, limits: Limits) -> TextGenerator {
    let (model, tokenizer) = loaded(shape);
    generator(model, tokenizer, limits)
}

fn generator(model: Box<dyn Model>, tokenizer: Tokenizer, limits: Limits) -> TextGenerator {
    let sampling = SamplingConfig {
        params: SamplingParams::greedy(),
        seed: None,
    };
    TextGenerator::with_limits(model, tokenizer, Device::Cpu, sampling, limits).unwrap()
}

fn loaded(shape: Shape) -> (Box<dyn Model>, Tokenizer) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("generator-tiny-{}-{number}.gguf", std::process::id());
    let path = std::env::temp_dir().join(name);
    synth::write(shape, 11, &path).unwrap();
    let file = GgufFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let model = ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ()).unwrap();
    (model, Tokenizer::from_gguf(&file).unwrap())
}

fn requests(vocab: usize) -> Vec<GenerateRequest> {
    (0..9u32)
        .map(|index| {
            let prompt: Vec<u32> = (0..1 + index * 17)
                .map(|at| (index * 31 + at * at * 7 + at) % vocab as u32)
                .collect();
            let mut params = SamplingParams::greedy();
            params.temperature = [0.0, 0.7, 1.5][index as usize % 3];
            GenerateRequest {
                max_tokens: Some(10 + index * 7),
                sampling: SamplingConfig {
                    params,
                    seed: Some(u64::from(index)),
                },
                ..GenerateRequest::new(prompt)
            }
        })
        .collect()
}

fn read(stream: impl Iterator<Item = CandleStringChunk>) -> (Vec<u32>, String, GenerationEnd) {
    let (mut tokens, mut text, mut end) = (Vec::new(), String::new(), None);
    for chunk in stream {
        tokens.extend(chunk.tokens);
        text.push_str(&chunk.text);
        end = end.or(chunk.end);
    }
    (tokens, text, end.unwrap())
}

#[test]
fn in_company_every_request_gets_what_it_gets_alone() {
    for shape in SHAPES {
        let generator = tiny(shape, Limits::default());
        let requests = requests(generator.capabilities().vocab);
        let alone: Vec<_> = requests
            .iter()
            .map(|request| {
                read(
                    generator
                        .generate_with(request.clone())
                        .blocking_iter()
                        .map(Result::unwrap),
                )
            })
            .collect();
        // Few slots and tiny channels: sequences are set aside all the time, and run again or found as they were kept.
        for prefix_bytes in [0, 1 << 15, 1 << 30] {
            let limits = Limits {
                running: 3,
                prefill_chunk: 5,
                unread: 2,
                waiting: 20,
                cache_bytes: None,
                prefix_bytes,
            };
            let generator = tiny(shape, limits);
            let streams = requests
                .iter()
                .map(|request| generator.generate_with(request.clone()));
            let readers: Vec<_> = streams
                .map(|stream| {
                    std::thread::spawn(|| {
                        read(stream.blocking_iter().map(|chunk| {
                            std::thread::sleep(std::time::Duration::from_micros(300));
                            chunk.unwrap()
                        }))
                    })
                })
                .collect();
            for (reader, (tokens, text, end)) in readers.into_iter().zip(&alone) {
                let together = reader.join().unwrap();
                assert_eq!(together.0, *tokens, "{shape:?}");
                assert_eq!(together.1, *text);
                assert_eq!(together.2.usage.total_tokens(), end.usage.total_tokens());
            }
        }
    }
}

#[test]
fn streamed_text_is_the_text_of_the_bytes_of_all_tokens() {
    for shape in SHAPES {
        let generator = tiny(shape, Limits::default());
        let tokenizer = generator.tokenizer().clone();
        for seed in 0..20 {
            let mut params = SamplingParams::greedy();
            params.temperature = 2.0;
            let request = GenerateRequest {
                max_tokens: Some(100),
                special: SpecialTokens::of(&tokenizer),
                sampling: SamplingConfig {
                    params,
                    seed: Some(seed),
                },
                ..GenerateRequest::new("a")
            };
            let stream = generator.generate_with(request);
            let (mut tokens, text, end) = read(stream.blocking_iter().map(Result::unwrap));
            if end.finish == FinishReason::Stop {
                tokens.pop();
            }
            let bytes: Vec<u8> = tokens
                .iter()
                .flat_map(|&token| tokenizer.token_bytes(token).unwrap().to_vec())
                .collect();
            assert_eq!(text, String::from_utf8_lossy(&bytes), "{shape:?}, seed {seed}");
        }
    }
}

#[test]
fn an_absent_maximum_runs_to_the_end_of_the_context() {
    for shape in SHAPES {
        let generator = tiny(shape, Limits::default());
        let request = GenerateRequest {
            sampling: generator.sampling().clone(),
            ..GenerateRequest::new(vec![5; 6])
        };
        let stream = generator.generate_with(request);
        let (tokens, _, end) = read(stream.blocking_iter().map(Result::unwrap));
        assert_eq!(tokens.len(), synth::CONTEXT as usize - 6);
        assert_eq!(end.finish, FinishReason::Length);
    }
}

/// Prompt and what an answer to it ran, as the beginning of the next prompt.
fn next_turn(prompt: &[u32], answer: &[u32], more: &[u32]) -> Vec<u32> {
    [prompt, answer, more].concat()
}

#[test]
fn a_second_turn_runs_only_what_is_new_and_says_the_same() {
    for shape in SHAPES {
        let (keeping, fresh) = (
            tiny(shape, Limits::default()),
            tiny(
                shape,
                Limits {
                    prefix_bytes: 0,
                    ..Limits::default()
                },
            ),
        );
        let ask = |generator: &TextGenerator, prompt: &[u32]| {
            let request = GenerateRequest {
                max_tokens: Some(9),
                sampling: SamplingConfig {
                    params: SamplingParams::greedy(),
                    seed: Some(1),
                },
                ..GenerateRequest::new(prompt)
            };
            let stream = generator.generate_with(request);
            let (tokens, _, end) = read(stream.blocking_iter().map(Result::unwrap));
            (tokens, end)
        };
        let first: Vec<u32> = (0..70).map(|at| at * 13 % 64).collect();
        let (answer, end) = ask(&keeping, &first);
        assert_eq!(
            (end.usage.cached_tokens, end.cache_miss),
            (0, Some(CacheMiss::Empty)),
            "{shape:?}"
        );
        let second = next_turn(&first, &answer, &[3, 1, 4, 1, 5]);
        let (again, end) = ask(&keeping, &second);
        // The last token of the answer was drawn and never run.
        let run = first.len() + answer.len() - 1;
        assert_eq!(
            (end.usage.cached_tokens, end.cache_miss),
            (run, Some(CacheMiss::Differs)),
            "{shape:?}"
        );
        assert_eq!(again, ask(&fresh, &second).0, "{shape:?}");
        let (same, end) = ask(&keeping, &second);
        assert_eq!(
            (same, end.usage.cached_tokens, end.cache_miss),
            (again, second.len() - 1, None),
            "{shape:?}"
        );
        let (_, end) = ask(&fresh, &second);
        assert_eq!(
            (end.usage.cached_tokens, end.cache_miss),
            (0, Some(CacheMiss::Off)),
            "{shape:?}"
        );
    }
}

#[test]
fn a_budget_of_caches_is_kept() {
    let shape = SHAPES[0];
    let one = tiny(shape, Limits::default());
    let ask = |generator: &TextGenerator, first: u32| {
        let request = GenerateRequest {
            max_tokens: Some(2),
            ..GenerateRequest::new((0..65).map(|at| (first + at) % 64).collect::<Vec<u32>>())
        };
        let (_, _, end) = read(
            generator
                .generate_with(request)
                .blocking_iter()
                .map(Result::unwrap),
        );
        end.usage.cached_tokens
    };
    assert_eq!((ask(&one, 1), ask(&one, 1)), (0, 64));
    // Not one block fits.
    let none = tiny(
        shape,
        Limits {
            prefix_bytes: 1,
            ..Limits::default()
        },
    );
    assert_eq!((ask(&none, 1), ask(&none, 1)), (0, 0));
}

/// A model that notes the most bytes that the caches of a step had.
struct Weighed {
    model: Box<dyn Model>,
    most: Arc<AtomicUsize>,
}

impl Model for Weighed {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut Logits,
    ) -> Result<(), ModelError> {
        self.model.forward(batch, rows, out)?;
        let bytes = batch.iter().map(|step| step.cache.bytes()).sum();
        self.most.fetch_max(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn new_cache(&self) -> KvCache {
        self.model.new_cache()
    }

    fn capabilities(&self) -> &Capabilities {
        self.model.capabilities()
    }
}

#[test]
fn caches_of_running_sequences_stay_within_their_bytes_and_everybody_is_served() {
    let shape = SHAPES[1];
    let one = tiny(shape, Limits::default());
    let requests = requests(one.capabilities().vocab);
    let alone: Vec<_> = requests
        .iter()
        .map(|request| {
            read(
                one.generate_with(request.clone())
                    .blocking_iter()
                    .map(Result::unwrap),
            )
        })
        .collect();
    let longest = requests
        .iter()
        .zip(0..)
        .map(|(request, index)| 17 * index + request.max_tokens.unwrap() as usize)
        .max()
        .unwrap();
    for sequences in [1, 2, 100] {
        let (model, tokenizer) = loaded(shape);
        let cache_bytes = sequences * model.new_cache().bytes_for(longest);
        let most = Arc::default();
        let model = Box::new(Weighed {
            model,
            most: Arc::clone(&most),
        });
        let limits = Limits {
            cache_bytes: Some(cache_bytes),
            unread: 3,
            ..Limits::default()
        };
        let generator = generator(model, tokenizer, limits);
        let streams: Vec<_> = requests
            .iter()
            .map(|request| generator.generate_with(request.clone()))
            .collect();
        // Read one after the other: those that are not read yet fill their channels and have to give way.
        for (stream, (tokens, text, _)) in streams.into_iter().zip(&alone) {
            let (found, shown, _) = read(stream.blocking_iter().map(Result::unwrap));
            assert_eq!((&found, &shown), (tokens, text));
        }
        let most = most.load(Ordering::Relaxed);
        assert!(most > 0 && most <= cache_bytes, "{most} of {cache_bytes}");
    }
}

#[test]
fn a_cache_that_could_never_fit_is_refused_with_its_size() {
    let shape = SHAPES[0];
    let block = loaded(shape).0.new_cache().bytes_for(1);
    let limits = Limits {
        cache_bytes: Some(block),
        ..Limits::default()
    };
    let generator = tiny(shape, limits);
    let ask = |max_tokens| {
        let request = GenerateRequest {
            max_tokens: Some(max_tokens),
            ..GenerateRequest::new(vec![1; 60])
        };
        generator.generate_with(request).blocking_iter().next().unwrap()
    };
    assert!(ask(5).is_ok(), "64 positions are one block");
    let Err(GenerateError::CacheTooLarge {
        positions,
        needed,
        most,
    }) = ask(6)
    else {
        panic!("65 positions need two blocks");
    };
    assert_eq!((positions, needed, most), (65, 2 * block, block));
}

#[test]
fn guessed_tokens_and_further_choices_are_those_of_plain_requests() {
    for shape in SHAPES {
        let generator = tiny(shape, Limits::default());
        let plain = |request: &GenerateRequest| {
            let stream = generator.generate_with(request.clone());
            read(stream.blocking_iter().map(Result::unwrap))
        };
        let mut accepted = 0;
        for request in requests(generator.capabilities().vocab) {
            let (tokens, text, _) = plain(&request);
            let drafting = GenerateRequest {
                draft: 12,
                ..request.clone()
            };
            let (guessed, same, end) = plain(&drafting);
            assert_eq!((guessed, same), (tokens, text), "{shape:?}");
            accepted += end.drafts.accepted;

            let several = GenerateRequest {
                choices: 3,
                ..drafting
            };
            let mut choices = vec![Vec::new(); 3];
            for chunk in generator.generate_with(several.clone()).blocking_iter() {
                let chunk = chunk.unwrap();
                choices[chunk.choice as usize].extend(chunk.tokens);
            }
            for (seed, choice) in (several.sampling.seed.unwrap()..).zip(choices) {
                let mut alone = request.clone();
                alone.sampling.seed = Some(seed);
                assert_eq!(choice, plain(&alone).0, "{shape:?}");
            }
        }
        assert!(accepted > 0, "{shape:?}");
    }
}
