//! A recorder of the `metrics` facade that keeps sums, and buckets of what is measured.
//!
//! A series lives as long as the program: labels are names of models, routes and statuses, which are few.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::state::lock;

/// Upper bounds of the buckets of times, in seconds: inter-token times begin below a millisecond.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Upper bounds of the buckets of rates, in tokens per second.
const RATES: [f64; 12] = [
    1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 10_000.0,
];

/// Every series that was told of.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    families: Mutex<BTreeMap<String, Family>>,
}

/// The series of one name, by their labels as they are written.
#[derive(Debug)]
struct Family {
    kind: &'static str,
    series: BTreeMap<String, Series>,
}

#[derive(Clone, Debug)]
enum Series {
    Counter(Arc<AtomicU64>),
    /// The bits of an `f64`, as the facade keeps them.
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

/// Counts of values by their size.
#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// One for each bound and one for what lies above them all.
    counts: Vec<AtomicU64>,
    sum: Mutex<f64>,
}

impl Buckets {
    fn of(name: &str) -> Self {
        let bounds: &'static [f64] = if name.ends_with("_seconds") {
            &SECONDS
        } else {
            &RATES
        };
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: Mutex::new(0.0),
        }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        *lock(&self.sum) += value;
    }
}

impl Registry {
    fn series(&self, key: &Key, kind: &'static str, make: impl FnOnce() -> Series) -> Series {
        let mut families = lock(&self.families);
        let family = families.entry(key.name().to_owned()).or_insert_with(|| Family {
            kind,
            series: BTreeMap::new(),
        });
        family.series.entry(labels(key)).or_insert_with(make).clone()
    }

    /// All of it in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        for (name, family) in lock(&self.families).iter() {
            let _ = writeln!(text, "# TYPE {name} {}", family.kind);
            for (labels, series) in &family.series {
                match series {
                    Series::Counter(value) => {
                        let _ = writeln!(text, "{name}{} {}", braced(labels), value.load(Ordering::Relaxed));
                    }
                    Series::Gauge(bits) => {
                        let value = f64::from_bits(bits.load(Ordering::Relaxed));
                        let _ = writeln!(text, "{name}{} {value}", braced(labels));
                    }
                    Series::Histogram(buckets) => write_buckets(&mut text, name, labels, buckets),
                }
            }
        }
        text
    }
}

fn write_buckets(text: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut total = 0;
    let bounds = buckets.bounds.iter().map(f64::to_string);
    for (count, bound) in buckets.counts.iter().zip(bounds.chain(["+Inf".to_owned()])) {
        total += count.load(Ordering::Relaxed);
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}");
    }
    let sum = *lock(&buckets.sum);
    let _ = writeln!(text, "{name}_sum{} {sum}", braced(labels));
    let _ = writeln!(text, "{name}_count{} {total}", braced(labels));
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

/// The labels of a series as they are written, in one order.
fn labels(key: &Key) -> String {
    let mut pairs: Vec<String> = key
        .labels()
        .map(|label| {
            let value = label.value().replace('\\', "\\\\").replace('"', "\\\"");
            format!("{}=\"{}\"", label.key(), value.replace('\n', "\\n"))
        })
        .collect();
    pairs.sort();
    pairs.join(",")
}

impl Recorder for Registry {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.series(key, "counter", || Series::Counter(Arc::default())) {
            Series::Counter(value) => Counter::from_arc(value),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.series(key, "gauge", || Series::Gauge(Arc::default())) {
            Series::Gauge(bits) => Gauge::from_arc(bits),
            _ => Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let make = || Series::Histogram(Arc::new(Buckets::of(key.name())));
        match self.series(key, "histogram", make) {
            Series::Histogram(buckets) => Histogram::from_arc(buckets),
            _ => Histogram::noop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics::with_local_recorder;

    use super::*;

    #[test]
    fn every_kind_of_series_is_written() {
        let registry = Registry::default();
        with_local_recorder(&registry, || {
            metrics::counter!("asked_total", "model" => "a \"b\"").increment(2);
            metrics::gauge!("running").set(1.5);
            metrics::histogram!("wait_seconds").record(0.002);
            metrics::histogram!("wait_seconds").record(400.0);
        });
        let text = registry.render();
        for line in [
            "# TYPE asked_total counter",
            "asked_total{model=\"a \\\"b\\\"\"} 2",
            "# TYPE running gauge",
            "running 1.5",
            "wait_seconds_bucket{le=\"0.001\"} 0",
            "wait_seconds_bucket{le=\"0.0025\"} 1",
            "wait_seconds_bucket{le=\"300\"} 1",
            "wait_seconds_bucket{le=\"+Inf\"} 2",
            "wait_seconds_sum 400.002",
            "wait_seconds_count 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
