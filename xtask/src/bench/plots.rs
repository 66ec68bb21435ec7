//! Drawings of records: all engines beside one another, and how we changed from record to record.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::figures::Spread;
use super::llama_cpp;
use super::record::Record;
use super::table::Row;

type Drawn<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One of the figures of a row.
type Speed = fn(&Row) -> Option<Spread>;

const SPEEDS: [(&str, Speed); 2] = [
    ("prefill", |row| row.prefill_tok_s),
    ("decode", |row| row.decode_tok_s),
];

const COLORS: [RGBColor; 8] = [
    RGBColor(200, 90, 20),
    RGBColor(20, 60, 140),
    RGBColor(110, 160, 60),
    RGBColor(140, 90, 160),
    RGBColor(90, 150, 190),
    RGBColor(190, 170, 60),
    RGBColor(120, 120, 120),
    RGBColor(190, 110, 130),
];

/// Speeds of all engines of a record on a logarithmic scale, a group of bars for each model and depth.
pub(super) fn comparison(record: &Record, path: &Path) -> Result<()> {
    let draw = || -> Drawn {
        let root = SVGBackend::new(path, (1400, 840)).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, (name, speed)) in root.split_evenly((2, 1)).iter().zip(SPEEDS) {
            bars(record, name, speed, area)?;
        }
        Ok(root.present()?)
    };
    draw().map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Our speeds at depth 0, record by record.
pub(super) fn history(records: &[&Record], path: &Path) -> Result<()> {
    let draw = || -> Drawn {
        let root = SVGBackend::new(path, (1400, 840)).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, (name, speed)) in root.split_evenly((2, 1)).iter().zip(SPEEDS) {
            lines(records, name, speed, area)?;
        }
        Ok(root.present()?)
    };
    draw().map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn bars(record: &Record, name: &str, speed: Speed, area: &Area<'_>) -> Drawn {
    let groups = named(record, group);
    let mut engines = named(record, |row| row.engine.clone());
    // Of the ways to run llama.cpp, as it is and the best.
    engines.retain(|engine| {
        !engine.starts_with(llama_cpp::DEFAULT)
            || [llama_cpp::DEFAULT, llama_cpp::BEST].contains(&engine.as_str())
    });
    let (least, most) = range(record.rows.iter().filter_map(speed));
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{name}, tokens per second"), ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(46)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..groups.len().max(1) as f64, (least..most).log_scale())?;
    let label = |x: &f64| groups.get(x.round() as usize).cloned().unwrap_or_default();
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(groups.len() + 1)
        .x_label_offset(1320 / (2 * groups.len().max(1) as i32))
        .x_label_formatter(&label)
        .label_style(("sans-serif", 10))
        .draw()?;
    let width = 0.8 / engines.len().max(1) as f64;
    for (at, engine) in engines.iter().enumerate() {
        let color = color(at);
        let bars = record
            .rows
            .iter()
            .filter(|row| row.engine == *engine)
            .filter_map(|row| {
                let place = groups.iter().position(|other| *other == group(row))? as f64;
                let left = place + 0.1 + width * at as f64;
                Some(Rectangle::new(
                    [(left, least), (left + width, speed(row)?.median)],
                    color.filled(),
                ))
            });
        chart
            .draw_series(bars)?
            .label(engine.as_str())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

fn lines(records: &[&Record], name: &str, speed: Speed, area: &Area<'_>) -> Drawn {
    let ours = |record: &Record, row: &&Row| row.engine == record.ours && row.depth == 0;
    let mut models: Vec<String> = Vec::new();
    for record in records {
        for row in record.rows.iter().filter(|row| ours(record, row)) {
            if !models.contains(&row.model) {
                models.push(row.model.clone());
            }
        }
    }
    let (least, most) = range(records.iter().flat_map(|&record| {
        record
            .rows
            .iter()
            .filter(move |row| ours(record, row))
            .filter_map(speed)
    }));
    let last = records.len().saturating_sub(1).max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(
            format!("our {name} at depth 0, tokens per second"),
            ("sans-serif", 18),
        )
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last, (least..most).log_scale())?;
    let label = |x: &f64| {
        let record = records.get(x.round() as usize).filter(|_| x.fract() == 0.0);
        record.map_or(String::new(), |record| {
            format!("{} {}", record.day(), record.revision)
        })
    };
    chart
        .configure_mesh()
        .x_labels(records.len().clamp(2, 8))
        .x_label_formatter(&label)
        .draw()?;
    for (at, model) in models.iter().enumerate() {
        let points: Vec<(f64, f64)> = records
            .iter()
            .enumerate()
            .filter_map(|(place, record)| {
                let row = record
                    .rows
                    .iter()
                    .find(|row| ours(record, row) && row.model == *model)?;
                Some((place as f64, speed(row)?.median))
            })
            .collect();
        let color = color(at);
        chart
            .draw_series(LineSeries::new(points.clone(), color))?
            .label(model.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], color));
        chart.draw_series(
            points
                .into_iter()
                .map(|point| Circle::new(point, 3, color.filled())),
        )?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

fn group(row: &Row) -> String {
    format!("{} @{}", row.model, row.depth)
}

/// The names of rows, each once, in the order of the rows.
fn named(record: &Record, name: impl Fn(&Row) -> String) -> Vec<String> {
    let mut names = Vec::new();
    for row in &record.rows {
        let name = name(row);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A range that holds all medians, with room on both sides.
fn range(speeds: impl Iterator<Item = Spread>) -> (f64, f64) {
    let around = |(least, most): (f64, f64), speed: Spread| (least.min(speed.median), most.max(speed.median));
    let (least, most) = speeds.fold((f64::INFINITY, 0.0), around);
    if most > 0.0 {
        (least / 2.0, most * 3.0)
    } else {
        (0.1, 1.0)
    }
}

fn color(at: usize) -> RGBColor {
    COLORS[at % COLORS.len()]
}
