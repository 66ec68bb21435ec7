//! A chat that is held: lines in, answers out, and what becomes of both.
//!
//! A failure of an answer ends the program in a pipe; a person is told and may go on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::bail;
use chat::{AgentRole, Chat, Event, Questions, Summary};
use engine::{CandleCompletionModel, CandlePrompt};
use futures::StreamExt as _;
use tokio::runtime::Runtime;

use super::command::{self, Command, Entry};
use super::confirmation::{self, Confirmation, Verdict};
use super::lines::{Line, Lines};
use super::setting::{self, Defaults, Display};
use super::view::{Screen, View};
use super::{counted, keeping, say, showing, tell, usable};
use crate::arguments::{ChatArguments, ModelArguments};
use crate::interrupt::{self, Outcome, Press, Presses};
use crate::loading::{self, Model};
use crate::{failure, output};

/// Bytes of the longest message that is sent; no context holds more.
const LONGEST: usize = 4 << 20;

/// A chat with everything that it needs.
pub(super) struct Session<'a> {
    pub(super) chat: Chat,
    pub(super) model: Model,
    pub(super) display: Display,
    pub(super) confirmation: Confirmation,
    /// Where the store lies that `/memory on` opens.
    pub(super) memory: Option<PathBuf>,
    pub(super) screen: Screen,
    arguments: ModelArguments,
    defaults: Defaults,
    questions: Questions,
    lines: Lines,
    runtime: &'a Runtime,
    /// Messages that were sent since the conversation was empty.
    messages: usize,
    /// Whether a command was not obeyed.
    refused: bool,
}

/// What is to be answered.
enum Ask<'a> {
    Message(&'a str),
    /// The last message anew.
    Again,
}

/// How an answer ended.
enum Reply {
    /// By itself, or by an error that was shown.
    Given,
    /// By Ctrl-C.
    Stopped,
}

impl<'a> Session<'a> {
    /// A session that has said nothing yet.
    pub(super) fn new(
        role: AgentRole,
        model: Model,
        lines: Lines,
        questions: Questions,
        screen: Screen,
        arguments: &ChatArguments,
        runtime: &'a Runtime,
    ) -> Self {
        let conversation = &arguments.conversation;
        Self {
            defaults: Defaults::of(&role),
            chat: role.chat(),
            model,
            display: Display::default(),
            confirmation: Confirmation::new(&conversation.allow, lines.interactive()),
            memory: conversation.memory.clone().or_else(crate::settings::memory),
            screen,
            arguments: arguments.model.clone(),
            questions,
            lines,
            runtime,
            messages: 0,
            refused: false,
        }
    }

    /// Answers line after line until there are no more, and keeps what could not be kept before; the exit status.
    ///
    /// # Errors
    ///
    /// Input or output that fails; in a pipe, a message that gets no answer.
    pub(super) fn hold(mut self) -> anyhow::Result<u8> {
        let held = self.converse();
        let lost = keeping::keep_rest(&mut self.chat);
        if let Some(lost) = &lost {
            say(lost);
        }
        match held {
            Ok(0) if lost.is_some() && !self.lines.interactive() => Ok(1),
            held => held,
        }
    }

    /// Answers line after line; the exit status.
    fn converse(&mut self) -> anyhow::Result<u8> {
        let interactive = self.lines.interactive();
        if interactive {
            self.greet();
        }
        let mut presses = Presses::default();
        loop {
            self.lines.offer(keeping::titles(&self.chat));
            let line = match self.lines.next(self.runtime)? {
                Line::Text(line) => line,
                Line::End => return Ok(self.status_at_end()),
                Line::Interrupted if !interactive => return Ok(failure::INTERRUPTED),
                Line::Interrupted => {
                    match presses.press(Instant::now()) {
                        Press::First => say("Ctrl-C again leaves, and so do Ctrl-D and /exit"),
                        Press::Same => {}
                        Press::Again => return Ok(0),
                    }
                    continue;
                }
            };
            presses.forget();
            let ask = match command::read(&line) {
                Entry::Nothing => continue,
                Entry::Message(message) => Ask::Message(message),
                Entry::Command(Command::Exit) => return Ok(self.status_at_end()),
                Entry::Command(Command::Regenerate) if self.is_begun() => Ask::Again,
                Entry::Command(command) => {
                    if let Err(fault) = self.obey(command) {
                        self.refuse(&failure::chain(fault.as_ref()));
                    }
                    continue;
                }
                Entry::Wrong(fault) => {
                    self.refuse(&fault);
                    continue;
                }
            };
            match self.answer(ask)? {
                Reply::Stopped if !interactive => return Ok(failure::INTERRUPTED),
                // The next one leaves.
                Reply::Stopped => {
                    presses.press(Instant::now());
                }
                Reply::Given => {}
            }
        }
    }

    /// Tells why something is not done; in a pipe, the exit status tells it too.
    fn refuse(&mut self, fault: &str) {
        say(fault);
        self.refused = true;
    }

    /// The exit status after the last line.
    fn status_at_end(&self) -> u8 {
        u8::from(self.refused && !self.lines.interactive())
    }

    /// Whether there is a message that may be answered anew.
    fn is_begun(&self) -> bool {
        self.messages > 0 || !self.chat.conversation().is_empty()
    }

    /// Whether the conversation may be left behind: it is kept, or a person says so; where nobody can be asked, it is told
    /// what is lost.
    ///
    /// # Errors
    ///
    /// A terminal that cannot be read.
    fn may_drop(&mut self) -> anyhow::Result<bool> {
        let lost = keeping::unkept(&self.chat);
        if lost == 0 {
            return Ok(true);
        }
        let lost = format!("{} of this conversation, kept nowhere,", counted(lost));
        if !self.lines.interactive() {
            say(&format!("{lost} cannot be gone back to"));
            return Ok(true);
        }
        let sure = confirmation::is_sure(&format!("drop {lost} for good?"))?;
        if !sure {
            say("the conversation stays; /export writes it to a file, and /memory on with /save keeps it");
        }
        Ok(sure)
    }

    fn greet(&self) {
        let role = self.chat.role();
        let memory = match &role.memory {
            Some(_) => "conversations are kept",
            None => "nothing is kept",
        };
        say(&format!(
            "{}, context {}, {memory}; /help lists commands",
            role.name,
            role.provider.context_length()
        ));
    }

    /// Streams the answer. A failure ends the program in a pipe; a person is told and may go on.
    fn answer(&mut self, ask: Ask<'_>) -> anyhow::Result<Reply> {
        let interactive = self.lines.interactive();
        if let Ask::Message(message) = ask
            && message.len() > LONGEST
        {
            let fault = format!(
                "the message has {} bytes, and no more than {LONGEST} can be sent",
                message.len()
            );
            anyhow::ensure!(interactive, fault);
            say(&fault);
            return Ok(Reply::Given);
        }
        let (screen, provider) = (self.screen, Arc::clone(&self.chat.role().provider));
        let mut view = View::new(screen, self.display);
        let mut done = None;
        let mut answer = match ask {
            Ask::Message(message) => {
                self.messages += 1;
                self.chat.send(message)
            }
            Ask::Again => self.chat.regenerate(),
        };
        let (questions, confirmation) = (&mut self.questions, &mut self.confirmation);
        let outcome = self.runtime.block_on(interrupt::or_interrupt(async {
            loop {
                tokio::select! {
                    biased;
                    event = answer.next() => match event {
                        None => return anyhow::Ok(Verdict::Decided),
                        Some(event) => {
                            let event = event?;
                            view.event(&event, |text| tokens(&*provider, text))?;
                            if let Event::Done(summary) = event {
                                done = Some(summary);
                            }
                        }
                    },
                    Some(question) = questions.next() => {
                        if confirmation.decide(question, screen)? == Verdict::Stopped {
                            return Ok(Verdict::Stopped);
                        }
                    }
                }
            }
        }));
        drop(answer);
        view.end()?;
        match outcome? {
            Outcome::Done(Ok(Verdict::Decided)) => {
                self.status(done.as_ref())?;
                Ok(Reply::Given)
            }
            Outcome::Done(Err(error)) if interactive && !failure::is_output_closed(&error) => {
                say(&failure::chain(error.as_ref()));
                Ok(Reply::Given)
            }
            Outcome::Done(Err(error)) => Err(error),
            Outcome::Interrupted | Outcome::Done(Ok(Verdict::Stopped)) => {
                say("stopped; /regen answers anew, Ctrl-C again leaves");
                if let Some(fault) = self.chat.memory_fault() {
                    say(&fault.to_string());
                }
                Ok(Reply::Stopped)
            }
        }
    }

    /// The figures of an answer, for a person.
    fn status(&self, summary: Option<&Summary>) -> anyhow::Result<()> {
        match summary {
            Some(summary) if self.screen.terminal && self.display.status => {
                output::write(&format!("{}\n", self.screen.status(summary)))
            }
            _ => Ok(()),
        }
    }

    fn obey(&mut self, command: Command<'_>) -> anyhow::Result<()> {
        match command {
            Command::Help(of) => failure::complain(&command::help(of, self.screen.colours)),
            Command::Model(None) => say(&showing::model(&self.chat)),
            Command::Model(Some(model)) => self.load(model)?,
            Command::System(None) => say(&showing::system(&self.chat)),
            Command::System(Some(text)) => {
                self.chat.role_mut().system_prompt = (text != "off").then(|| text.to_owned());
                say(&showing::system(&self.chat));
            }
            Command::Set(None, _) => tell(&setting::list(self.chat.role(), &self.display)),
            Command::Set(Some(name), value) => self.set(name, value)?,
            Command::Show(topic) => showing::show(self, topic)?,
            Command::Tools => tell(&showing::tools(self)),
            Command::Memory(asked) => keeping::obey(self, asked)?,
            Command::Undo => {
                match self.chat.undo()? {
                    Some(turn) => say(&format!("taken back: {}", turn.user)),
                    None => say("there is nothing to take back"),
                }
                // A message without an answer is taken back with it.
                self.messages = 0;
            }
            Command::Branch(title) => keeping::branch(&mut self.chat, title)?,
            Command::Save(title) => keeping::save(&mut self.chat, title)?,
            Command::Load(wanted) => {
                // Known before anything is given up for it.
                let id = keeping::named(&self.chat, wanted)?;
                if self.may_drop()? {
                    keeping::load(&mut self.chat, id)?;
                }
            }
            Command::List => tell(&keeping::list(&self.chat)?),
            Command::Export(file) => keeping::export(&self.chat, file)?,
            Command::Clear => {
                if self.may_drop()? {
                    self.chat.clear();
                    self.messages = 0;
                    say("the conversation is empty");
                }
            }
            Command::Stats => showing::statistics(&self.chat),
            Command::Regenerate => bail!("there is no message to answer anew"),
            // That is obeyed where lines are read.
            Command::Exit => {}
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> anyhow::Result<()> {
        if let Some(value) = value {
            self.defaults
                .set(name, value, self.chat.role_mut(), &mut self.display)
                .map_err(anyhow::Error::msg)?;
        }
        let shown = setting::shown(name, self.chat.role(), &self.display).map_err(anyhow::Error::msg)?;
        say(&format!("{name} is {shown}"));
        Ok(())
    }

    /// Loads another model; the one before answers until it is there, and goes on if it cannot be loaded.
    fn load(&mut self, name: &str) -> anyhow::Result<()> {
        let arguments = self.arguments.naming(name);
        let Outcome::Done(model) = self.runtime.block_on(loading::load(&arguments))? else {
            say("the model stays as it is");
            return Ok(());
        };
        usable(&model, !self.chat.role().tools.is_empty())?;
        let role = self.chat.role_mut();
        role.name = model.provider.name().to_owned();
        role.provider = Arc::clone(&model.provider);
        self.model = model;
        say(&showing::model(&self.chat));
        Ok(())
    }
}

/// The tokens of a text, where the provider counts.
fn tokens(provider: &dyn CandleCompletionModel, text: &str) -> Option<usize> {
    provider.count_tokens(&CandlePrompt::raw(text.to_owned())).ok()
}
