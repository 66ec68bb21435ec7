//! The tasks of the demo model, which `cargo xtask` calls: train, export, examine.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: it reports on the terminal"
)]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use demo::dialogue::Skill;
use demo::export::{self, Mix};
use demo::network::Shape;
use demo::training::{self, Beginning, Plan};
use demo::vocabulary::{self, Vocabulary};
use demo::{checkpoint, examination};

#[derive(Parser)]
#[command(name = "demo", about = "The demo model: train, export, examine")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Trains the model and exports what was trained
    Train {
        /// Folder of the run: tokenizer, checkpoints, curve, exports
        #[arg(long, default_value = RUN)]
        out: PathBuf,
        /// Seed of weights and corpus
        #[arg(long, default_value_t = 1, conflicts_with = "resume")]
        seed: u64,
        /// Steps of about 2,000 tokens
        #[arg(long, default_value_t = 13_600, conflicts_with = "resume")]
        steps: u32,
        /// Highest learning rate
        #[arg(long, default_value_t = 3e-3, conflicts_with = "resume")]
        peak: f64,
        /// Checkpoint of the run in --out to go on from: `half` or `last`; its seed, steps and rates hold
        #[arg(long, value_name = "NAME")]
        resume: Option<String>,
    },
    /// Writes the trained model as a published folder and as GGUF files
    Export {
        /// Folder of the run
        #[arg(long, default_value = RUN)]
        run: PathBuf,
        /// Checkpoint of it to export
        #[arg(long, default_value = "last")]
        checkpoint: String,
    },
    /// Writes what other implementations answer: `prompts.json`, rendered prompts of every skill, and the shipped
    /// model's weights as f32
    Peers {
        /// Folder to write
        out: PathBuf,
    },
    /// Examines a model with prompts that it was not trained on
    Examine {
        /// GGUF file of the model
        #[arg(long, default_value = SHIPPED)]
        model: PathBuf,
        /// Seed of the prompts
        #[arg(long, default_value_t = EXAMINED)]
        seed: u64,
        /// Dialogues of each skill
        #[arg(long, default_value_t = 250)]
        per_skill: usize,
        /// Stories to show
        #[arg(long, default_value_t = 10)]
        stories: usize,
        /// Only this skill, such as `FollowUp`
        #[arg(long, value_parser = skill)]
        only: Option<Skill>,
        /// Also write everything that was found as JSON
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

/// A skill by its name.
fn skill(name: &str) -> Result<Skill, String> {
    let known = Skill::ALL.map(|skill| format!("{skill:?}"));
    let found = Skill::ALL
        .into_iter()
        .zip(&known)
        .find(|(_, known)| *known == name);
    found
        .map(|(skill, _)| skill)
        .ok_or_else(|| format!("expected one of {}", known.join(", ")))
}

/// Seed of the prompts of an examination.
const EXAMINED: u64 = 3_000_017;
/// Folder of a run.
const RUN: &str = "target/demo";
/// The model in this repository.
const SHIPPED: &str = "crates/providers/assets/demo-q8_0.gguf";

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Train {
            out,
            seed,
            steps,
            peak,
            resume,
        } => {
            let plan = Plan {
                folder: out,
                shape: Shape::shipped(vocabulary::SIZE),
                held_out: training::VALIDATION_DIALOGUES,
                from: match resume {
                    Some(checkpoint) => Beginning::Checkpoint(checkpoint),
                    None => Beginning::New { seed, steps, peak },
                },
            };
            training::train(&plan, &mut |line| println!("{line}"))?;
            export(&plan.folder, training::LAST)
        }
        Task::Export { run, checkpoint } => export(&run, &checkpoint),
        Task::Peers { out } => {
            export::dequantized(Path::new(SHIPPED), &out)?;
            let path = out.join("prompts.json");
            let prompts = serde_json::to_string_pretty(&examination::rendered(EXAMINED, 3))?;
            std::fs::write(&path, prompts).with_context(|| path.display().to_string())
        }
        Task::Examine {
            model,
            seed,
            per_skill,
            stories,
            only,
            json,
        } => {
            let plan = examination::Plan {
                model,
                seed,
                per_skill,
                stories,
                skills: only.map_or_else(|| Skill::ALL.to_vec(), |skill| vec![skill]),
            };
            examine(&plan, json.as_deref())
        }
    }
}

/// Writes `published/` and a GGUF file of each mix into the folder of the run.
fn export(run: &Path, checkpoint: &str) -> Result<()> {
    let vocabulary = Vocabulary::read(&run.join(training::TOKENIZER))?;
    let shape = Shape::shipped(vocabulary::SIZE);
    let (network, progress) = checkpoint::trained(&run.join(checkpoint), shape)?;
    let folder = run.join("published");
    export::publish(&network, &vocabulary, &folder)?;
    println!("{}", folder.display());
    for mix in Mix::ALL {
        let path = run.join(format!("demo-{}.gguf", mix.name()));
        export::gguf(&network, &vocabulary, &progress, mix, &path)?;
        println!("{}: {} bytes", path.display(), std::fs::metadata(&path)?.len());
    }
    Ok(())
}

/// Prints the figures; fails where one is below its bar.
fn examine(plan: &examination::Plan, json: Option<&Path>) -> Result<()> {
    println!(
        "skill                   calls          reports          answers            ended   last questions"
    );
    let report = examination::examine(plan, &mut |line| println!("{line}"))?;
    println!("{report}");
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    let missed = report.missed();
    ensure!(missed.is_empty(), "below the bar: {}", missed.join("; "));
    Ok(())
}
