//! What Tab completes: commands, their words, settings, models, titles and files.

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::command::{COMMANDS, description};
use super::{draft, setting};
use crate::{failure, pulling};

/// What the editor asks while a line is typed.
#[derive(Default)]
pub(super) struct Assistant {
    /// Titles of the kept conversations.
    pub(super) titles: Vec<String>,
    files: FilenameCompleter,
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..pos).unwrap_or_default();
        let Some(rest) = typed.strip_prefix('/') else {
            return Ok((pos, Vec::new()));
        };
        let Some((command, arguments)) = rest.split_once(' ') else {
            let names = COMMANDS.iter().map(|command| command.name.to_owned());
            return Ok((1, fitting(names, rest, true)));
        };
        let start = pos - arguments.len();
        let word = |names: Vec<String>| Ok((start, fitting(names, arguments, false)));
        match command {
            "help" => word(COMMANDS.iter().map(|command| command.name.to_owned()).collect()),
            "set" => match arguments.split_once(' ') {
                None => Ok((start, fitting(setting::names(), arguments, true))),
                Some((name, value)) => Ok((pos - value.len(), fitting(setting::values(name), value, false))),
            },
            "load" => word(self.titles.clone()),
            "model" => {
                let (from, mut found) = self.files.complete(line, pos, context)?;
                if from == start {
                    let mut models = fitting(models(), arguments, false);
                    models.append(&mut found);
                    return Ok((start, models));
                }
                Ok((from, found))
            }
            "export" => self.files.complete(line, pos, context),
            name => {
                let words = description(name).map_or(&[][..], |found| found.words);
                word(words.iter().map(|word| (*word).to_owned()).collect())
            }
        }
    }
}

/// The models that are on this machine, as far as their cache can be read.
fn models() -> Vec<String> {
    let mut models: Vec<String> = pulling::cached().unwrap_or_default();
    if cfg!(feature = "demo") {
        models.push("demo".to_owned());
    }
    models
}

/// Those that begin with what was typed; with `space`, one stands behind each.
fn fitting(names: impl IntoIterator<Item = String>, typed: &str, space: bool) -> Vec<Pair> {
    let fits = |name: &String| name.starts_with(typed);
    let pair = |name: String| Pair {
        display: failure::one_line(&name),
        replacement: if space { format!("{name} ") } else { name },
    };
    names.into_iter().filter(fits).map(pair).collect()
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match draft::goes_on(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use rustyline::history::MemHistory;

    use super::*;

    fn completed(line: &str) -> Vec<String> {
        let assistant = Assistant {
            titles: vec!["foxes".to_owned(), "bears".to_owned()],
            ..Assistant::default()
        };
        let history = MemHistory::new();
        let context = Context::new(&history);
        let (start, found) = assistant
            .complete(line, line.len(), &context)
            .expect("no failure");
        let before = line.get(..start).expect("a place in the line");
        found
            .into_iter()
            .map(|pair| before.to_owned() + &pair.replacement)
            .collect()
    }

    #[test]
    fn commands_and_their_words_are_completed() {
        assert_eq!(completed("/he"), ["/help "]);
        assert_eq!(completed("/help ref"), [""; 0]);
        assert_eq!(completed("/help reg"), ["/help regen"]);
        assert_eq!(completed("/show rea"), ["/show reasoning"]);
        assert_eq!(
            completed("/set reas"),
            ["/set reasoning ", "/set reasoning_effort "]
        );
        assert_eq!(completed("/set reasoning f"), ["/set reasoning fold"]);
        assert_eq!(completed("/load f"), ["/load foxes"]);
        assert_eq!(completed("/memory s"), ["/memory search"]);
        assert_eq!(completed("a message"), [""; 0]);
    }

    #[cfg(feature = "demo")]
    #[test]
    fn the_demo_is_among_the_models() {
        assert!(completed("/model de").contains(&"/model demo".to_owned()));
    }
}
