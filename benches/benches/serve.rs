//! What serving saves and what it costs: prefixes that are not run again, requests that share their steps, guesses that
//! share a pass, and the time that a token spends between the model and its reader.
//!
//! `--model FILE` is the model whose forward passes are timed; `--out FILE` takes the figures as JSON; `--quick` measures
//! once, with shorter texts. What is compared takes turns.
#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on the terminal and stops at a fault"
)]

mod edit;
mod forced;
mod recital;
mod synthetic;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use engine::{CandleCompletionParams, CandlePrompt, Engine, EngineConfig, Request};
use forced::{Forced, Script};
use generator::{
    Constraint, ConstraintCompiler, GenerateRequest, GenerationEnd, Limits, SamplingConfig, SpecialTokens,
    TextGenerator,
};
use models::synth::Shape;
use models::{CacheType, Checkpoint, Compute, Device, LoadOptions, ModelFactory, Tokenizer};
use serde::Serialize;
use simd_sampling::{SamplerChain, SamplingParams};

/// How much is measured.
#[derive(Clone, Copy)]
struct Sizes {
    /// Turns of every measurement.
    turns: u32,
    /// Tokens of the first turn of a chat.
    history: u32,
    /// Tokens of each prompt, and of each answer, where there are several at once.
    request: u32,
    /// Tokens of the edit that are decoded.
    edit: usize,
    /// Documents that follow a schema.
    documents: u32,
}

const WHOLE: Sizes = Sizes {
    turns: 3,
    history: 2000,
    request: 128,
    edit: usize::MAX,
    documents: 50,
};
const QUICK: Sizes = Sizes {
    turns: 1,
    history: 500,
    request: 32,
    edit: 80,
    documents: 5,
};

/// Tokens of an answer that only the layers above the model work on.
const LONG: usize = 10_000;

/// Something that was measured.
#[derive(Serialize)]
struct Figure {
    name: &'static str,
    unit: &'static str,
    samples: Vec<f64>,
    /// What it should be at least.
    at_least: Option<f64>,
    /// What it should be at most.
    at_most: Option<f64>,
}

fn figure(name: &'static str, unit: &'static str, samples: Vec<f64>) -> Figure {
    Figure {
        name,
        unit,
        samples,
        at_least: None,
        at_most: None,
    }
}

/// A generator over a real model, and what it is made to say.
struct Server {
    generator: TextGenerator,
    script: Script,
    vocab: u32,
    sizes: Sizes,
}

impl Server {
    fn load(path: &PathBuf, sizes: Sizes) -> Self {
        let checkpoint = Checkpoint::open(path).unwrap();
        let tokenizer = checkpoint.tokenizer().unwrap();
        let options = LoadOptions {
            compute: Compute::Fast,
            cache: Some(CacheType::F16),
            ..LoadOptions::default()
        };
        let model = ModelFactory::load(&checkpoint, options, &mut |_| ()).unwrap();
        let vocab = model.capabilities().vocab as u32;
        let script = Script::default();
        let forced = Forced {
            model,
            script: Arc::clone(&script),
        };
        let limits = Limits {
            unread: LONG,
            ..Limits::default()
        };
        let sampling = SamplingConfig::default();
        let generator =
            TextGenerator::with_limits(Box::new(forced), tokenizer, Device::Cpu, sampling, limits).unwrap();
        Self {
            generator,
            script,
            vocab,
            sizes,
        }
    }

    fn ask(&self, prompt: Vec<u32>, max_tokens: usize, draft: usize) -> (Vec<u32>, GenerationEnd) {
        let request = GenerateRequest {
            max_tokens: Some(max_tokens as u32),
            sampling: SamplingConfig {
                params: SamplingParams::greedy(),
                seed: Some(1),
            },
            draft,
            ..GenerateRequest::new(prompt)
        };
        let (mut tokens, mut end) = (Vec::new(), None);
        for chunk in self.generator.generate_with(request).blocking_iter() {
            let chunk = chunk.unwrap();
            tokens.extend(chunk.tokens);
            end = end.or(chunk.end);
        }
        assert_eq!(tokens.len(), max_tokens);
        (tokens, end.unwrap())
    }

    /// Tokens without a pattern; another number, another text.
    fn text(&self, number: u32, len: u32) -> Vec<u32> {
        let token = |at: u32| {
            let mixed = (u64::from(number) << 32 | u64::from(at)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed >> 40) as u32 % self.vocab
        };
        (0..len).map(token).collect()
    }

    /// The time to the first token of a second turn, beside that of the first.
    fn second_turn(&self) -> Vec<Figure> {
        let (mut firsts, mut seconds, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..self.sizes.turns {
            let prompt = self.text(turn, self.sizes.history);
            let (answer, first) = self.ask(prompt.clone(), 2, 0);
            let next = [prompt, answer, self.text(100 + turn, 32)].concat();
            let (_, second) = self.ask(next, 1, 0);
            assert!(second.usage.cached_tokens >= self.sizes.history as usize);
            let millis = |end: &GenerationEnd| end.timings.time_to_first_token.as_secs_f64() * 1e3;
            firsts.push(millis(&first));
            seconds.push(millis(&second));
            shares.push(millis(&second) / millis(&first));
        }
        vec![
            figure("first turn, time to first token", "ms", firsts),
            figure(
                "second turn with 32 tokens more, time to first token",
                "ms",
                seconds,
            ),
            Figure {
                // Of a short first turn, the new tokens alone are more.
                at_most: (self.sizes.history >= WHOLE.history).then_some(0.05),
                ..figure("second turn beside the first", "", shares)
            },
        ]
    }

    /// Generated tokens per second of `requests` at once, each as long as its prompt.
    fn throughput(&self, first: u32, requests: u32) -> f64 {
        let (length, begun) = (self.sizes.request, Instant::now());
        std::thread::scope(|scope| {
            for number in first..first + requests {
                let prompt = self.text(number, length);
                scope.spawn(move || self.ask(prompt, length as usize, 0));
            }
        });
        f64::from(requests * length) / begun.elapsed().as_secs_f64()
    }

    fn concurrency(&self) -> Vec<Figure> {
        let (mut one, mut eight, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..self.sizes.turns {
            let alone = self.throughput(1000 + turn, 1);
            let together = self.throughput(2000 + 8 * turn, 8);
            one.push(alone);
            eight.push(together);
            ratios.push(together / alone);
        }
        vec![
            figure("one request, as much in as out", "tok/s", one),
            figure("eight requests at once", "tok/s", eight),
            Figure {
                at_least: Some(2.5),
                ..figure("eight at once beside one", "x", ratios)
            },
        ]
    }

    /// Decoding a recorded edit of code with guesses, beside without.
    fn lookup(&self) -> Vec<Figure> {
        let (prompt, mut completion) = edit::tokens();
        completion.truncate(self.sizes.edit);
        let whole = [&prompt[..], &completion].concat();
        *self.script.lock().unwrap() = Some(whole);
        let decode = |draft| {
            let (tokens, end) = self.ask(prompt.clone(), completion.len(), draft);
            assert_eq!(tokens, completion);
            (end.timings.decode_tok_s(&end.usage).unwrap(), end.drafts)
        };
        let (mut plain, mut guessed) = (Vec::new(), Vec::new());
        let (mut ratios, mut accepted) = (Vec::new(), Vec::new());
        for _ in 0..self.sizes.turns {
            let (slow, _) = decode(0);
            let (fast, drafts) = decode(16);
            plain.push(slow);
            guessed.push(fast);
            ratios.push(fast / slow);
            accepted.push(drafts.accepted as f64 / drafts.guessed as f64);
        }
        *self.script.lock().unwrap() = None;
        vec![
            figure("a code edit, decoded token by token", "tok/s", plain),
            figure("a code edit, with prompt lookup", "tok/s", guessed),
            figure("guesses that were right", "", accepted),
            Figure {
                at_least: Some(2.0),
                ..figure("prompt lookup beside plain decoding", "x", ratios)
            },
        ]
    }
}

/// A schema as programs declare them.
const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"enum": ["Oslo", "Lima", "Kyoto"]}},
            "required": ["street", "city"],
            "additionalProperties": false
        }
    },
    "required": ["name", "age", "address"],
    "additionalProperties": false
}"#;

/// The time that a mask of a JSON schema takes, over documents of tokens that it allows, taken at random.
fn masks(tokenizer: &Tokenizer, vocab: u32, documents: u32) -> Vec<Figure> {
    let begun = Instant::now();
    let compiler = ConstraintCompiler::new(tokenizer, vocab as usize).unwrap();
    let vocabulary = begun.elapsed().as_secs_f64() * 1e3;
    let constraint = Constraint::JsonSchema(serde_json::from_str(SCHEMA).unwrap());
    let (mut compiled, mut masks, mut dice) = (Vec::new(), Vec::new(), 1u64);
    for _ in 0..documents {
        let begun = Instant::now();
        let mut guard = compiler.compile(&constraint).unwrap();
        compiled.push(begun.elapsed().as_secs_f64() * 1e3);
        for _ in 0..200 {
            let begun = Instant::now();
            let mask = guard.mask(&[], false).unwrap();
            masks.push(begun.elapsed().as_secs_f64() * 1e6);
            let allowed = || {
                mask.iter().enumerate().flat_map(|(word, bits)| {
                    (0..32)
                        .filter(move |bit| bits >> bit & 1 == 1)
                        .map(move |bit| word as u32 * 32 + bit)
                })
            };
            dice = dice
                .wrapping_mul(0x5851_F42D_4C95_7F2D)
                .wrapping_add(0x1405_7B7E_F767_814F);
            let token = allowed().nth((dice >> 33) as usize % allowed().count()).unwrap();
            guard.take(token).unwrap();
            if guard.is_complete() {
                break;
            }
        }
    }
    vec![
        figure(
            "a vocabulary is made ready for constraints, once",
            "ms",
            vec![vocabulary],
        ),
        figure("a JSON schema is compiled", "ms", compiled),
        Figure {
            at_most: Some(100.0),
            ..figure("a mask of a JSON schema", "us", masks)
        },
    ]
}

/// CPU time of all threads that live, in nanoseconds.
fn cpu_time() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let time = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads.filter_map(time).sum()
}

/// CPU time that generator, engine and stream add to each token, beyond a loop over the same model and sampler.
fn overhead() -> Vec<Figure> {
    let tokenizer = Tokenizer::from_gguf(&synthetic::file(Shape::TinyQwen3)).unwrap();
    let ids: Vec<u32> = (0..LONG as u32).map(|at| u32::from(b'a') + at % 26).collect();
    let limits = Limits {
        unread: 64,
        ..Limits::default()
    };
    let vocab = tokenizer.vocab_size();
    let (generator, _done) = recital::generator(&tokenizer, ids.clone(), limits);
    let engine = Engine::new(EngineConfig::named("bench")).unwrap();
    let mut chain = SamplerChain::new(&SamplingParams::greedy(), vocab).unwrap();
    let mut row = vec![0.0; vocab];
    let mut samples = Vec::new();
    for _ in 0..11 {
        let begun = cpu_time();
        let mut history = recital::PROMPT.to_vec();
        for (step, &id) in ids.iter().enumerate() {
            row.fill(0.0);
            row[id as usize] = 1.0;
            let drawn = chain.sample(&mut row, &history, 1, step as u64).unwrap();
            history.push(drawn.token);
        }
        let bare = cpu_time();
        let request = Request::new(&CandlePrompt::raw("once"), &CandleCompletionParams::default()).unwrap();
        let generator = generator.clone();
        let stream = engine.coordinate_generation(request, move || {
            generator.generate(&recital::PROMPT[..], LONG as u32, SpecialTokens::default())
        });
        let tokens: usize = stream
            .blocking_iter()
            .map(|chunk| chunk.unwrap().tokens().len())
            .sum();
        assert_eq!(tokens, LONG);
        let served = cpu_time();
        samples.push(((served - bare) - (bare - begun)) / LONG as f64 / 1e3);
    }
    vec![Figure {
        at_most: Some(20.0),
        ..figure("generator, engine and stream, CPU time a token", "us", samples)
    }]
}

/// The value behind an argument.
fn option(name: &str) -> Option<PathBuf> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).map(PathBuf::from)
}

fn main() {
    let Some(model) = option("--model") else {
        println!("serve: no --model FILE is given, nothing is measured");
        return;
    };
    let mut figures = overhead();
    let quick = std::env::args().any(|argument| argument == "--quick");
    let server = Server::load(&model, if quick { QUICK } else { WHOLE });
    figures.extend(masks(
        server.generator.tokenizer(),
        server.vocab,
        server.sizes.documents,
    ));
    figures.extend(server.lookup());
    figures.extend(server.concurrency());
    figures.extend(server.second_turn());
    let json = serde_json::to_string_pretty(&figures).unwrap();
    match option("--out") {
        Some(path) => std::fs::write(path, json).unwrap(),
        None => println!("{json}"),
    }
}
