//! The question whether a call may run.
//!
//! **Nothing runs that a person did not allow**: by a yes to this call, by an earlier `always`, or by `--allow`. What was
//! typed before the question was asked answers nothing.

use std::collections::BTreeSet;

use chat::{Decision, Question};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use super::view::Screen;
use crate::failure;

/// What a person is asked.
const ASKED: &str = "run it? [y]es, [n]o, [a]lways in this chat (no) ";

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
    /// A terminal that cannot be read.
    pub(super) fn decide(&mut self, question: Question, screen: Screen) -> anyhow::Result<()> {
        let name = question.proposal.call.name.clone();
        if self.always(&name) {
            question.answer(Decision::Allow);
            return Ok(());
        }
        if !self.interactive {
            failure::complain(&format!(
                "wick: {} is not run: nobody can be asked, and no --allow names it\n",
                failure::one_line(&name)
            ));
            question.answer(Decision::refuse());
            return Ok(());
        }
        discard_typed();
        let asked = screen.faint(ASKED);
        let mut editor: Editor<(), MemHistory> = Editor::with_history(Config::default(), MemHistory::new())?;
        let decision = match editor.readline(&(ASKED, asked)) {
            Ok(line) => match line.trim().to_lowercase().as_str() {
                "y" | "yes" => Decision::Allow,
                "a" | "always" => {
                    self.always.insert(name);
                    Decision::Allow
                }
                _ => Decision::refuse(),
            },
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => Decision::refuse(),
            Err(error) => {
                question.answer(Decision::refuse());
                return Err(error.into());
            }
        };
        question.answer(decision);
        Ok(())
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
