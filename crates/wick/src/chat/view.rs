//! An answer as it is shown: at a terminal with its marks as looks, its reasoning and its calls; in a pipe its text alone.
//!
//! Standard output carries what is shown. Everything that comes from a model, a tool or a store goes through
//! [`harmless`](output::harmless) first.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use chat::{Event, Outcome, Summary, ToolResult};
use engine::{FinishReason, ToolCall};

use super::flow::Flow;
use super::markdown::Markdown;
use super::setting::{Display, Reasoning};
use super::style::{Colour, Style};
use crate::arguments::ColourChoice;
use crate::{failure, output};

/// Lines of a tool's result that are shown.
const MOST_LINES: usize = 12;

/// Lines of a tool's arguments that are shown unasked.
const CALL_LINES: usize = 40;

/// Columns where a terminal does not tell its own.
const COLUMNS: usize = 80;

/// Where answers are shown, and in which way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Whether a person looks at it.
    pub(super) terminal: bool,
    pub(super) colours: bool,
}

impl Screen {
    /// Standard output, with colours as `choice` says.
    pub(super) fn of_standard_output(choice: ColourChoice) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colours = match choice {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto => terminal && wanted(),
        };
        Self { terminal, colours }
    }

    /// Columns that the terminal has at this moment.
    fn columns(self) -> usize {
        let size = console::Term::stdout().size_checked();
        match size {
            Some((_, columns)) if self.terminal && columns > 0 => usize::from(columns),
            _ => COLUMNS,
        }
    }

    /// What an answer took, on one line that fits.
    pub(super) fn status(self, summary: &Summary) -> String {
        self.faint(&status(summary, self.columns()))
    }

    /// `text` faint, where there are colours.
    pub(super) fn faint(self, text: &str) -> String {
        Style::FAINT.paint(text, self.colours)
    }
}

/// Whether the environment wants colours: no `NO_COLOR`, and a terminal that can do more than print.
fn wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb")
}

/// One answer on its way.
pub(super) struct View {
    screen: Screen,
    display: Display,
    part: Part,
    /// Whether the line that was written last is not ended, in a pipe.
    mid_line: bool,
    /// What the model thought in this answer.
    reasoning: String,
    thought: Duration,
}

/// What is being shown.
enum Part {
    Nothing,
    Text(Box<Markdown>),
    Reasoning { flow: Flow, since: Instant, begun: bool },
}

impl View {
    /// Shows an answer.
    pub(super) fn new(screen: Screen, display: Display) -> Self {
        Self {
            screen,
            display,
            part: Part::Nothing,
            mid_line: false,
            reasoning: String::new(),
            thought: Duration::ZERO,
        }
    }

    /// Shows what an event tells; figures are not among it.
    ///
    /// # Errors
    ///
    /// Where standard output cannot be written to.
    pub(super) fn event(
        &mut self,
        event: &Event,
        tokens: impl Fn(&str) -> Option<usize>,
    ) -> anyhow::Result<()> {
        if !matches!(event, Event::Reasoning(_)) {
            self.end_reasoning(&tokens)?;
        }
        match event {
            Event::Text(text) => self.text(text),
            Event::Reasoning(text) => self.think(text),
            Event::ToolCall(call) => self.call(call),
            Event::ToolResult(result) => self.result(result),
            Event::Recalled(injection) => {
                for item in &injection.items {
                    self.aside(&format!("recalled: {}", short(&item.text, 160)))?;
                }
                Ok(())
            }
            Event::Trimmed(trimmed) => self.aside(&format!(
                "the context is full: the first {} turns are not shown to the model any more",
                trimmed.turns.end
            )),
            Event::Summarised(summarised) => self.aside(&format!(
                "the context is full: the model is shown a summary of the first {} turns: {}",
                summarised.turns.end,
                short(&summarised.summary, 400)
            )),
            Event::MemoryFailed(fault) => self.aside(&fault.to_string()),
            _ => Ok(()),
        }
    }

    /// Ends what is shown, and its line.
    ///
    /// # Errors
    ///
    /// Where standard output cannot be written to.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        self.end_reasoning(&|_| None)?;
        self.end_text()
    }

    fn end_text(&mut self) -> anyhow::Result<()> {
        if let Part::Text(markdown) = &mut self.part {
            let rest = markdown.end();
            self.part = Part::Nothing;
            output::write(&rest)?;
        }
        if std::mem::take(&mut self.mid_line) {
            output::write("\n")?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> anyhow::Result<()> {
        let Screen { terminal, colours } = self.screen;
        if !terminal && !colours {
            self.mid_line = !text.ends_with('\n');
            return output::write(text);
        }
        let columns = self.screen.columns();
        if !matches!(self.part, Part::Text(_)) {
            self.part = Part::Text(Box::new(Markdown::new(columns, colours && self.display.markdown)));
        }
        let Part::Text(markdown) = &mut self.part else {
            return Ok(());
        };
        markdown.resize(columns);
        let shown = markdown.push(&output::harmless(text));
        output::write(&shown)
    }

    fn think(&mut self, text: &str) -> anyhow::Result<()> {
        self.reasoning.push_str(text);
        if !self.screen.terminal {
            return Ok(());
        }
        let columns = self.screen.columns();
        if !matches!(self.part, Part::Reasoning { .. }) {
            self.end_text()?;
            self.part = Part::Reasoning {
                flow: Flow::new(columns, self.screen.colours),
                since: Instant::now(),
                begun: false,
            };
            if self.display.reasoning == Reasoning::Fold && self.screen.colours {
                output::write(&self.screen.faint("thinking ..."))?;
            }
        }
        let Part::Reasoning { flow, begun, .. } = &mut self.part else {
            return Ok(());
        };
        if self.display.reasoning != Reasoning::Show {
            return Ok(());
        }
        flow.resize(columns);
        for letter in output::harmless(text).chars() {
            match letter {
                // Empty lines at the beginning are left out.
                '\n' if *begun => flow.end_line(),
                '\n' => {}
                letter => {
                    *begun = true;
                    flow.letter(letter, Style::FAINT);
                }
            }
        }
        let shown = flow.take();
        output::write(&shown)
    }

    /// Ends the reasoning, where there is some; a folded one leaves its line.
    fn end_reasoning(&mut self, tokens: &impl Fn(&str) -> Option<usize>) -> anyhow::Result<()> {
        let Part::Reasoning { flow, since, .. } = &mut self.part else {
            return Ok(());
        };
        let took = since.elapsed();
        self.thought += took;
        let mut shown = String::new();
        match self.display.reasoning {
            Reasoning::Show if flow.mid_line() => {
                flow.end_line();
                shown = flow.take();
            }
            Reasoning::Show => {}
            Reasoning::Hide => {}
            Reasoning::Fold => {
                if self.screen.colours {
                    shown.push_str("\r\u{1b}[K");
                }
                let count =
                    tokens(&self.reasoning).map_or(String::new(), |count| format!(", {count} tokens"));
                let line = format!("thought for {:.1} s{count}", took.as_secs_f64());
                shown.push_str(&self.screen.faint(&line));
                shown.push('\n');
            }
        }
        if self.display.reasoning == Reasoning::Show && self.screen.terminal {
            shown.push('\n');
        }
        self.part = Part::Nothing;
        output::write(&shown)
    }

    /// A line beside the answer: faint at a terminal, on standard error in a pipe.
    fn aside(&mut self, line: &str) -> anyhow::Result<()> {
        self.end_text()?;
        let line = failure::one_line(line);
        if self.screen.terminal {
            output::write(&format!("{}\n", self.screen.faint(&line)))
        } else {
            failure::complain(&format!("wick: {line}\n"));
            Ok(())
        }
    }

    fn call(&mut self, call: &ToolCall) -> anyhow::Result<()> {
        if !self.screen.terminal {
            return self.aside(&format!("call of {}: {}", call.name, short(&call.arguments, 400)));
        }
        self.end_text()?;
        let name = Style::of(Colour::Magenta)
            .bold()
            .paint(&failure::one_line(&call.name), self.screen.colours);
        let arguments = bounded(&arguments(call), CALL_LINES, self.screen.columns());
        output::write(&format!("call of {name} {arguments}\n"))
    }

    fn result(&mut self, result: &ToolResult) -> anyhow::Result<()> {
        let shown = output::harmless(&result.outcome.shown());
        let took = match &result.outcome {
            Outcome::Content { .. } => format!(" ({:.1} s)", result.took.as_secs_f64()),
            _ => String::new(),
        };
        let line = format!("result of {}{took}: {shown}", failure::one_line(&result.name));
        if !self.screen.terminal {
            return self.aside(&short(&line, 400));
        }
        self.end_text()?;
        let lines = bounded(&line, MOST_LINES, self.screen.columns());
        output::write(&format!("{}\n", self.screen.faint(&lines)))
    }
}

/// The arguments of a call as a terminal may have them.
fn arguments(call: &ToolCall) -> String {
    output::harmless(&pretty(&call.arguments))
}

/// Whether all of a call's arguments are shown where the call is.
pub(super) fn is_shown_whole(call: &ToolCall, screen: Screen) -> bool {
    let all = arguments(call);
    bounded(&all, CALL_LINES, screen.columns()) == all
}

/// A call with all of its arguments.
pub(super) fn whole(call: &ToolCall) -> String {
    format!("call of {} {}\n", failure::one_line(&call.name), arguments(call))
}

/// JSON over several lines, where it is JSON that does not fit on a short one.
fn pretty(json: &str) -> String {
    if json.len() <= 60 {
        return json.to_owned();
    }
    let value: Result<serde_json::Value, _> = serde_json::from_str(json);
    value
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| json.to_owned())
}

/// The first lines of `text`, none of them longer than a few lines of the terminal, and how much is left out.
fn bounded(text: &str, most: usize, columns: usize) -> String {
    let letters = most * columns.max(1);
    let cut: String = text.chars().take(letters).collect();
    let lines: Vec<&str> = cut.lines().take(most).collect();
    let shown = lines.join("\n");
    let left = text.chars().count() - shown.chars().count();
    if left > 1 {
        return format!("{shown}\n... and {left} more letters");
    }
    shown
}

/// `text` on one line, cut after so many letters.
pub(super) fn short(text: &str, letters: usize) -> String {
    let line = failure::one_line(text);
    if line.chars().count() <= letters {
        return line;
    }
    let cut: String = line.chars().take(letters).collect();
    format!("{cut} ...")
}

/// What an answer took, on one line of at most so many columns.
fn status(summary: &Summary, columns: usize) -> String {
    let first = summary.timings.time_to_first_token.as_secs_f64();
    let rate = summary.timings.decode_tok_s(&summary.usage);
    let usage = &summary.usage;
    let (cached, prompt) = (usage.cached_tokens, usage.prompt_tokens);
    let mut parts = vec![Figure::new(4, format!("{} tokens", usage.completion_tokens))];
    parts.extend(rate.map(|rate| Figure::new(2, format!("{rate:.1} tok/s"))));
    parts.push(Figure {
        brief: format!("first {first:.2} s"),
        ..Figure::new(1, format!("first token after {first:.2} s"))
    });
    parts.push(Figure {
        brief: format!("{cached} of {prompt} cached"),
        ..Figure::new(0, format!("{cached} of {prompt} prompt tokens cached"))
    });
    if summary.finish == FinishReason::Length {
        parts.push(Figure::new(3, "cut at its length".to_owned()));
    }
    fitted(parts, columns)
}

/// A part of a status line.
#[derive(Clone)]
struct Figure {
    /// What is lightest is left out first.
    weight: u8,
    text: String,
    /// The same in fewer words.
    brief: String,
}

impl Figure {
    fn new(weight: u8, text: String) -> Self {
        let brief = text.clone();
        Self { weight, text, brief }
    }
}

/// The figures on one line; where it is longer than `columns` in fewer words, and then without the lightest ones. The
/// heaviest one stays.
fn fitted(mut parts: Vec<Figure>, columns: usize) -> String {
    let line = |words: Vec<&str>| words.join(" · ");
    let whole = line(parts.iter().map(|part| part.text.as_str()).collect());
    if whole.chars().count() <= columns {
        return whole;
    }
    loop {
        let brief = line(parts.iter().map(|part| part.brief.as_str()).collect());
        if parts.len() <= 1 || brief.chars().count() <= columns {
            return brief;
        }
        let lightest = parts.iter().map(|part| part.weight).min();
        parts.retain(|part| Some(part.weight) != lightest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(bounded("a\nb\nc", 2, 80), "a\nb\n... and 2 more letters");
        assert_eq!(bounded("a\nb\n", 2, 80), "a\nb");
        assert_eq!(
            bounded(&"x".repeat(30), 2, 10),
            format!("{}\n... and 10 more letters", "x".repeat(20))
        );
        assert_eq!(short("a\nb c", 3), "a b ...");
    }

    #[test]
    fn figures_that_do_not_fit_are_left_out_lightest_first() {
        let figure = |weight, text: &str, brief: &str| Figure {
            brief: brief.to_owned(),
            ..Figure::new(weight, text.to_owned())
        };
        let parts = vec![
            figure(3, "abc", "abc"),
            figure(0, "defgh", "def"),
            figure(1, "ghi", "ghi"),
        ];
        for (columns, line) in [
            (17, "abc · defgh · ghi"),
            (16, "abc · def · ghi"),
            (14, "abc · ghi"),
            (8, "abc"),
            (1, "abc"),
        ] {
            assert_eq!(fitted(parts.clone(), columns), line);
        }
    }

    #[test]
    fn short_arguments_stay_on_a_line() {
        assert_eq!(pretty(r#"{"a": 1}"#), r#"{"a": 1}"#);
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(80));
        assert!(pretty(&long).starts_with("{\n  \"a\""));
        assert_eq!(pretty(&"x".repeat(80)), "x".repeat(80));
    }
}
