//! A provider whose answers a test sends piece by piece.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine::{
    AsyncStream, CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt,
    Capabilities, Engine, EngineConfig, EngineError, FinishReason, Request, Statistics, Timings, Usage,
};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

pub(crate) type Chunk = Result<CandleCompletionChunk, EngineError>;

/// Answers with what comes through the next of its channels.
pub(crate) struct Scripted {
    pub(crate) engine: Engine,
    scripts: Arc<Mutex<Vec<UnboundedReceiver<Chunk>>>>,
    asked: Mutex<Vec<(CandlePrompt, CandleCompletionParams)>>,
}

impl Scripted {
    pub(crate) fn new(config: EngineConfig) -> Arc<Self> {
        Arc::new(Self {
            engine: Engine::new(config).expect("the settings are in range"),
            scripts: Arc::default(),
            asked: Mutex::default(),
        })
    }

    /// By which the answer to the next request that has none is sent.
    pub(crate) fn script(&self) -> UnboundedSender<Chunk> {
        let (sender, receiver) = unbounded();
        self.scripts
            .lock()
            .expect("no test panics with it")
            .insert(0, receiver);
        sender
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<(CandlePrompt, CandleCompletionParams)> {
        self.asked.lock().expect("no test panics with it").clone()
    }

    /// Waits until the counts are as they should be.
    pub(crate) async fn until(&self, what: impl Fn(&Statistics) -> bool) {
        until(&self.engine, what).await;
    }
}

/// Waits until the counts of an engine are as they should be.
pub(crate) async fn until(engine: &Engine, what: impl Fn(&Statistics) -> bool) {
    let began = Instant::now();
    while !what(&engine.statistics()) {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            engine.statistics()
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl CandleCompletionModel for Scripted {
    fn prompt(&self, prompt: CandlePrompt, params: &CandleCompletionParams) -> AsyncStream<Chunk> {
        let request = match Request::for_capabilities(&prompt, params, self.capabilities()) {
            Ok(request) => request,
            Err(error) => return self.engine.refuse(error),
        };
        let mut asked = self.asked.lock().expect("no test panics with it");
        asked.push((prompt, params.clone()));
        let scripts = Arc::clone(&self.scripts);
        // One that is refused takes none.
        self.engine.coordinate(request, move || {
            let script = scripts.lock().expect("no test panics with it").pop();
            script.unwrap_or_else(|| unbounded().1)
        })
    }

    fn name(&self) -> &str {
        "scripted"
    }

    fn context_length(&self) -> usize {
        1_000
    }

    fn count_tokens(&self, prompt: &CandlePrompt) -> Result<usize, EngineError> {
        Ok(prompt.text().split_whitespace().count())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::local(true).with_tools(true)
    }
}

pub(crate) fn text(text: &str) -> Chunk {
    Ok(CandleCompletionChunk::Text {
        choice: 0,
        text: text.to_owned(),
        tokens: vec![1],
    })
}

pub(crate) fn reasoning(text: &str) -> Chunk {
    Ok(CandleCompletionChunk::Reasoning {
        choice: 0,
        text: text.to_owned(),
        tokens: vec![1],
    })
}

pub(crate) fn finish(finish: FinishReason) -> Chunk {
    Ok(CandleCompletionChunk::Finish {
        choice: 0,
        finish,
        stop: None,
    })
}

pub(crate) fn complete() -> Chunk {
    Ok(CandleCompletionChunk::Complete {
        usage: Usage {
            prompt_tokens: 3,
            cached_tokens: 1,
            completion_tokens: 2,
        },
        timings: Timings::default(),
        seed: Some(5),
        cache_miss: None,
        drafts: Default::default(),
    })
}
