//! Texts as vectors: the worker runs them chunk by chunk between the steps of generation, one request at a time.
//!
//! A request that nobody waits for any more is dropped before its next chunk.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::channel::oneshot;
use models::{KvCache, Logits, Model, Pooled, Pooling, Rows, SequenceStep};

use crate::GenerateError;
use crate::admission::Place;

/// Vectors of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextEmbeddings {
    /// The pooled hidden states of each text, shape `(hidden,)`, as the model gives them.
    pub rows: Vec<Vec<f32>>,
    /// Tokens that were run, of all texts together.
    pub tokens: usize,
}

/// A request for vectors, as the worker holds it.
pub(crate) struct Embedding {
    texts: Vec<Vec<u32>>,
    pooling: Pooling,
    reply: oneshot::Sender<Result<TextEmbeddings, GenerateError>>,
    /// Given back when the request is over.
    _place: Place,
    /// Bytes that the cache of its longest text has.
    cache_bytes: usize,
    done: TextEmbeddings,
    /// The text that is being run, if one is.
    current: Option<Current>,
}

/// A text that is being run.
struct Current {
    cache: KvCache,
    pooled: Pooled,
}

/// What came of a chunk.
pub(crate) enum Advance {
    /// There is more to run.
    More,
    /// The request is over.
    Over,
    /// The model panicked, and the request is over.
    Panicked(Box<dyn Any + Send>),
}

impl Embedding {
    pub(crate) fn new(
        texts: Vec<Vec<u32>>,
        pooling: Pooling,
        cache_bytes: usize,
        place: Place,
        reply: oneshot::Sender<Result<TextEmbeddings, GenerateError>>,
    ) -> Self {
        Self {
            texts,
            pooling,
            reply,
            _place: place,
            cache_bytes,
            done: TextEmbeddings::default(),
            current: None,
        }
    }

    /// Bytes that its cache may come to have.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.reply.is_canceled()
    }

    /// Ends it with an error.
    pub(crate) fn fail(self, error: GenerateError) {
        // Whoever has gone needs no error.
        let _ = self.reply.send(Err(error));
    }

    /// Runs at most `chunk` tokens of it.
    pub(crate) fn advance(
        mut self,
        model: &mut dyn Model,
        chunk: usize,
        rows: &mut Logits,
    ) -> (Option<Self>, Advance) {
        if self.is_over() {
            return (None, Advance::Over);
        }
        match catch_unwind(AssertUnwindSafe(|| self.run(model, chunk, rows))) {
            Ok(Ok(())) if self.done.rows.len() < self.texts.len() => (Some(self), Advance::More),
            Ok(Ok(())) => {
                let _ = self.reply.send(Ok(self.done));
                (None, Advance::Over)
            }
            Ok(Err(error)) => {
                self.fail(error);
                (None, Advance::Over)
            }
            Err(panic) => {
                let message = "the model panicked".to_owned();
                self.fail(GenerateError::Panicked { message });
                (None, Advance::Panicked(panic))
            }
        }
    }

    fn run(&mut self, model: &mut dyn Model, chunk: usize, rows: &mut Logits) -> Result<(), GenerateError> {
        let Some(text) = self.texts.get(self.done.rows.len()) else {
            return Ok(());
        };
        let pooling = self.pooling;
        let current = self.current.get_or_insert_with(|| Current {
            cache: model.new_cache(),
            pooled: Pooled::new(pooling),
        });
        let from = current.pooled.tokens();
        let tokens = text
            .get(from..text.len().min(from + chunk.max(1)))
            .unwrap_or_default();
        let mut batch = [SequenceStep {
            tokens,
            cache: &mut current.cache,
        }];
        let run = model.forward(&mut batch, Rows::Hidden(pooling), rows);
        run.map_err(|error| GenerateError::Model(Arc::new(error)))?;
        if rows.rows() != 1 {
            return Err(GenerateError::BrokenModel {
                what: "the rows of hidden states",
                expected: 1,
                found: rows.rows(),
            });
        }
        current.pooled.add(rows.row(0), tokens.len());
        self.done.tokens += tokens.len();
        if current.pooled.tokens() == text.len() {
            self.done.rows.push(current.pooled.row().unwrap_or_default());
            self.current = None;
        }
        Ok(())
    }
}
