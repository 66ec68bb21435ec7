//! A training run: seeded, by steps and not by the clock, resumable to the same bits.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::batches::{Batch, Batches, Place};
use crate::checkpoint::{self, Progress};
use crate::corpus;
use crate::curve::{Curve, Point};
use crate::network::{Network, Shape};
use crate::ops;
use crate::optimizer::{AdamW, Hyperparameters};
use crate::rendering;
use crate::schedule::Schedule;
use crate::validation::{self, Figures, Validation};
use crate::vocabulary::{self, Vocabulary};

/// Dialogues that the tokenizer is trained on.
const VOCABULARY_DIALOGUES: u64 = 6000;
/// Held-out dialogues of a validation.
pub const VALIDATION_DIALOGUES: u64 = 300;
/// Steps between points of the curve.
const LOG_EVERY: u32 = 10;
/// Steps between validations and checkpoints.
const VALIDATE_EVERY: u32 = 500;

/// Steps that a run must have, so that every cycle has one.
const FEWEST: u32 = 9;
/// Folder of the checkpoint half-way, where the second cycle of learning rates begins.
pub const HALF: &str = "half";
/// File of the tokenizer in a run's folder.
pub const TOKENIZER: &str = "tokenizer.json";
/// Folder of the latest checkpoint.
pub const LAST: &str = "last";

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Folder of the run.
    pub folder: PathBuf,
    /// Shape of the network.
    pub shape: Shape,
    /// Dialogues of a validation.
    pub held_out: u64,
    /// Where it begins.
    pub from: Beginning,
}

/// Where a run begins.
#[derive(Clone, Debug)]
pub enum Beginning {
    /// At random weights; a tokenizer is trained first.
    New {
        /// Seed of weights and corpus.
        seed: u64,
        /// Steps in all.
        steps: u32,
        /// Highest learning rate.
        peak: f64,
    },
    /// At the checkpoint of this name in the run's folder; its seed, steps and learning rates hold.
    Checkpoint(String),
}

impl Beginning {
    fn check(&self) -> Result<()> {
        if let Self::New { seed, steps, peak } = *self {
            ensure!(steps >= FEWEST, "{steps} steps, expected at least {FEWEST}");
            ensure!(
                peak.is_finite() && peak > 0.0,
                "a learning rate of {peak}, expected more than 0"
            );
            ensure!(
                seed != validation::SEED,
                "seed {seed} is that of the held-out dialogues"
            );
        }
        Ok(())
    }
}

/// A run between two steps.
struct Run {
    network: Network,
    optimizer: AdamW,
    progress: Progress,
    schedule: Schedule,
    started: Instant,
}

/// Trains until the last step and leaves tokenizer, checkpoints and curve in the folder; a resumed run goes on in the
/// folder that holds its tokenizer.
///
/// # Errors
///
/// Files that cannot be read or written, and a loss that is no number any more.
pub fn train(plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<()> {
    plan.from.check()?;
    std::fs::create_dir_all(&plan.folder).with_context(|| plan.folder.display().to_string())?;
    let vocabulary = vocabulary_of(plan)?;
    let padding = vocabulary.id(vocabulary::END_OF_TEXT)?;
    let shape = plan.shape;
    let mut run = Run::begin(plan)?;
    say(&format!(
        "{} parameters, step {} of {}",
        shape.parameters(),
        run.progress.step,
        run.progress.steps
    ));
    let validation = Validation::new(plan.held_out, &vocabulary, padding)?;
    let seed = run.progress.seed;
    let mut batches = Batches::new(seed, vocabulary, run.progress.place, padding, shape.context);
    let mut curve = Curve::open(&plan.folder.join("curve.csv"), run.progress.step)?;
    let bar = bar(&run.progress)?;
    let half = run.schedule.second_cycle();
    let (mut losses, mut counted) = (0.0, 0u32);
    while run.progress.step < run.progress.steps {
        let (batch, place) = batches.take()?;
        let (loss, gradient) = run.step(&batch)?;
        run.progress.place = place;
        losses += loss;
        counted += 1;
        bar.set_position(run.progress.step.into());
        let Progress { step, steps, .. } = run.progress;
        let validates = step % VALIDATE_EVERY == 0 || step == steps || step == half;
        if step % LOG_EVERY != 0 && !validates {
            continue;
        }
        let mean = losses / f64::from(counted);
        (losses, counted) = (0.0, 0);
        bar.set_message(format!("loss {mean:.3}, {:.0} tok/s", run.speed()));
        let figures = validates.then(|| validation.run(&run.network)).transpose()?;
        curve.push(&run.point(mean, gradient, figures.as_ref()))?;
        if let Some(figures) = figures {
            bar.suspend(|| say(&summary(&run, mean, &figures)));
            let name = if step == half { HALF } else { LAST };
            run.save(&plan.folder.join(name))?;
        }
    }
    bar.finish();
    curve.draw()
}

impl Run {
    fn begin(plan: &Plan) -> Result<Self> {
        let (network, optimizer, progress) = match &plan.from {
            Beginning::Checkpoint(name) => checkpoint::read(&plan.folder.join(name), plan.shape)?,
            &Beginning::New { seed, steps, peak } => {
                let network = Network::new(plan.shape, seed)?;
                let optimizer = AdamW::new(network.variables(), Hyperparameters::default());
                let progress = Progress {
                    seed,
                    steps,
                    peak,
                    step: 0,
                    place: Place::default(),
                    tokens: 0,
                    seconds: 0.0,
                };
                (network, optimizer, progress)
            }
        };
        let schedule = Schedule {
            peak: progress.peak,
            steps: progress.steps,
        };
        Ok(Self {
            network,
            optimizer,
            progress,
            schedule,
            started: Instant::now(),
        })
    }

    /// One step; its loss and the length of its gradient.
    fn step(&mut self, batch: &Batch) -> Result<(f64, f64)> {
        let logits = self.network.logits(&batch.ids, batch.length, &batch.at)?;
        let loss = ops::cross_entropy(&logits, &batch.targets)?;
        let gradients = self.network.gradients(&loss)?;
        let loss = f64::from(loss.to_scalar::<f32>()?);
        ensure!(
            loss.is_finite(),
            "the loss of step {} is {loss}",
            self.progress.step
        );
        let rate = self.schedule.rate(self.progress.step);
        let length = self.optimizer.step(self.network.variables(), &gradients, rate)?;
        self.progress.step += 1;
        self.progress.tokens += batch.tokens as u64;
        Ok((loss, length))
    }

    fn seconds(&self) -> f64 {
        self.progress.seconds + self.started.elapsed().as_secs_f64()
    }

    fn speed(&self) -> f64 {
        self.progress.tokens as f64 / self.seconds()
    }

    fn point(&self, loss: f64, gradient: f64, figures: Option<&Figures>) -> Point {
        Point {
            step: self.progress.step,
            tokens: self.progress.tokens,
            seconds: self.seconds(),
            learning_rate: self.schedule.rate(self.progress.step - 1),
            gradient,
            loss,
            held_out: figures.map(|figures| (figures.loss, figures.all_calls().share())),
        }
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let progress = Progress {
            seconds: self.seconds(),
            ..self.progress
        };
        checkpoint::write(folder, &self.network, &self.optimizer, &progress)
    }
}

/// The run's tokenizer, which a new run trains.
fn vocabulary_of(plan: &Plan) -> Result<Vocabulary> {
    let path = plan.folder.join(TOKENIZER);
    let Beginning::New { seed, .. } = plan.from else {
        return Vocabulary::read(&path);
    };
    let texts = (0..VOCABULARY_DIALOGUES).flat_map(move |index| {
        let segments = rendering::segments(&corpus::dialogue(seed, index));
        segments
            .into_iter()
            .flat_map(|segment| vocabulary::between_added(&segment.text))
            .collect::<Vec<_>>()
    });
    let vocabulary = Vocabulary::train(texts)?;
    vocabulary.write(&path)?;
    Ok(vocabulary)
}

fn bar(progress: &Progress) -> Result<ProgressBar> {
    let bar = ProgressBar::new(progress.steps.into());
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} {msg} [{elapsed_precise} / {eta_precise}]",
    )?);
    bar.set_position(progress.step.into());
    Ok(bar)
}

/// One line on a validation.
fn summary(run: &Run, loss: f64, figures: &Figures) -> String {
    let mut text = format!(
        "step {}, {:.2} M tokens, {:.0} s, {:.0} tok/s: loss {loss:.4}, held out {:.4}, exact calls {:.1} %;",
        run.progress.step,
        run.progress.tokens as f64 / 1e6,
        run.seconds(),
        run.speed(),
        figures.loss,
        100.0 * figures.all_calls().share(),
    );
    for (kind, counts) in [("calls", &figures.calls), ("texts", &figures.texts)] {
        text.push_str(&format!(" {kind}"));
        for (skill, count) in counts {
            text.push_str(&format!(" {skill:?} {:.0}", 100.0 * count.share()));
        }
    }
    text
}
