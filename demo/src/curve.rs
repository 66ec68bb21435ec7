//! The loss curve: every logged step as a line of CSV, and a drawing of it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

const HEADER: &str = "step,tokens,seconds,learning_rate,gradient,loss,held_out_loss,exact_calls";

/// One line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Steps taken.
    pub step: u32,
    /// Tokens read.
    pub tokens: u64,
    /// Seconds spent.
    pub seconds: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Length of the gradient before it was clipped.
    pub gradient: f64,
    /// Mean training loss since the last point, in nats.
    pub loss: f64,
    /// Loss and share of exact calls on held-out dialogues, where they were measured.
    pub held_out: Option<(f64, f64)>,
}

impl Point {
    fn line(&self) -> String {
        let held_out = self
            .held_out
            .map_or_else(|| ",".to_owned(), |(loss, calls)| format!("{loss:.4},{calls:.4}"));
        format!(
            "{},{},{:.1},{:.6},{:.4},{:.4},{held_out}",
            self.step, self.tokens, self.seconds, self.learning_rate, self.gradient, self.loss
        )
    }

    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some(Self {
            step: fields.first()?.parse().ok()?,
            tokens: fields.get(1)?.parse().ok()?,
            seconds: number(2)?,
            learning_rate: number(3)?,
            gradient: number(4)?,
            loss: number(5)?,
            held_out: number(6).zip(number(7)),
        })
    }
}

/// A CSV file that grows.
#[derive(Debug)]
pub struct Curve {
    path: PathBuf,
    file: File,
}

impl Curve {
    /// Begins a file, or goes on after `step` in one that is there.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or written.
    pub fn open(path: &Path, step: u32) -> Result<Self> {
        let kept: Vec<Point> = match std::fs::read_to_string(path) {
            Err(error) if step > 0 => return Err(error).with_context(|| path.display().to_string()),
            Ok(text) if step > 0 => text
                .lines()
                .filter_map(Point::read)
                .filter(|point| point.step <= step)
                .collect(),
            _ => Vec::new(),
        };
        let mut text = format!("{HEADER}\n");
        for point in kept {
            text.push_str(&point.line());
            text.push('\n');
        }
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Appends a line.
    ///
    /// # Errors
    ///
    /// A full disk.
    pub fn push(&mut self, point: &Point) -> Result<()> {
        writeln!(self.file, "{}", point.line()).with_context(|| self.path.display().to_string())
    }

    /// Draws the file as an SVG beside it.
    ///
    /// # Errors
    ///
    /// An empty curve, or a drawing that cannot be written.
    pub fn draw(&self) -> Result<()> {
        let text = std::fs::read_to_string(&self.path)?;
        let points: Vec<Point> = text.lines().filter_map(Point::read).collect();
        draw(&points, &self.path.with_extension("svg")).map_err(|error| anyhow!("{error}"))
    }
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(points: &[Point], path: &Path) -> Drawn {
    let last = points.last().ok_or("the curve has no points")?;
    let highest = points.iter().map(|point| point.loss).fold(0.1, f64::max);
    let root = SVGBackend::new(path, (900, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Demo model: loss and exact calls", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .right_y_label_area_size(50)
        .build_cartesian_2d(0.0..last.tokens as f64 / 1e6, (0.01..highest).log_scale())?
        .set_secondary_coord(0.0..last.tokens as f64 / 1e6, 0.0..1.0);
    chart
        .configure_mesh()
        .x_desc("million tokens")
        .y_desc("nats a token")
        .draw()?;
    chart
        .configure_secondary_axes()
        .y_desc("share of exact calls, held out")
        .draw()?;
    let million = |point: &Point| point.tokens as f64 / 1e6;
    let training = points.iter().map(|point| (million(point), point.loss));
    let held_out = points
        .iter()
        .filter_map(|point| Some((million(point), point.held_out?.0)));
    let calls = points
        .iter()
        .filter_map(|point| Some((million(point), point.held_out?.1)));
    let lines: [(&str, RGBColor); 3] = [
        ("training loss", RGBColor(150, 170, 200)),
        ("held-out loss", RGBColor(20, 60, 140)),
        ("exact calls", RGBColor(200, 90, 20)),
    ];
    let mark = |color: RGBColor| move |(x, y): (i32, i32)| PathElement::new([(x, y), (x + 18, y)], color);
    chart
        .draw_series(LineSeries::new(training, lines[0].1))?
        .label(lines[0].0)
        .legend(mark(lines[0].1));
    chart
        .draw_series(LineSeries::new(held_out, lines[1].1))?
        .label(lines[1].0)
        .legend(mark(lines[1].1));
    chart
        .draw_secondary_series(LineSeries::new(calls, lines[2].1))?
        .label(lines[2].0)
        .legend(mark(lines[2].1));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        for held_out in [None, Some((0.5, 0.25))] {
            let point = Point {
                step: 10,
                tokens: 20_480,
                seconds: 4.5,
                learning_rate: 0.003,
                gradient: 1.25,
                loss: 3.5,
                held_out,
            };
            assert_eq!(Point::read(&point.line()), Some(point));
        }
        assert_eq!(Point::read(HEADER), None);
    }
}
