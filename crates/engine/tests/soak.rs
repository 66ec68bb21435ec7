//! Hundreds of requests that are cancelled, late, unread, invalid or struck by a model that fails: afterwards every one of
//! them is counted once, nothing is held any more, and memory is as it was.
#![allow(clippy::unwrap_used)]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use engine::{
    AsyncStream, BreakerConfig, CandleCompletionChunk, CandleCompletionParams, CandlePrompt, Deadlines,
    Engine, EngineConfig, EngineError, Request, Statistics,
};
use futures::{Stream as _, stream};
use generator::{GenerateRequest, Limits, SamplingConfig, TextGenerator};
use models::synth::{self, Shape};
use models::{
    Capabilities, Device, GgufFile, KvCache, Logits, Model, ModelError, ModelFactory, Rows, SequenceStep,
    Tokenizer,
};

/// Requests of a round.
const REQUESTS: u64 = 500;
/// Threads that ask and read.
const READERS: u64 = 12;
/// Requests that run at once.
const RUNNING: usize = 8;
/// Growth that is no leak: what a round leaves of caches would be several times as much.
const TOLERATED: i64 = 6 << 20;

/// A pseudo-random number, the same for the same number.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A real model that now and then panics or fails, before or after it has worked.
struct Faulty {
    model: Box<dyn Model>,
    step: Arc<AtomicU64>,
}

impl Model for Faulty {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut Logits,
    ) -> Result<(), ModelError> {
        let dice = mix(self.step.fetch_add(1, Ordering::Relaxed)) % 120;
        match dice {
            0 => panic!("a step too far"),
            1 => return Err(ModelError::EmptyStep { sequence: 0 }),
            _ => {}
        }
        self.model.forward(batch, rows, out)?;
        assert!(dice != 2, "one step further than it should have been");
        Ok(())
    }

    fn new_cache(&self) -> KvCache {
        self.model.new_cache()
    }

    fn capabilities(&self) -> &Capabilities {
        self.model.capabilities()
    }
}

struct Service {
    engine: Engine,
    generator: TextGenerator,
}

fn service() -> Service {
    let path = std::env::temp_dir().join(format!("engine-soak-{}.gguf", std::process::id()));
    synth::write(Shape::TinyQwen3, 11, &path).unwrap();
    let file = GgufFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let model = Faulty {
        model: ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ()).unwrap(),
        step: Arc::default(),
    };
    let tokenizer = Tokenizer::from_gguf(&file).unwrap();
    let limits = Limits {
        running: RUNNING,
        unread: 4,
        prefix_bytes: 1 << 20,
        ..Limits::default()
    };
    let sampling = SamplingConfig::default();
    Service {
        engine: Engine::new(EngineConfig {
            max_running: RUNNING,
            max_waiting: REQUESTS as usize,
            // Whoever fails here is meant to.
            breaker: BreakerConfig {
                failures: u32::MAX,
                rate: 1.0,
                window: 10_000,
                ..BreakerConfig::default()
            },
            ..EngineConfig::default()
        })
        .unwrap(),
        generator: TextGenerator::with_limits(Box::new(model), tokenizer, Device::Cpu, sampling, limits)
            .unwrap(),
    }
}

type Completion = AsyncStream<Result<CandleCompletionChunk, EngineError>>;

impl Service {
    fn ask(&self, number: u64) -> Completion {
        let dice = mix(number);
        let deadline = |bits: u32| {
            (dice >> bits)
                .is_multiple_of(6)
                .then(|| Duration::from_millis(dice >> bits & 31))
        };
        let choices = 1 + (dice >> 8 & 15 == 0) as u32;
        let params = CandleCompletionParams {
            choices: Some(choices),
            deadlines: Deadlines {
                queue: deadline(12),
                first_token: deadline(20),
                total: deadline(28),
            },
            ..CandleCompletionParams::default()
        };
        let request = Request::new(&CandlePrompt::raw("once"), &params).unwrap();
        let vocab = self.generator.capabilities().vocab as u64;
        let prompt: Vec<u32> = (0..1 + dice % 70)
            .map(|at| (mix(number / 4 + at) % vocab) as u32)
            .collect();
        let (mut max_tokens, draft) = (1 + (dice >> 32 & 31) as u32, (dice >> 40 & 7) as usize);
        if dice >> 44 & 15 == 0 {
            max_tokens = 0;
        }
        let generator = self.generator.clone();
        self.engine.coordinate_generation(request, move || {
            generator.generate_with(GenerateRequest {
                max_tokens: Some(max_tokens),
                choices,
                draft,
                // The engine has noticed most of them before.
                deadline: (dice >> 48 & 15 == 0)
                    .then(|| Instant::now() + Duration::from_millis(dice >> 52 & 15)),
                ..GenerateRequest::new(prompt)
            })
        })
    }

    /// Reads as some readers do: to the end, not to the end, slowly, never.
    fn read(&self, number: u64) {
        let stream = self.ask(number);
        let dice = mix(!number);
        match dice % 8 {
            0 => drop(stream),
            1 | 2 => drop(stream.blocking_iter().nth((dice >> 8 & 7) as usize)),
            3 => {
                let mut items = stream.blocking_iter();
                let _ = items.next();
                std::thread::sleep(Duration::from_millis(dice >> 8 & 15));
                items.for_each(drop);
            }
            _ => {
                let (mut ends, mut last) = (0, None);
                for item in stream.blocking_iter() {
                    ends += usize::from(matches!(
                        item,
                        Err(_) | Ok(CandleCompletionChunk::Complete { .. })
                    ));
                    last = Some(item);
                }
                assert_eq!(ends, 1, "{last:?}");
                assert!(matches!(
                    last,
                    Some(Err(_) | Ok(CandleCompletionChunk::Complete { .. }))
                ));
            }
        }
    }

    fn round(&self, round: u64) {
        std::thread::scope(|scope| {
            for reader in 0..READERS {
                scope.spawn(move || {
                    let numbers = (reader..REQUESTS).step_by(READERS as usize);
                    numbers.for_each(|number| self.read(round * REQUESTS + number));
                });
            }
        });
    }

    /// Waits until nothing of a round is left, and runs as many requests at once as may run.
    fn settle(&self) -> u64 {
        let run = |number: u64| {
            let mut failed = 0;
            // Its model fails every now and then, here too.
            while !matches!(self.ask_plainly(number).blocking_iter().last(), Some(Ok(_))) {
                failed += 1;
                assert!(failed < 100, "nothing is served any more");
            }
            failed + 1
        };
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..RUNNING as u64)
                .map(|number| scope.spawn(move || run(number)))
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).sum()
        })
    }

    /// As many requests as may run are let in together, and not one more.
    fn all_permits_are_there(&self) {
        let hold = || {
            let request =
                Request::new(&CandlePrompt::raw("once"), &CandleCompletionParams::default()).unwrap();
            let backend = stream::pending::<Result<CandleCompletionChunk, EngineError>>;
            let mut held = self.engine.coordinate(request, backend);
            let polled = Pin::new(&mut held).poll_next(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending(), "{polled:?}");
            held
        };
        let held: Vec<_> = (0..=RUNNING).map(|_| hold()).collect();
        let Statistics {
            in_flight, waiting, ..
        } = self.engine.statistics();
        assert_eq!((in_flight, waiting), (RUNNING as u64, 1));
        drop(held);
    }

    fn ask_plainly(&self, number: u64) -> Completion {
        let request = Request::new(&CandlePrompt::raw("once"), &CandleCompletionParams::default()).unwrap();
        let generator = self.generator.clone();
        self.engine.coordinate_generation(request, move || {
            generator.generate_with(GenerateRequest {
                max_tokens: Some(4),
                ..GenerateRequest::new(vec![number as u32; 3])
            })
        })
    }
}

/// Bytes of memory that are in use.
fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<i64>().ok());
    pages.unwrap_or(0) * 4096
}

#[test]
fn after_hundreds_of_mishaps_the_counts_balance_and_nothing_is_held() {
    // Panics of the model are expected by the dozen.
    std::panic::set_hook(Box::new(|_| ()));
    let service = service();
    let mut memory = Vec::new();
    let mut asked = 0;
    for round in 0..3 {
        service.round(round);
        asked += REQUESTS + service.settle();
        memory.push(resident());
    }
    drop(std::panic::take_hook());

    let statistics = service.engine.statistics();
    let Statistics {
        requests,
        waiting,
        in_flight,
        completed,
        failed,
        cancelled,
        rejected,
        ..
    } = statistics;
    assert_eq!((requests, waiting, in_flight), (asked, 0, 0), "{statistics:?}");
    assert_eq!(completed + failed + cancelled + rejected, asked, "{statistics:?}");
    for (what, count) in [
        ("completed", completed),
        ("failed", failed),
        ("cancelled", cancelled),
        ("rejected", rejected),
    ] {
        assert!(count > 20, "hardly any were {what}: {statistics:?}");
    }
    let growth = memory[2] - memory[0];
    assert!(
        growth < TOLERATED,
        "{growth} bytes more after a thousand requests: {memory:?}"
    );
    service.all_permits_are_there();
    service.engine.drain();
    drop(service.engine.stopped());
    assert_eq!(service.engine.statistics().state, engine::EngineState::Stopped);
}
