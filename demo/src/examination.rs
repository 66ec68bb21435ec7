//! The examination: prompts that were not trained on, put to the shipped model through the pipeline that users have.
//!
//! Every turn of the model is asked for with the true turns before it, greedily, and judged by the dialogue's own
//! [`Check`](crate::dialogue::Check). A turn is judged only where all that stands before it, system message and tools
//! included, never stood before a turn in training; others are counted as known. Calls are read by the provider's
//! output parser, so what is examined is what a caller would see.
//!
//! A check looks for words and figures in a text, not for grammar: an answer that swaps two cities passes.

mod lengths;
mod perplexity;
mod report;
mod stories;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use engine::{
    CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, FinishReason,
    Message, ToolCall, ToolDefinition,
};
use models::Checkpoint;
use providers::{LocalProvider, ProgressHub};
use rayon::prelude::*;

use crate::corpus;
use crate::dialogue::{Call, Dialogue, Skill, Tool, Turn};
use crate::rendering;

pub use report::{BARS, Report};

/// Requests at once, as many as an engine runs by default.
const AT_ONCE: usize = 8;
/// Tokens that a turn may have; longer ones have not ended by themselves.
const MAX_TOKENS: u32 = 256;

/// What is examined, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The model's GGUF file.
    pub model: PathBuf,
    /// Seed of the prompts.
    pub seed: u64,
    /// Dialogues of each skill.
    pub per_skill: usize,
    /// Stories to show.
    pub stories: usize,
    /// Skills to examine.
    pub skills: Vec<Skill>,
}

/// What became of turns of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Count {
    /// Turns judged.
    pub turns: usize,
    /// Right ones.
    pub right: usize,
}

impl Count {
    fn add(&mut self, right: bool) {
        self.turns += 1;
        self.right += usize::from(right);
    }

    /// Right turns in a hundred.
    pub fn percent(&self) -> f64 {
        100.0 * self.right as f64 / self.turns.max(1) as f64
    }
}

/// Counts of one skill, or of all.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Counts {
    /// Turns that had to be a call: right tool and right arguments.
    pub calls: Count,
    /// Turns behind a result: reported rightly.
    pub reports: Count,
    /// Other turns with something to judge.
    pub answers: Count,
    /// Turns that ended by themselves.
    pub ended: Count,
    /// Turns that were not judged, since they were trained on.
    pub known: usize,
    /// Last questions of dialogues: every turn that answers one is right.
    pub last: Count,
}

/// One judged turn that was wrong, for a reader.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Fault {
    /// The dialogue's skill.
    pub skill: String,
    /// What the model was shown last.
    pub asked: String,
    /// What it should have said.
    pub expected: String,
    /// What it said.
    pub said: String,
}

/// Runs the examination; `say` gets a line for each skill that is done.
///
/// # Errors
///
/// A model that cannot be loaded or fails at a prompt.
pub fn examine(plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<Report> {
    let checkpoint = Checkpoint::open(&plan.model)?;
    let trained = Trained::of(&checkpoint)?;
    ensure!(
        trained.seed != plan.seed,
        "the model was trained with seed {}; examine it with another",
        plan.seed
    );
    let provider = LocalProvider::load(&plan.model, &ProgressHub::new())?;
    let seen = trained.prompts();
    let mut skills = BTreeMap::new();
    let mut faults = Vec::new();
    for &skill in &plan.skills {
        let dialogues = unseen(skill, plan, &seen)?;
        let (counts, wrong) = ask_all(&provider, &dialogues, &seen)?;
        say(&report::line(&format!("{skill:?}"), &counts));
        skills.insert(format!("{skill:?}"), counts);
        faults.extend(wrong);
    }
    let perplexity = perplexity::of(&checkpoint, plan.seed, &seen)?;
    Ok(Report {
        skills,
        faults,
        perplexity,
        longest: lengths::longest(&checkpoint.tokenizer()?, plan.seed)?,
        stories: stories::told(&provider, plan)?,
    })
}

/// Prompts as the model sees them, up to each turn of the first `per_skill` dialogues of every skill.
pub fn rendered(seed: u64, per_skill: u64) -> Vec<String> {
    let mut prompts = Vec::new();
    for skill in Skill::ALL {
        for index in 0..per_skill {
            let mut text = String::new();
            for segment in rendering::segments(&corpus::of_skill(skill, seed, index)) {
                if segment.learnt {
                    prompts.push(text.clone());
                }
                text.push_str(&segment.text);
            }
        }
    }
    prompts
}

/// What a model says of its training.
struct Trained {
    seed: u64,
    dialogues: u64,
}

impl Trained {
    fn of(checkpoint: &Checkpoint) -> Result<Self> {
        let metadata = checkpoint.gguf().context("the model is no GGUF file")?.metadata();
        let number = |key: &str| {
            let value = metadata.u64_opt(key)?;
            value.with_context(|| format!("the file does not say `{key}`: it is no demo model"))
        };
        Ok(Self {
            seed: number(crate::export::SEED)?,
            dialogues: number(crate::export::DIALOGUES)?,
        })
    }

    /// Everything that stood before a turn of the model in training.
    fn prompts(&self) -> HashSet<u64> {
        let of = |index| prompts(&corpus::dialogue(self.seed, index));
        (0..self.dialogues).into_par_iter().flat_map_iter(of).collect()
    }
}

/// A fingerprint of what stands before each turn of the model.
fn prompts(dialogue: &Dialogue) -> Vec<u64> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    let mut prompts = Vec::new();
    for segment in rendering::segments(dialogue) {
        if segment.learnt {
            prompts.push(hasher.finish());
        }
        segment.text.hash(&mut hasher);
    }
    prompts
}

/// Dialogues whose last turn was not trained on.
fn unseen(skill: Skill, plan: &Plan, seen: &HashSet<u64>) -> Result<Vec<Dialogue>> {
    let most = 100 * plan.per_skill as u64;
    let dialogues: Vec<Dialogue> = (0..most)
        .map(|index| corpus::of_skill(skill, plan.seed, index))
        .filter(|dialogue| prompts(dialogue).last().is_some_and(|last| !seen.contains(last)))
        .take(plan.per_skill)
        .collect();
    ensure!(
        dialogues.len() == plan.per_skill,
        "of {most} dialogues of {skill:?} only {} were not trained on",
        dialogues.len()
    );
    Ok(dialogues)
}

fn ask_all(
    provider: &LocalProvider,
    dialogues: &[Dialogue],
    seen: &HashSet<u64>,
) -> Result<(Counts, Vec<Fault>)> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    let worker = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(dialogue) = dialogues.get(index) else {
                return Ok(());
            };
            let outcome = ask(provider, dialogue, seen)?;
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.insert(index, outcome);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    let (mut counts, mut faults) = (Counts::default(), Vec::new());
    // In the order of the dialogues, whichever was answered first.
    for (own, wrong) in outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .into_values()
    {
        counts.merge(&own);
        faults.extend(wrong);
    }
    Ok((counts, faults))
}

/// Asks for every turn of the model in one dialogue.
fn ask(provider: &LocalProvider, dialogue: &Dialogue, seen: &HashSet<u64>) -> Result<(Counts, Vec<Fault>)> {
    let params = CandleCompletionParams {
        max_tokens: Some(MAX_TOKENS),
        temperature: Some(0.0),
        tools: tools(dialogue),
        ..CandleCompletionParams::default()
    };
    let mut counts = Counts::default();
    let mut faults = Vec::new();
    let mut checks = dialogue.checks.iter();
    let last = dialogue
        .turns
        .iter()
        .rposition(|turn| matches!(turn, Turn::User(_)));
    let mut last_right = true;
    let mut prompts = prompts(dialogue).into_iter();
    for (at, turn) in dialogue.turns.iter().enumerate() {
        if !matches!(turn, Turn::Assistant(_) | Turn::Call(_)) {
            continue;
        }
        let check = checks.next().context("a turn without a check")?;
        if prompts.next().is_none_or(|prompt| seen.contains(&prompt)) {
            counts.known += 1;
            continue;
        }
        let said = said(provider, messages(dialogue, at), &params)?;
        counts.ended.add(said.ended);
        let Some(check) = check else { continue };
        let right = said.ended && said.turn.as_ref().is_some_and(|turn| check.holds(turn));
        let before = at.checked_sub(1).and_then(|before| dialogue.turns.get(before));
        match (turn, before) {
            (Turn::Call(_), _) => counts.calls.add(right),
            (_, Some(Turn::Result(_))) => counts.reports.add(right),
            _ => counts.answers.add(right),
        }
        last_right &= right || Some(at) < last;
        if !right {
            faults.push(Fault {
                skill: format!("{:?}", dialogue.skill),
                asked: before.map(written).unwrap_or_default(),
                expected: written(turn),
                said: said.text,
            });
        }
    }
    counts.last.add(last_right);
    Ok((counts, faults))
}

impl Counts {
    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (to, from) in [
            (&mut self.calls, other.calls),
            (&mut self.reports, other.reports),
            (&mut self.answers, other.answers),
            (&mut self.ended, other.ended),
            (&mut self.last, other.last),
        ] {
            to.turns += from.turns;
            to.right += from.right;
        }
        self.known += other.known;
    }
}

fn written(turn: &Turn) -> String {
    match turn {
        Turn::User(text) | Turn::Assistant(text) | Turn::Result(text) => text.clone(),
        Turn::Call(call) => rendering::called(call),
    }
}

/// What the model said in one turn.
struct Said {
    /// As a turn, where it is one that a dialogue could hold: a text, or one call.
    turn: Option<Turn>,
    text: String,
    ended: bool,
}

fn said(provider: &LocalProvider, messages: Vec<Message>, params: &CandleCompletionParams) -> Result<Said> {
    let (mut text, mut calls, mut finish) = (String::new(), Vec::<ToolCall>::new(), None);
    for chunk in provider
        .prompt(CandlePrompt::chat(messages), params)
        .blocking_iter()
    {
        match chunk? {
            CandleCompletionChunk::Text { text: piece, .. } => text.push_str(&piece),
            CandleCompletionChunk::ToolCallComplete { call, .. } => calls.push(call),
            CandleCompletionChunk::Finish { finish: how, .. } => finish = Some(how),
            _ => {}
        }
    }
    let Some(finish) = finish else {
        bail!("an answer without an end");
    };
    let ended = matches!(finish, FinishReason::Stop | FinishReason::ToolCalls);
    let turn = match calls.as_slice() {
        [] => Some(Turn::Assistant(text.clone())),
        [call] => called(call),
        _ => None,
    };
    for call in &calls {
        text.push_str(&format!(" {}({})", call.name, call.arguments));
    }
    Ok(Said { turn, text, ended })
}

/// A call as a turn, where a dialogue could hold it: of a tool that there is, with arguments that can be read.
fn called(call: &ToolCall) -> Option<Turn> {
    let tool = corpus::TOOLS.into_iter().find(|name| *name == call.name)?;
    let arguments = call.parse_arguments().ok()?;
    Some(Turn::Call(Call { tool, arguments }))
}

/// The tools as a caller declares them.
pub fn tools(dialogue: &Dialogue) -> Vec<ToolDefinition> {
    let declared = |tool: &Tool| {
        ToolDefinition::new(tool.name, rendering::schema(tool)).with_description(tool.description)
    };
    dialogue.tools.iter().map(declared).collect()
}

/// The messages before turn `end`, as a caller sends them.
pub fn messages(dialogue: &Dialogue, end: usize) -> Vec<Message> {
    let mut messages: Vec<Message> = dialogue.system.iter().map(Message::system).collect();
    for (at, turn) in dialogue.turns.iter().enumerate().take(end) {
        messages.push(match turn {
            Turn::User(text) => Message::user(text),
            Turn::Assistant(text) => Message::assistant(text),
            Turn::Call(call) => {
                let arguments = serde_json::Value::Object(call.arguments.clone()).to_string();
                Message::assistant("").with_tool_calls([ToolCall::new(
                    format!("call_{at}"),
                    call.tool,
                    arguments,
                )])
            }
            Turn::Result(text) => Message::tool_result(format!("call_{}", at.saturating_sub(1)), text),
        });
    }
    messages
}
