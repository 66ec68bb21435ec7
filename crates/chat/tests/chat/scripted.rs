//! A provider that follows a script and remembers what it was shown.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use chat::{AgentRole, Answer, Chat, ChatError, Event};
use engine::{
    CandleCompletionChunk, CandleCompletionModel, CandleCompletionParams, CandlePrompt, Capabilities, Engine,
    EngineConfig, EngineError, Message, Request, ToolCall,
};
use futures::task::noop_waker_ref;
use futures::{Stream, StreamExt, stream};
use generator::{AsyncStream, FinishReason, Timings, Usage};

pub(crate) type Chunk = Result<CandleCompletionChunk, EngineError>;

pub(crate) const CONTEXT: usize = 64;

/// Answers each prompt with the next script; counts a word as a token.
pub(crate) struct Scripted {
    engine: Engine,
    scripts: Mutex<VecDeque<Vec<Chunk>>>,
    shown: Mutex<Vec<(Vec<Message>, CandleCompletionParams)>>,
}

impl Scripted {
    pub(crate) fn new(scripts: impl IntoIterator<Item = Vec<Chunk>>) -> Arc<Self> {
        Arc::new(Self {
            engine: Engine::new(EngineConfig::default()).unwrap(),
            scripts: Mutex::new(scripts.into_iter().collect()),
            shown: Mutex::default(),
        })
    }

    /// The messages of each prompt so far, as (role, content).
    pub(crate) fn shown(&self) -> Vec<Vec<(String, String)>> {
        let pair = |message: &Message| (message.role.to_string(), message.content.clone());
        self.shown
            .lock()
            .unwrap()
            .iter()
            .map(|(messages, _)| messages.iter().map(pair).collect())
            .collect()
    }

    pub(crate) fn params(&self) -> Vec<CandleCompletionParams> {
        self.shown
            .lock()
            .unwrap()
            .iter()
            .map(|(_, params)| params.clone())
            .collect()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl CandleCompletionModel for Scripted {
    fn prompt(&self, prompt: CandlePrompt, params: &CandleCompletionParams) -> AsyncStream<Chunk> {
        let checked = Request::for_capabilities(&prompt, params, self.capabilities())
            .and_then(|request| request.with_prompt_tokens(self.count_tokens(&prompt)?, CONTEXT));
        let request = match checked {
            Ok(request) => request,
            Err(error) => return self.engine.refuse(error),
        };
        self.shown
            .lock()
            .unwrap()
            .push((prompt.messages().unwrap().to_vec(), params.clone()));
        // What a script does not say is still to come.
        let script = self.scripts.lock().unwrap().pop_front().unwrap();
        self.engine
            .coordinate(request, move || stream::iter(script).chain(stream::pending()))
    }

    fn name(&self) -> &str {
        "scripted"
    }

    fn context_length(&self) -> usize {
        CONTEXT
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

/// A call of a tool, whole.
pub(crate) fn calling(call: &ToolCall) -> Vec<Chunk> {
    calling_at(0, call)
}

/// The call of this place in its round.
pub(crate) fn calling_at(index: u32, call: &ToolCall) -> Vec<Chunk> {
    let ToolCall { id, name, arguments } = call.clone();
    let choice = 0;
    [
        CandleCompletionChunk::ToolCallStart {
            choice,
            index,
            id,
            name,
        },
        CandleCompletionChunk::ToolCallDelta {
            choice,
            index,
            arguments,
            tokens: vec![1],
        },
        CandleCompletionChunk::ToolCallComplete {
            choice,
            index,
            call: call.clone(),
        },
    ]
    .map(Ok)
    .into()
}

pub(crate) fn finish(finish: FinishReason) -> Chunk {
    Ok(CandleCompletionChunk::Finish {
        choice: 0,
        finish,
        stop: None,
    })
}

pub(crate) const USAGE: Usage = Usage {
    prompt_tokens: 3,
    cached_tokens: 0,
    completion_tokens: 2,
};

pub(crate) fn complete() -> Chunk {
    Ok(CandleCompletionChunk::Complete {
        usage: USAGE,
        timings: Timings::default(),
        seed: Some(5),
        cache_miss: None,
        drafts: Default::default(),
    })
}

/// A whole answer in one piece.
pub(crate) fn answer(answer: &str) -> Vec<Chunk> {
    vec![text(answer), finish(FinishReason::Stop), complete()]
}

/// A whole answer in one piece, thought about.
pub(crate) fn thoughtful(thought: &str, said: &str) -> Vec<Chunk> {
    let mut script = answer(said);
    script.insert(0, reasoning(thought));
    script
}

pub(crate) fn chat(provider: &Arc<Scripted>) -> Chat {
    AgentRole::new("tester", Arc::clone(provider) as Arc<_>)
        .with_system_prompt(" Be brief. ")
        .chat()
}

pub(crate) fn poll(answer: &mut Answer<'_>) -> Poll<Option<Result<Event, ChatError>>> {
    Pin::new(answer).poll_next(&mut Context::from_waker(noop_waker_ref()))
}

#[track_caller]
pub(crate) fn next(answer: &mut Answer<'_>) -> Result<Event, ChatError> {
    match poll(answer) {
        Poll::Ready(Some(event)) => event,
        other => panic!("no event: {other:?}"),
    }
}

/// Reads an answer to its end, and once more past it.
#[track_caller]
pub(crate) fn read(mut answer: Answer<'_>) -> Vec<Result<Event, ChatError>> {
    let mut events = Vec::new();
    while let Poll::Ready(Some(event)) = poll(&mut answer) {
        events.push(event);
    }
    assert!(
        matches!(poll(&mut answer), Poll::Ready(None)),
        "stalled after {events:?}"
    );
    events
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Reads an answer to its end, however long that takes.
#[track_caller]
pub(crate) fn wait(answer: Answer<'_>) -> Vec<Result<Event, ChatError>> {
    runtime().block_on(answer.collect())
}
