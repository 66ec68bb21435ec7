//! A model that does what a test tells it to, and refuses what breaks the model contract.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use generator::{Limits, SamplingConfig, TextGenerator};
use models::{Capabilities, KvCache, Logits, Model, ModelError, RowAt, Rows, SequenceStep};
use simd_sampling::SamplingParams;

use crate::vocabulary::{DEVICE, VOCAB, byte_level};

/// Longer than anything here takes, short enough to wait for.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Tokens of one sequence in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Position of the first one.
    pub(crate) position: usize,
    pub(crate) tokens: Vec<u32>,
}

impl Run {
    /// Whose tokens these are, in a [`follow`] script.
    pub(crate) fn owner(&self) -> u32 {
        self.tokens[0] / 16
    }
}

/// Fills a row with the logits after the token at a position.
pub(crate) type Script = Box<dyn FnMut(u32, usize, &mut [f32]) + Send>;
/// Sees every step before it runs; may hold it, fail it or panic.
pub(crate) type Before = Box<dyn FnMut(&[Run]) -> Result<(), ModelError> + Send>;

pub(crate) struct ScriptedModel {
    pub(crate) capabilities: Capabilities,
    pub(crate) script: Script,
    pub(crate) before: Before,
    /// Whether caches grow, as they must.
    pub(crate) grows: bool,
    log: Log,
    _alive: Sender<()>,
}

/// Every step that a model ran, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Vec<Run>>>>);

impl Log {
    pub(crate) fn steps(&self) -> Vec<Vec<Run>> {
        self.0.lock().unwrap().clone()
    }
}

/// What a test keeps of a model that it has given away.
pub(crate) struct Watch {
    pub(crate) log: Log,
    alive: Receiver<()>,
}

impl Watch {
    /// Waits until the model has been dropped, which is the end of its worker thread.
    pub(crate) fn wait_for_the_end(&self) {
        let ended = self.alive.recv_timeout(LONG);
        assert_eq!(
            ended,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected),
            "the worker lives on"
        );
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty)
    }
}

impl ScriptedModel {
    pub(crate) fn new(script: Script) -> (Self, Watch) {
        let (alive, watch) = channel();
        let log = Log::default();
        let model = Self {
            capabilities: Capabilities {
                architecture: "scripted".to_owned(),
                vocab: VOCAB,
                context: 4096,
                max_sequences: 4,
                hidden: false,
                fork: false,
                device: DEVICE,
            },
            script,
            before: Box::new(|_| Ok(())),
            grows: true,
            log: log.clone(),
            _alive: alive,
        };
        (model, Watch { log, alive: watch })
    }

    /// A greedy generator over this model.
    pub(crate) fn generator(self, limits: Limits) -> TextGenerator {
        let sampling = SamplingConfig {
            params: SamplingParams::greedy(),
            seed: Some(1),
        };
        TextGenerator::with_limits(Box::new(self), byte_level(), DEVICE, sampling, limits).unwrap()
    }
}

impl Model for ScriptedModel {
    fn forward(
        &mut self,
        batch: &mut [SequenceStep<'_>],
        rows: Rows<'_>,
        out: &mut Logits,
    ) -> Result<(), ModelError> {
        let runs: Vec<Run> = batch
            .iter()
            .map(|step| Run {
                position: step.cache.len(),
                tokens: step.tokens.to_vec(),
            })
            .collect();
        self.log.0.lock().unwrap().push(runs.clone());
        self.check(&runs)?;
        (self.before)(&runs)?;
        let wanted: Vec<RowAt> = match rows {
            Rows::List(list) => list.to_vec(),
            Rows::Last => runs
                .iter()
                .enumerate()
                .map(|(sequence, run)| RowAt {
                    sequence,
                    row: run.tokens.len() - 1,
                })
                .collect(),
            Rows::All => unimplemented!("no test asks for all rows"),
            // One entry: the last token.
            Rows::Hidden(_) => {
                out.reset(runs.len(), 1);
                for (index, (run, step)) in runs.iter().zip(batch).enumerate() {
                    out.row_mut(index)[0] = *run.tokens.last().unwrap() as f32;
                    step.cache.advance(run.tokens.len());
                }
                return Ok(());
            }
        };
        out.reset(wanted.len(), self.capabilities.vocab);
        for (index, at) in wanted.iter().enumerate() {
            let run = &runs[at.sequence];
            (self.script)(run.tokens[at.row], run.position + at.row, out.row_mut(index));
        }
        if self.grows {
            for step in batch {
                step.cache.advance(step.tokens.len());
            }
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

impl ScriptedModel {
    fn check(&self, runs: &[Run]) -> Result<(), ModelError> {
        let Capabilities {
            vocab,
            context,
            max_sequences,
            ..
        } = self.capabilities;
        if runs.len() > max_sequences {
            return Err(ModelError::TooManySequences {
                sequences: runs.len(),
                max: max_sequences,
            });
        }
        for (sequence, run) in runs.iter().enumerate() {
            let positions = run.position + run.tokens.len();
            if run.tokens.is_empty() {
                return Err(ModelError::EmptyStep { sequence });
            }
            if positions > context {
                return Err(ModelError::ContextOverflow { positions, context });
            }
            if let Some(&token) = run.tokens.iter().find(|&&token| token as usize >= vocab) {
                return Err(ModelError::TokenOutOfVocabulary { token, vocab });
            }
        }
        Ok(())
    }
}

/// The token of `owner` at a position, in a [`follow`] script; owners are below 31.
pub(crate) fn token_of(owner: u32, position: usize) -> u32 {
    owner * 16 + (position % 16) as u32
}

/// A prompt of `owner`, for a [`follow`] script.
pub(crate) fn prompt_of(owner: u32, len: usize) -> Vec<u32> {
    (0..len).map(|position| token_of(owner, position)).collect()
}

/// What follows a prompt of `prompt` tokens in a [`follow`] script.
pub(crate) fn completion_of(owner: u32, prompt: usize, len: usize) -> Vec<u32> {
    (prompt..prompt + len)
        .map(|position| token_of(owner, position))
        .collect()
}

/// The most probable token is always the next one of the same owner. A token that stands at a wrong
/// position, or in another's sequence, leads elsewhere.
pub(crate) fn follow() -> Script {
    Box::new(|token, position, row| {
        row.fill(0.0);
        let right = token % 16 == (position % 16) as u32;
        let next = if right {
            token_of(token / 16, position + 1)
        } else {
            509
        };
        row[next as usize] = 10.0;
    })
}

/// Logits without a pattern, a function of token and position.
pub(crate) fn noise() -> Script {
    Box::new(|token, position, row| {
        for (index, logit) in row.iter_mut().enumerate() {
            let mixed = mix(u64::from(token) << 40 | (position as u64) << 16 | index as u64);
            *logit = (mixed % 6_000) as f32 / 1_000.0 - 3.0;
        }
        // Control tokens end a generation; these do not, so that lengths are known.
        row[510..].fill(f32::NEG_INFINITY);
    })
}

/// Exactly these tokens, whatever the prompt of length `prompt` was.
pub(crate) fn recite(prompt: usize, tokens: Arc<Mutex<Vec<u32>>>) -> Script {
    Box::new(move |_, position, row| {
        row.fill(0.0);
        let tokens = tokens.lock().unwrap();
        row[tokens[position + 1 - prompt] as usize] = 10.0;
    })
}

pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Holds a model's steps until the test lets them pass.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Passage>, Condvar)>);

#[derive(Default)]
struct Passage {
    arrived: usize,
    allowed: usize,
    open: bool,
}

impl Gate {
    /// A hook that stops each step at the gate.
    pub(crate) fn before(&self) -> Before {
        let gate = self.clone();
        Box::new(move |_| {
            gate.pass();
            Ok(())
        })
    }

    /// Arrives and waits to be let through.
    pub(crate) fn pass(&self) {
        let (passage, changed) = &*self.0;
        let mut state = passage.lock().unwrap();
        state.arrived += 1;
        let turn = state.arrived;
        changed.notify_all();
        let held = changed.wait_timeout_while(state, LONG, |state| !state.open && state.allowed < turn);
        assert!(!held.unwrap().1.timed_out(), "nobody opened the gate");
    }

    /// Lets `steps` more through.
    pub(crate) fn allow(&self, steps: usize) {
        let (passage, changed) = &*self.0;
        passage.lock().unwrap().allowed += steps;
        changed.notify_all();
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        let (passage, changed) = &*self.0;
        passage.lock().unwrap().open = true;
        changed.notify_all();
    }

    /// Waits until so many steps have arrived, passed or not.
    pub(crate) fn wait_for_arrivals(&self, steps: usize) {
        let (passage, changed) = &*self.0;
        let state = passage.lock().unwrap();
        let waited = changed.wait_timeout_while(state, LONG, |state| state.arrived < steps);
        assert!(!waited.unwrap().1.timed_out(), "step {steps} never came");
    }
}

/// Waits until something holds, looking often.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
