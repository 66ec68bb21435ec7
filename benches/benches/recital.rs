//! A model that recites tokens known beforehand, at next to no cost: what is left is what the layers above do with them.

use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use generator::{AsyncStream, Limits, SamplingConfig, TextGenerator};
use models::{Capabilities, Device, KvCache, Logits, Model, ModelError, Rows, SequenceStep, Tokenizer};
use simd_sampling::SamplingParams;

/// What a recital begins after; no part of its text.
pub(crate) const PROMPT: [u32; 1] = [0];

/// A greedy generator that recites `tokens` after [`PROMPT`], and where it says so when the last of them is on its way.
pub(crate) fn generator(
    tokenizer: &Tokenizer,
    tokens: Vec<u32>,
    limits: Limits,
) -> (TextGenerator, Receiver<()>) {
    let (last, done) = sync_channel(1);
    let model = Recital {
        capabilities: Capabilities {
            architecture: "recital".to_owned(),
            vocab: tokenizer.vocab_size(),
            context: tokens.len() + PROMPT.len(),
            max_sequences: 16,
            hidden: false,
            fork: false,
            device: Device::Cpu,
        },
        tokens,
        last,
    };
    let sampling = SamplingConfig {
        params: SamplingParams::greedy(),
        seed: Some(1),
    };
    let (model, tokenizer) = (Box::new(model), tokenizer.clone());
    let generator = TextGenerator::with_limits(model, tokenizer, Device::Cpu, sampling, limits);
    (generator.unwrap(), done)
}

#[allow(dead_code, reason = "not every bench waits")]
/// Starts a stream and reads it when its last token is on its way, so that nobody waits for its reader.
pub(crate) fn afterwards<T>(stream: AsyncStream<T>, done: &Receiver<()>) -> Vec<T> {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    let mut items = Vec::new();
    let mut next = stream.as_mut().poll_next(&mut context);
    done.recv().unwrap();
    loop {
        match next {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return items,
            Poll::Pending => std::thread::yield_now(),
        }
        next = stream.as_mut().poll_next(&mut context);
    }
}

struct Recital {
    capabilities: Capabilities,
    tokens: Vec<u32>,
    last: SyncSender<()>,
}

impl Model for Recital {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut Logits,
    ) -> Result<(), ModelError> {
        let Rows::List(wanted) = rows else {
            return Err(ModelError::Unsupported {
                architecture: self.capabilities.architecture.clone(),
                what: "rows that a generator does not ask for",
            });
        };
        out.reset(wanted.len(), self.capabilities.vocab);
        for (index, at) in wanted.iter().enumerate() {
            let position = batch[at.sequence].cache.len() + at.row;
            let row = out.row_mut(index);
            row.fill(0.0);
            row[self.tokens[position] as usize] = 1.0;
            if position + 1 == self.tokens.len() {
                // Nobody takes a second message, and nobody needs it.
                let _ = self.last.try_send(());
            }
        }
        for step in batch {
            step.cache.advance(step.tokens.len());
        }
        Ok(())
    }

    fn new_cache(&self) -> KvCache {
        KvCache::counting()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}
