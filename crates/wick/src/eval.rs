//! `wick eval`: figures of a model's forward pass, with nothing sampled.
//!
//! Everything that can be known to be wrong is found from the model's headers, before a weight is read.

mod logits;
mod perplexity;
mod tensor_file;

use std::path::PathBuf;

use models::{
    Capabilities, Checkpoint, LoadOptions, Logits, Model, ModelError, ModelFactory, RowAt, Rows, SequenceStep,
};

use crate::arguments::ModelArguments;
use crate::loading;

pub(crate) use logits::logits;
pub(crate) use perplexity::perplexity;

/// New tokens of one forward pass; bounds the rows of logits that are held at once.
const STEP: usize = 256;

/// Why a figure cannot be computed.
#[derive(Debug, thiserror::Error)]
enum EvalError {
    #[error("a context of {context} tokens leaves none to be predicted; at least {least} are needed")]
    ContextTooShort { context: usize, least: usize },
    #[error(
        "{} has {tokens} tokens; at least {needed} are needed, two chunks of {context}",
        path.display()
    )]
    TextTooShort {
        path: PathBuf,
        tokens: usize,
        needed: usize,
        context: usize,
    },
    #[error("{} cannot be read as text", path.display())]
    Text {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the logits after position {position} are not numbers")]
    NotANumber { position: usize },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// A model whose headers are read and whose weights are not.
struct Unloaded {
    checkpoint: Checkpoint,
    options: LoadOptions,
    capabilities: Capabilities,
}

impl Unloaded {
    fn open(arguments: &ModelArguments) -> anyhow::Result<Self> {
        let checkpoint = arguments.named()?.open()?;
        let options = arguments.exact_options();
        let capabilities = ModelFactory::plan(&checkpoint, options)?.capabilities;
        Ok(Self {
            checkpoint,
            options,
            capabilities,
        })
    }

    /// Checks that these can be run from an empty cache.
    fn check(&self, tokens: &[u32]) -> Result<(), ModelError> {
        let Capabilities { vocab, context, .. } = self.capabilities;
        if tokens.len() > context {
            let positions = tokens.len();
            return Err(ModelError::ContextOverflow { positions, context });
        }
        match tokens.iter().find(|&&token| token as usize >= vocab) {
            Some(&token) => Err(ModelError::TokenOutOfVocabulary { token, vocab }),
            None => Ok(()),
        }
    }

    fn load(&self) -> anyhow::Result<Box<dyn Model>> {
        loading::forward_pass(&self.checkpoint, self.options)
    }
}

/// Runs `tokens` from an empty cache and hands the logits after each from position `first` on to `visit`, with the
/// position.
fn each_row(
    model: &mut dyn Model,
    tokens: &[u32],
    first: usize,
    visit: &mut dyn FnMut(usize, &[f32]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut cache = model.new_cache();
    let mut rows = Logits::new();
    for (index, tokens) in tokens.chunks(STEP).enumerate() {
        let before = index * STEP;
        let wanted: Vec<RowAt> = (first.saturating_sub(before)..tokens.len())
            .map(|row| RowAt { sequence: 0, row })
            .collect();
        let step = SequenceStep {
            tokens,
            cache: &mut cache,
        };
        model.forward(&mut [step], Rows::List(&wanted), &mut rows)?;
        for (at, wanted) in wanted.iter().enumerate() {
            visit(before + wanted.row, rows.row(at))?;
        }
    }
    Ok(())
}
