//! The question whether a call may run.
//!
//! **Nothing runs that a person did not allow**: by a yes to this call, by an earlier `always`, or by `--allow`. What was
//! typed before the question was asked answers nothing, and a call that was not shown whole takes no yes until it was.

use std::collections::BTreeSet;

use chat::{Decision, Question};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use super::view::{self, Screen};
use crate::{failure, output};

/// What a person is asked.
const ASKED: &str = "run it? [y]es, [n]o, [a]lways in this chat (no) ";

/// The same where the call is too long to be shown at once.
const ASKED_OF_LONG: &str = "run it? [v]iew it whole first, [n]o (no) ";

/// What becomes of the answer that a call is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on, with the call or without.
    Decided,
    /// Ctrl-C: it stops, and the call does not run.
    Stopped,
}

/// What was allowed so far.
#[derive(Debug)]
pub(super) struct Confirmation {
    always: BTreeSet<String>,
    /// Whether a person can be asked.
    interactive: bool,
}

impl Confirmation {
    /// Allows every call of these tools, and asks about others where `interactive`.
    pub(super) fn new(allowed: &[String], interactive: bool) -> Self {
        Self {
            always: allowed.iter().cloned().collect(),
            interactive,
        }
    }

    /// Whether every call of this tool runs.
    pub(super) fn always(&self, tool: &str) -> bool {
        self.always.contains(tool)
    }

    /// Answers a question, after a person did where that is needed.
    ///
    /// # Errors
    ///
    /// A terminal that cannot be read or written to.
    pub(super) fn decide(&mut self, question: Question, screen: Screen) -> anyhow::Result<Verdict> {
        let name = question.proposal.call.name.clone();
        if self.always(&name) {
            question.answer(Decision::Allow);
            return Ok(Verdict::Decided);
        }
        if !self.interactive {
            failure::complain(&format!(
                "wick: {} is not run: nobody can be asked, and no --allow names it\n",
                failure::one_line(&name)
            ));
            question.answer(Decision::refuse());
            return Ok(Verdict::Decided);
        }
        discard_typed();
        // A question that is dropped is a no.
        let mut editor: Editor<(), MemHistory> = Editor::with_history(Config::default(), MemHistory::new())?;
        let mut seen = view::is_shown_whole(&question.proposal.call, screen);
        loop {
            let asked = if seen { ASKED } else { ASKED_OF_LONG };
            let line = match editor.readline(&(asked, screen.faint(asked))) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => return Ok(Verdict::Stopped),
                Err(ReadlineError::Eof) => String::new(),
                Err(error) => return Err(error.into()),
            };
            let decision = match (line.trim().to_lowercase().as_str(), seen) {
                ("v" | "view", _) => {
                    output::write(&view::whole(&question.proposal.call))?;
                    seen = true;
                    continue;
                }
                ("y" | "yes" | "a" | "always", false) => {
                    failure::complain("wick: not all of the call was shown; v shows it\n");
                    continue;
                }
                ("y" | "yes", true) => Decision::Allow,
                ("a" | "always", true) => {
                    self.always.insert(name);
                    Decision::Allow
                }
                _ => Decision::refuse(),
            };
            question.answer(decision);
            return Ok(Verdict::Decided);
        }
    }
}

/// Whether a person at the terminal says yes to `question`; anything else is a no.
///
/// # Errors
///
/// A terminal that cannot be read.
pub(super) fn is_sure(question: &str) -> anyhow::Result<bool> {
    discard_typed();
    let mut editor: Editor<(), MemHistory> = Editor::with_history(Config::default(), MemHistory::new())?;
    match editor.readline(&format!("{} [y]es, [n]o (no) ", failure::one_line(question))) {
        Ok(line) => Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes")),
        Err(ReadlineError::Interrupted | ReadlineError::Eof) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Throws away what was typed and not read yet.
fn discard_typed() {
    #[cfg(unix)]
    {
        // What cannot be thrown away is asked about like anything else.
        let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
    }
}
