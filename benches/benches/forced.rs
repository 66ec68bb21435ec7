//! A model that computes all that it would, and then says what it is told to.

use std::sync::{Arc, Mutex, PoisonError};

use models::{Capabilities, KvCache, Logits, Model, ModelError, Rows, SequenceStep};

/// The text of every sequence, prompt and completion; while there is none, the model says its own.
pub(crate) type Script = Arc<Mutex<Option<Vec<u32>>>>;

/// Forward passes of a real model, and logits of a script.
pub(crate) struct Forced {
    pub(crate) model: Box<dyn Model>,
    pub(crate) script: Script,
}

impl Model for Forced {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut Logits,
    ) -> Result<(), ModelError> {
        let held: Vec<usize> = batch.iter().map(|step| step.cache.len()).collect();
        self.model.forward(batch, rows, out)?;
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(script), Rows::List(wanted)) = (&*script, rows) else {
            return Ok(());
        };
        for (index, at) in wanted.iter().enumerate() {
            let next = script.get(held[at.sequence] + at.row + 1);
            let row = out.row_mut(index);
            row.fill(0.0);
            if let Some(next) = next {
                row[*next as usize] = 20.0;
            }
        }
        Ok(())
    }

    fn new_cache(&self) -> KvCache {
        self.model.new_cache()
    }

    fn capabilities(&self) -> &Capabilities {
        self.model.capabilities()
    }
}
