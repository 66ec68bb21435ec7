//! Reading a stream to its end, holding it to the rules that every stream keeps.

use std::sync::mpsc;

use generator::{
    AsyncStream, CandleStringChunk, GenerateError, GenerateRequest, GenerationEnd, PromptInput,
    SamplingConfig,
};
use simd_sampling::SamplingParams;

use crate::scripted::LONG;

pub(crate) type Stream = AsyncStream<Result<CandleStringChunk, GenerateError>>;

/// A generation that ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) tokens: Vec<u32>,
    pub(crate) end: GenerationEnd,
}

/// Runs something that might block, for a bounded time.
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let _ = done.send(work());
    });
    match result.recv_timeout(LONG) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still blocked after {LONG:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the result was sent"),
        },
    }
}

/// The next `count` items.
pub(crate) fn take(stream: Stream, count: usize) -> (Vec<CandleStringChunk>, Stream) {
    within(move || {
        let mut iter = stream.blocking_iter();
        let chunks = iter.by_ref().take(count).map(Result::unwrap).collect();
        (chunks, iter.into_stream())
    })
}

/// Everything to the end: exactly one end or one error, and it is last.
pub(crate) fn read(stream: Stream) -> Result<Answer, GenerateError> {
    within(move || {
        let mut iter = stream.blocking_iter();
        let (mut text, mut tokens) = (String::new(), Vec::new());
        let last = loop {
            match iter.next().expect("the stream ended without an end or an error") {
                Ok(chunk) => {
                    assert_eq!(chunk.choice, 0);
                    text.push_str(&chunk.text);
                    tokens.extend(chunk.tokens);
                    if let Some(end) = chunk.end {
                        assert_eq!(end.usage.completion_tokens, tokens.len());
                        break Ok(Answer { text, tokens, end });
                    }
                }
                Err(error) => break Err(error),
            }
        };
        for _ in 0..3 {
            assert!(iter.next().is_none(), "an item after the last one");
        }
        last
    })
}

/// Everything of several choices to the end: one end of each, and nothing behind the last; or one error, which is last.
pub(crate) fn read_choices(stream: Stream, choices: usize) -> Result<Vec<Answer>, GenerateError> {
    within(move || {
        let mut iter = stream.blocking_iter();
        let mut open: Vec<(String, Vec<u32>)> = vec![Default::default(); choices];
        let mut ended: Vec<Option<Answer>> = (0..choices).map(|_| None).collect();
        let last = loop {
            let chunk = match iter.next().expect("the stream ended before its choices") {
                Ok(chunk) => chunk,
                Err(error) => break Some(error),
            };
            let choice = chunk.choice as usize;
            assert!(
                ended[choice].is_none(),
                "a chunk after the end of choice {choice}"
            );
            open[choice].0.push_str(&chunk.text);
            open[choice].1.extend(chunk.tokens);
            if let Some(end) = chunk.end {
                let (text, tokens) = std::mem::take(&mut open[choice]);
                ended[choice] = Some(Answer { text, tokens, end });
                if ended.iter().all(Option::is_some) {
                    break None;
                }
            }
        };
        assert!(iter.next().is_none(), "an item after the last one");
        last.map_or(Ok(ended.into_iter().flatten().collect()), Err)
    })
}

/// A greedy request.
pub(crate) fn greedy(prompt: impl Into<PromptInput>, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(max_tokens),
        sampling: SamplingConfig {
            params: SamplingParams::greedy(),
            seed: Some(7),
        },
        ..GenerateRequest::new(prompt)
    }
}

/// A request that draws at temperature 1.
pub(crate) fn drawn(prompt: impl Into<PromptInput>, max_tokens: u32, seed: Option<u64>) -> GenerateRequest {
    let sampling = SamplingConfig {
        params: at_temperature(1.0),
        seed,
    };
    GenerateRequest {
        sampling,
        ..greedy(prompt, max_tokens)
    }
}

/// Everything neutral but the temperature.
pub(crate) fn at_temperature(temperature: f32) -> SamplingParams {
    let mut params = SamplingParams::greedy();
    params.temperature = temperature;
    params
}
