//! Tables: columns as wide as their first rows need, shown row by row.
//!
//! Widths are settled when the first row below the heading is complete, so that a row is shown as soon as it has come; text
//! that is wider than its column runs on below. Where the terminal has no room for columns, every row is a list of its cells.

use super::super::flow::{Flow, width, width_of};
use super::super::style::{Colour, Style};
use super::inline;

/// Columns that are the least of a column.
const LEAST: usize = 3;

/// Columns that a later row may be wider than the first ones.
const SLACK: usize = 6;

const HEADING: Style = Style::of(Colour::Magenta).bold();

/// Letters of a cell.
type Cell = Vec<(char, Style)>;

/// A table of which the heading is known.
#[derive(Debug)]
pub(super) struct Table {
    heading: Vec<Cell>,
    sides: Vec<Side>,
    widths: Option<Widths>,
    colours: bool,
}

/// Where a cell's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Centre,
    Right,
}

#[derive(Debug)]
enum Widths {
    Columns(Vec<usize>),
    /// There is no room for columns.
    List,
}

impl Table {
    /// The table that two lines begin, if the second one rules the first off.
    pub(super) fn new(heading: &str, rule: &str, colours: bool) -> Option<Self> {
        let rule = cells(rule);
        let sides = rule.iter().map(|cell| side(cell)).collect::<Option<Vec<_>>>()?;
        let look = if colours { HEADING } else { Style::PLAIN };
        let heading: Vec<Cell> = cells(heading)
            .iter()
            .map(|cell| set(cell, look, colours))
            .collect();
        (heading.len() == sides.len() && !sides.is_empty()).then_some(Self {
            heading,
            sides,
            widths: None,
            colours,
        })
    }

    /// Shows a row.
    pub(super) fn row(&mut self, line: &str, flow: &mut Flow) {
        let mut row: Vec<Cell> = cells(line)
            .iter()
            .map(|cell| set(cell, Style::PLAIN, self.colours))
            .collect();
        row.resize(self.sides.len(), Cell::new());
        self.settle(&row, flow);
        self.show(&row, flow);
    }

    /// Shows the heading of a table that had no rows.
    pub(super) fn end(&mut self, flow: &mut Flow) {
        self.settle(&[], flow);
    }

    /// Settles the widths and shows the heading, once.
    fn settle(&mut self, row: &[Cell], flow: &mut Flow) {
        if self.widths.is_some() {
            return;
        }
        let natural = |index: usize| {
            let of = |cells: &[Cell]| cells.get(index).map_or(0, |cell| width_of(cell));
            of(&self.heading).max(of(row)).max(LEAST)
        };
        let least: Vec<usize> = (0..self.sides.len()).map(natural).collect();
        self.widths = Some(widths(&least, flow.room()));
        if let Some(Widths::Columns(columns)) = &self.widths {
            let rule: Vec<Cell> = columns
                .iter()
                .map(|width| vec![(if self.colours { '─' } else { '-' }, Style::FAINT); *width])
                .collect();
            let heading = std::mem::take(&mut self.heading);
            self.show(&heading, flow);
            self.show(&rule, flow);
            self.heading = heading;
        }
    }

    fn show(&self, row: &[Cell], flow: &mut Flow) {
        match &self.widths {
            Some(Widths::Columns(columns)) => self.show_columns(row, columns, flow),
            _ => self.show_list(row, flow),
        }
    }

    fn show_columns(&self, row: &[Cell], columns: &[usize], flow: &mut Flow) {
        let broken: Vec<Vec<Cell>> = row
            .iter()
            .zip(columns)
            .map(|(cell, width)| broken(cell, *width))
            .collect();
        let height = broken.iter().map(Vec::len).max().unwrap_or(0);
        let between = if self.colours { '│' } else { '|' };
        for line in 0..height {
            for (index, (cell, column)) in broken.iter().zip(columns).enumerate() {
                let text = cell.get(line).map(Vec::as_slice).unwrap_or_default();
                let last = index + 1 == columns.len();
                if index > 0 {
                    for letter in [' ', between, ' '] {
                        flow.fixed(letter, Style::FAINT);
                    }
                }
                let free = column.saturating_sub(width_of(text));
                let before = match self.sides.get(index) {
                    Some(Side::Right) => free,
                    Some(Side::Centre) => free / 2,
                    _ => 0,
                };
                let after = if last { 0 } else { free - before };
                let spaces = |count| std::iter::repeat_n((' ', Style::PLAIN), count);
                for (letter, style) in spaces(before).chain(text.iter().copied()).chain(spaces(after)) {
                    flow.fixed(letter, style);
                }
            }
            flow.end_line();
        }
    }

    fn show_list(&self, row: &[Cell], flow: &mut Flow) {
        for (name, cell) in self.heading.iter().zip(row) {
            let between = [(':', Style::PLAIN), (' ', Style::PLAIN)];
            flow.begin(&[], &[(' ', Style::PLAIN), (' ', Style::PLAIN)]);
            for (letter, style) in name.iter().chain(&between).chain(cell) {
                flow.letter(*letter, *style);
            }
            flow.end_line();
        }
        flow.end_line();
    }
}

/// The widths of columns of which these are the natural ones, in so much room.
fn widths(natural: &[usize], room: usize) -> Widths {
    let between = 3 * natural.len().saturating_sub(1);
    if natural.len() * LEAST + between > room {
        return Widths::List;
    }
    let room = room - between;
    let mut widths = natural.to_vec();
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else {
            break;
        };
        *widest -= 1;
    }
    let slack = room.saturating_sub(widths.iter().sum());
    let share = (slack / widths.len().max(1)).min(SLACK);
    widths.iter_mut().for_each(|width| *width += share);
    Widths::Columns(widths)
}

/// The lines that a cell takes in a column of a width; words are kept whole where they fit.
fn broken(cell: &[(char, Style)], column: usize) -> Vec<Cell> {
    let mut lines = vec![Cell::new()];
    for word in cell.split(|(letter, _)| *letter == ' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && width_of(line) + 1 + width_of(word) <= column {
            line.push((' ', word.first().map_or(Style::PLAIN, |(_, style)| *style)));
            line.extend_from_slice(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(Cell::new());
        }
        for letter in word {
            let Some(line) = lines.last_mut() else { break };
            if !line.is_empty() && width_of(line) + width(letter.0) > column {
                lines.push(vec![*letter]);
            } else {
                line.push(*letter);
            }
        }
    }
    lines
}

/// The cells of a line, without the marks at its ends.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let (mut escaped, mut code) = (false, false);
    for letter in line.chars() {
        match letter {
            '|' if !escaped && !code => cells.push(String::new()),
            _ => {
                let Some(cell) = cells.last_mut() else { break };
                if escaped && letter == '|' {
                    cell.pop();
                }
                cell.push(letter);
            }
        }
        if letter == '`' && !escaped {
            code = !code;
        }
        escaped = letter == '\\' && !escaped;
    }
    // What stands behind the last mark is a cell only if it is one.
    if cells.len() > 1 && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// Where the text stands under a piece of a rule; `None` if it is none.
fn side(cell: &str) -> Option<Side> {
    let (left, right) = (cell.starts_with(':'), cell.ends_with(':'));
    let dashes = cell.trim_matches(':');
    if dashes.is_empty() || dashes.chars().any(|letter| letter != '-') {
        return None;
    }
    Some(match (left, right) {
        (true, true) => Side::Centre,
        (false, true) => Side::Right,
        _ => Side::Left,
    })
}

/// A cell with its marks turned to looks; without colours they stay.
fn set(cell: &str, base: Style, colours: bool) -> Cell {
    if !colours {
        return cell.chars().map(|letter| (letter, base)).collect();
    }
    let letters: Vec<char> = cell.chars().collect();
    let mut set = Cell::new();
    inline::whole(&letters, base, &mut |letter, style| set.push((letter, style)));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[&str], width: usize) -> String {
        let mut flow = Flow::new(width, false);
        let (heading, rows) = lines.split_at(2);
        let mut table = Table::new(heading[0], heading[1], false).expect("a table");
        for row in rows {
            table.row(row, &mut flow);
        }
        table.end(&mut flow);
        flow.take()
    }

    #[test]
    fn columns_are_aligned_and_long_cells_run_on() {
        let lines = ["| a | b |", "|---|--:|", "| x | 1 |", "| a longer cell | 22 |"];
        assert_eq!(
            shown(&lines, 40),
            "a         |         b\n--------- | ---------\nx         |         1\na longer  |        22\ncell      |          \n"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_a_list() {
        let lines = ["| a | b | c | d |", "|---|---|---|---|", "| 1 | 2 | 3 | 4 |"];
        assert_eq!(shown(&lines, 20), "a: 1\nb: 2\nc: 3\nd: 4\n\n");
    }

    #[test]
    fn cells_may_hold_escaped_bars_and_code() {
        assert_eq!(cells(r"| a \| b | `c | d` |"), ["a | b", "`c | d`"]);
        assert_eq!(cells("a | b"), ["a", "b"]);
    }

    #[test]
    fn lines_that_are_no_table_are_told() {
        assert!(Table::new("| a | b |", "| a | b |", false).is_none());
        assert!(Table::new("| a | b |", "|---|", false).is_none());
        assert!(Table::new("| a |", "|:-:|", false).is_some());
    }
}
