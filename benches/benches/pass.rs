//! Forward passes of a tiny model over parts of a fixed prompt.

use models::synth::Shape;
use models::{Device, KvCache, Logits, Model, ModelFactory, Rows, SequenceStep};

use crate::synthetic;

/// Tokens of the prompt that stand before the one that is decoded.
pub(crate) const PROMPT: usize = 32;
/// How much a logit may change with the way in which its prompt is cut: kernels are chosen by shape.
const TOLERANCE: f32 = 1e-4;

/// A model with a prompt, the cache of a part of it, and the logits after that part.
pub(crate) struct Pass {
    model: Box<dyn Model>,
    prompt: Vec<u32>,
    cache: KvCache,
    logits: Logits,
}

impl Pass {
    /// A model that was found to give the same logits for a prompt at once as for its parts; the cache holds [`PROMPT`]
    /// tokens.
    pub(crate) fn new(shape: Shape) -> Self {
        let file = synthetic::file(shape);
        let model = ModelFactory::from_gguf(&file, &Device::Cpu, &mut |_| ()).unwrap();
        let vocab = model.capabilities().vocab as u32;
        let mut pass = Self {
            prompt: (0..=PROMPT as u32).map(|at| (at * 37 + 5) % vocab).collect(),
            cache: model.new_cache(),
            logits: Logits::new(),
            model,
        };
        pass.run(PROMPT + 1);
        let at_once = pass.logits.row(0).to_vec();
        pass.rewind(0);
        for to in [PROMPT / 2, PROMPT, PROMPT + 1] {
            pass.run(to);
        }
        let apart = at_once.iter().zip(pass.logits.row(0)).map(|(a, b)| (a - b).abs());
        let apart = apart.fold(0.0, f32::max);
        assert!(apart <= TOLERANCE, "{shape:?}: logits differ by {apart}");
        assert!(at_once.iter().any(|logit| *logit != at_once[0]), "{shape:?}");
        pass.rewind(PROMPT);
        pass
    }

    /// Leaves the first `len` tokens in the cache.
    pub(crate) fn rewind(&mut self, len: usize) {
        self.cache.truncate(len);
    }

    /// Runs the tokens from where the cache ends to `to`.
    pub(crate) fn run(&mut self, to: usize) {
        let step = SequenceStep {
            tokens: &self.prompt[self.cache.len()..to],
            cache: &mut self.cache,
        };
        self.model
            .forward(&mut [step], Rows::Last, &mut self.logits)
            .unwrap();
    }
}
