//! `wick chat`: a conversation, line by line.
//!
//! Standard output carries the answers and nothing else; whatever the program itself has to say goes to
//! standard error. At a terminal lines are edited and Ctrl-C stops an answer; in a pipe every line is a
//! message, and the first failure ends the program.

mod command;
mod lines;
mod style;
mod flow;
mod markdown;

use std::process::ExitCode;

use chat::{AgentRole, Chat, Ending, Event, Summary};
use futures::StreamExt as _;
use tokio::runtime::Runtime;

use crate::arguments::ChatArguments;
use crate::interrupt::{self, Outcome};
use crate::{failure, loading, output};
use command::{Command, Entry};
use lines::{Line, Lines};

/// Holds the conversation that `arguments` asks for.
///
/// # Errors
///
/// Where the model cannot be loaded or has no usable chat template; in a pipe, also where a message gets no
/// answer.
pub(crate) fn chat(arguments: &ChatArguments) -> anyhow::Result<ExitCode> {
    let params = arguments.generation.params()?;
    let runtime = interrupt::runtime()?;
    let code = (|| {
        let Outcome::Done(model) = runtime.block_on(loading::load(&arguments.model))? else {
            return Ok(failure::INTERRUPTED);
        };
        // A server says for itself what it cannot do.
        if let Some(local) = &model.local {
            local.template()?;
        }
        let name = model.provider.name().to_owned();
        let mut role = AgentRole::new(name, model.provider).with_params(params);
        if let Some(system) = &arguments.system {
            role = role.with_system_prompt(system);
        }
        let lines = Lines::of_standard_input()?;
        Session {
            chat: role.chat(),
            lines,
            runtime: &runtime,
        }
        .hold()
    })();
    runtime.shutdown_background();
    code.map(ExitCode::from)
}

struct Session<'a> {
    chat: Chat,
    lines: Lines,
    runtime: &'a Runtime,
}

/// How an answer ended.
enum Reply {
    /// By itself, or by an error that was shown.
    Given,
    /// By Ctrl-C.
    Stopped,
}

impl Session<'_> {
    /// Answers line after line until there are no more; the exit status.
    fn hold(mut self) -> anyhow::Result<u8> {
        if self.lines.interactive() {
            let role = self.chat.role();
            say(&format!(
                "{}, context {}; /help lists commands",
                role.name,
                role.provider.context_length()
            ));
        }
        let mut interrupts = 0;
        loop {
            let line = match self.lines.next(self.runtime)? {
                Line::Text(line) => line,
                Line::End => return Ok(0),
                Line::Interrupted if !self.lines.interactive() => return Ok(failure::INTERRUPTED),
                Line::Interrupted if interrupts > 0 => return Ok(0),
                Line::Interrupted => {
                    interrupts += 1;
                    say("Ctrl-C again leaves, and so do Ctrl-D and /exit");
                    continue;
                }
            };
            interrupts = 0;
            match command::read(&line) {
                Entry::Nothing => {}
                Entry::Message(message) => match self.answer(message)? {
                    Reply::Stopped if !self.lines.interactive() => return Ok(failure::INTERRUPTED),
                    Reply::Stopped | Reply::Given => {}
                },
                Entry::Command(Command::Exit) => return Ok(0),
                Entry::Command(command) => self.obey(command),
                Entry::Unknown(word) => say(&format!("unknown command {word}; /help lists commands")),
            }
        }
    }

    /// Streams the answer to `message`. A failure ends the program in a pipe; a person is told and may go on.
    fn answer(&mut self, message: &str) -> anyhow::Result<Reply> {
        let interactive = self.lines.interactive();
        let mut shown = output::Answer::begin();
        let mut answer = self.chat.send(message);
        let outcome = self.runtime.block_on(interrupt::or_interrupt(async {
            while let Some(event) = answer.next().await {
                match event? {
                    Event::Text(text) => shown.piece(&text)?,
                    Event::Reasoning(text) => shown.reasoning(&text)?,
                    _ => {}
                }
            }
            anyhow::Ok(())
        }));
        drop(answer);
        shown.end_line()?;
        drop(shown);
        match outcome? {
            Outcome::Done(Ok(())) => Ok(Reply::Given),
            Outcome::Done(Err(error)) if interactive && !failure::is_output_closed(&error) => {
                say(&failure::chain(error.as_ref()));
                Ok(Reply::Given)
            }
            Outcome::Done(Err(error)) => Err(error),
            Outcome::Interrupted => {
                say("stopped");
                Ok(Reply::Stopped)
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Help => failure::complain(command::HELP),
            Command::Clear => {
                self.chat.clear();
                say("the conversation is empty");
            }
            Command::Undo => match self.chat.undo() {
                Ok(Some(turn)) => say(&format!("taken back: {}", turn.user)),
                Ok(None) => say("there is nothing to take back"),
                Err(error) => say(&failure::chain(&error)),
            },
            Command::Stats => self.statistics(),
            Command::Exit => {}
        }
    }

    /// Counts of the conversation, and the speed of its last answer.
    fn statistics(&self) {
        let turns = self.chat.conversation().turns();
        let context = self.chat.role().provider.context_length();
        say(&format!(
            "{} {}",
            turns.len(),
            if turns.len() == 1 { "turn" } else { "turns" }
        ));
        match turns.last().map(|turn| &turn.ending) {
            Some(Ending::Finished(summary)) => say(&figures(summary, context)),
            Some(Ending::Earlier) => say("the last answer was given before this conversation was loaded"),
            Some(Ending::Interrupted) => say("the last answer was stopped"),
            None => {}
        }
    }
}

/// What the last answer took.
fn figures(summary: &Summary, context: usize) -> String {
    let miss = summary
        .cache_miss
        .map(|miss| format!(" ({miss})"))
        .unwrap_or_default();
    let mut text = format!(
        "last answer: {} tokens after {} of prompt, {} of them kept from before{miss}, in a context of {context}; first \
         token after {:.0} ms",
        summary.usage.completion_tokens,
        summary.usage.prompt_tokens,
        summary.usage.cached_tokens,
        summary.timings.time_to_first_token.as_secs_f64() * 1e3,
    );
    for (name, rate) in [
        ("prefill", summary.timings.prefill_tok_s(&summary.usage)),
        ("decode", summary.timings.decode_tok_s(&summary.usage)),
    ] {
        if let Some(rate) = rate {
            text.push_str(&format!(", {name} {rate:.1} tok/s"));
        }
    }
    if summary.drafts.guessed > 0 {
        let (right, guessed) = (summary.drafts.accepted, summary.drafts.guessed);
        text.push_str(&format!("; {right} of {guessed} guessed tokens were right"));
    }
    text
}

/// Tells the person something, on one line of its own.
fn say(text: &str) {
    failure::complain(&format!("wick: {}\n", failure::one_line(text)));
}
