//! `wick bench`: every figure is there, bounds hold, and what cannot be measured is refused before it is loaded.

use std::path::Path;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use models::gguf::Value as Metadata;
use models::synth::CONTEXT;
use serde_json::Value;

use crate::files::Files;
use crate::process::{Ended, argument, program, wick};

fn bench(model: &Path, more: &[&str]) -> Ended {
    wick(&[&["bench", "--model", argument(model)], more].concat())
}

/// Sizes that a tiny model runs in no time.
const SMALL: [&str; 6] = ["--prompt", "20", "--generate", "6", "--repeat", "3"];

#[track_caller]
fn json(model: &Path, more: &[&str]) -> Value {
    let text = bench(model, &[&SMALL[..], more, &["--json"]].concat()).text();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    serde_json::from_str(&text).expect("the line is JSON")
}

#[track_caller]
fn positive(figure: &Value) -> f64 {
    let number = figure.as_f64().unwrap_or_else(|| panic!("{figure} is no number"));
    assert!(number > 0.0 && number.is_finite(), "{number}");
    number
}

#[test]
fn every_figure_is_measured_and_lies_in_its_range() {
    let files = Files::new();
    let record = json(&files.plain(), &[]);
    for name in ["prefill_tok_s", "decode_tok_s", "ttft_ms"] {
        let range = &record["range"][name];
        let (median, least, most) = (positive(&record[name]), positive(&range[0]), positive(&range[1]));
        assert!(least <= median && median <= most, "{name}: {record}");
    }
    positive(&record["load_ms"]);
    // The first token comes after its prompt.
    let prefill_ms = 20.0 / positive(&record["range"]["prefill_tok_s"][1]) * 1e3;
    assert!(
        positive(&record["range"]["ttft_ms"][0]) >= prefill_ms * 0.999,
        "{record}"
    );
    if cfg!(target_os = "linux") {
        assert!(positive(&record["rss_bytes"]) > 1e6, "{record}");
    } else {
        assert!(record["rss_bytes"].is_null(), "{record}");
    }
    for (name, value) in [
        ("prompt", 20),
        ("generate", 6),
        ("depth", 0),
        ("batch", 1),
        ("repeat", 3),
    ] {
        assert_eq!(record[name], value, "{name}");
    }
    assert_eq!(record["architecture"], "llama");
}

#[test]
fn depth_and_batch_run_to_the_very_end_of_the_context() {
    let files = Files::new();
    let depth = CONTEXT - 26;
    for model in [files.plain(), files.published()] {
        // The depth ends inside a block of the cache.
        let record = json(&model, &["--depth", &depth.to_string(), "--batch", "3"]);
        assert_eq!((&record["depth"], &record["batch"]), (&depth.into(), &3.into()));
        positive(&record["decode_tok_s"]);
    }
}

#[test]
fn a_page_for_a_person_has_a_line_for_each_figure() {
    let files = Files::new();
    let page = bench(&files.plain(), &SMALL).text();
    for name in ["model", "prefill", "decode", "first token", "load", "peak memory"] {
        assert!(
            page.lines().any(|line| line.starts_with(name)),
            "{name} is not in {page}"
        );
    }
}

#[test]
fn threads_are_bounded_whatever_the_environment_says() {
    let files = Files::new();
    let model = files.plain();
    for threads in ["1", "3"] {
        let run = program()
            .args([
                "bench",
                "--model",
                argument(&model),
                "--json",
                "--threads",
                threads,
            ])
            .args(SMALL)
            .env("RAYON_NUM_THREADS", "7")
            .env("CANDLE_NUM_THREADS", threads)
            .output()
            .expect("the program runs");
        assert!(run.status.success(), "{run:?}");
        let record: Value = serde_json::from_slice(&run.stdout).expect("the line is JSON");
        assert_eq!(record["threads"].to_string(), threads, "{record}");
    }
}

/// Counted from outside, while it runs.
#[cfg(target_os = "linux")]
#[test]
fn the_pools_have_as_many_threads_as_were_asked_for() {
    let files = Files::new();
    let model = crate::files::with_long_context(&files, &files.plain());
    // The first thread waits while the pool of one computes.
    let one = most_threads(&model, "1", usize::MAX, Duration::from_secs(2));
    assert!(one <= 2, "{one} threads");
    let nine = most_threads(&model, "9", 9, crate::process::LIMIT);
    assert!(nine >= 9, "{nine} threads");
}

/// The most threads that a long bench has until it has `enough` or the time is up.
#[cfg(target_os = "linux")]
fn most_threads(model: &Path, threads: &str, enough: usize, time: Duration) -> usize {
    let mut child = program()
        .args([
            "bench",
            "--model",
            argument(model),
            "--generate",
            "90000",
            "--threads",
            threads,
        ])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let tasks = format!("/proc/{}/task", child.id());
    let begun = Instant::now();
    let mut most = 0;
    while most < enough && begun.elapsed() < time {
        most = most.max(std::fs::read_dir(&tasks).map_or(0, Iterator::count));
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("the program can be killed");
    child.wait().expect("the program can be waited for");
    most
}

#[test]
fn what_exceeds_the_model_is_refused_with_its_numbers() {
    let files = Files::new();
    let model = files.plain();
    for (more, parts) in [
        (
            &["--prompt", "200", "--generate", "50", "--depth", "7"][..],
            &["200", "50", "depth 7", "257", "256"][..],
        ),
        (
            &["--prompt", "8", "--depth", "18446744073709551615"],
            &["18446744073709551615", "256"],
        ),
        (
            &["--prompt", "8", "--generate", "8", "--batch", "257"],
            &["257", "256"],
        ),
    ] {
        let ended = bench(&model, more);
        for part in parts {
            assert!(ended.complaint().contains(part), "{part:?} is not in {ended:?}");
        }
    }
    // The defaults are as large as those of other benches.
    assert!(bench(&model, &[]).complaint().contains("640 positions"));
}

#[test]
fn sizes_are_checked_before_the_vocabulary_and_the_weights_are_read() {
    let files = Files::new();
    // A vocabulary that cannot be read is noticed only behind the headers.
    let model = files.with(
        &files.plain(),
        "odd.gguf",
        "tokenizer.ggml.model",
        Metadata::String("runes".to_owned()),
    );
    assert!(bench(&model, &[]).complaint().contains("640 positions"));
    assert!(bench(&model, &SMALL).complaint().contains("runes"));
}

#[test]
fn arguments_that_make_no_bench_are_named_with_their_value() {
    let nowhere = Path::new("/nowhere.gguf");
    for (option, value) in [
        ("--prompt", "0"),
        ("--generate", "0"),
        ("--batch", "0"),
        ("--threads", "0"),
        ("--threads", "1025"),
        ("--repeat", "0"),
        ("--repeat", "-1"),
        ("--depth", "-1"),
        ("--depth", "deep"),
        ("--prompt", "18446744073709551616"),
    ] {
        let ended = bench(nowhere, &[option, value]);
        let line = ended.complaint();
        assert!(line.contains(option) && line.contains(value), "{line}");
        assert_eq!(ended.status.code(), Some(2), "{line}");
    }
    assert!(bench(nowhere, &[]).complaint().contains("nowhere.gguf"));
}
