//! What Tab completes: commands, their words, settings, models, titles and files.

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::command::{COMMANDS, description};
use super::{draft, setting};
use crate::{failure, output, pulling};

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
                let (from, mut found) = showable(self.files.complete(line, pos, context))?;
                if from == start {
                    let mut models = fitting(models(), arguments, false);
                    models.append(&mut found);
                    return Ok((start, models));
                }
                Ok((from, found))
            }
            "export" => showable(self.files.complete(line, pos, context)),
            name => {
                let words = description(name).map_or(&[][..], |found| found.words);
                word(words.iter().map(|word| (*word).to_owned()).collect())
            }
        }
    }
}

/// Files whose names a terminal shows as they are. Others have to be typed.
fn showable(found: rustyline::Result<(usize, Vec<Pair>)>) -> rustyline::Result<(usize, Vec<Pair>)> {
    let steers = |text: &str| text.chars().any(output::steers);
    let (from, mut files) = found?;
    files.retain(|file| !steers(&file.display) && !steers(&file.replacement));
    Ok((from, files))
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
    // Names are others' words: none of them is put into the line with what a terminal would obey.
    let names = names.into_iter().map(|name| failure::one_line(&name));
    let fits = |name: &String| name.starts_with(typed);
    let pair = |name: String| Pair {
        display: name.clone(),
        replacement: if space { format!("{name} ") } else { name },
    };
    names.filter(fits).map(pair).collect()
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

    #[test]
    fn names_that_would_steer_a_terminal_are_not_offered_raw() {
        let title = "\u{1b}]0;owned\u{7}den\u{202e}";
        let assistant = Assistant {
            titles: vec![title.to_owned()],
            ..Assistant::default()
        };
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["good.md", "bad\u{1b}[2J.md"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let history = MemHistory::new();
        let context = Context::new(&history);
        for (line, count) in [
            ("/load ".to_owned(), 1),
            (format!("/export {}/", folder.path().display()), 1),
        ] {
            let (_, found) = assistant
                .complete(&line, line.len(), &context)
                .expect("no failure");
            assert_eq!(found.len(), count, "{line}");
            for pair in found {
                let both = pair.display + &pair.replacement;
                assert!(!both.chars().any(output::steers), "{both:?}");
            }
        }
    }

    #[cfg(feature = "demo")]
    #[test]
    fn the_demo_is_among_the_models() {
        assert!(completed("/model de").contains(&"/model demo".to_owned()));
    }
}
