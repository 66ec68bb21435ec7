//! Cuts, penalties and biases: on the command line, in the environment, in a file, and in a chat.

use std::path::Path;

use crate::files::Files;
use crate::process::{Ended, argument, program, run, wick, wick_with_input};

/// The answer of a model of random weights, which takes these options.
fn answer(model: &Path, options: &[&str]) -> String {
    let fixed = [
        "run",
        "--model",
        argument(model),
        "--prompt",
        "Hello",
        "--max-tokens",
        "12",
        "--seed",
        "1",
    ];
    wick(&[&fixed[..], options].concat()).text()
}

#[test]
fn a_cut_that_leaves_one_token_draws_the_most_probable() {
    let files = Files::new();
    let model = files.chatty();
    let greedy = answer(&model, &["--temperature", "0"]);
    let hot = [
        "--temperature",
        "3",
        "--min-p",
        "0",
        "--top-k",
        "0",
        "--top-p",
        "1",
    ];
    assert_ne!(answer(&model, &hot), greedy);
    for cut in [
        ["--top-k", "1"],
        ["--top-p", "0"],
        ["--min-p", "1"],
        ["--top-nsigma", "0.00001"],
    ] {
        assert_eq!(
            answer(&model, &[&["--temperature", "3"], &cut[..]].concat()),
            greedy,
            "{cut:?}"
        );
    }
}

#[test]
fn penalties_and_biases_change_the_most_probable() {
    let files = Files::new();
    let model = files.chatty();
    let greedy = answer(&model, &["--temperature", "0"]);
    let record = answer(&model, &["--temperature", "0", "--json"]);
    let record: serde_json::Value = serde_json::from_str(&record).expect("an object");
    let ban = format!("{}=-100", record["token_ids"][0]);
    for change in [
        &["--repeat-penalty", "50"][..],
        &["--repetition-penalty", "50"],
        &["--logit-bias", &ban],
        &["--logit-bias", "3=100"],
        &[
            "--presence-penalty",
            "2",
            "--frequency-penalty",
            "2",
            "--repeat-last-n",
            "-1",
        ],
        &[
            "--dry-multiplier",
            "100",
            "--dry-allowed-length",
            "0",
            "--dry-breakers",
            "x",
        ],
        &["--xtc-probability", "1", "--xtc-threshold", "0"],
    ] {
        let temperature = match change[0] {
            "--xtc-probability" => "0.001",
            _ => "0",
        };
        let changed = answer(&model, &[&["--temperature", temperature], change].concat());
        assert_ne!(changed, greedy, "{change:?}");
    }
}

#[test]
fn what_is_out_of_its_range_is_named_before_a_model_is_loaded() {
    let fixed = ["run", "--model", "missing.gguf", "--prompt", "x"];
    for (options, said) in [
        (["--top-p", "1.5"], "a number from 0 to 1"),
        (["--min-p", "-0.1"], "a number from 0 to 1"),
        (["--repeat-penalty", "0"], "a number from 0.01 to 100"),
        (["--frequency-penalty", "3"], "a number from -2 to 2"),
        (["--repeat-last-n", "-2"], "a whole number, -1 or more"),
        (["--logit-bias", "fox=1"], "TOKEN=BIAS"),
        (["--top-k", "-1"], "--top-k"),
        (["--dry-multiplier", "-1"], "dry_multiplier is -1"),
        (["--dry-breakers", ""], "dry_breakers"),
    ] {
        let ended = wick(&[&fixed[..], &options[..]].concat());
        let complaint = ended.complaint();
        assert!(
            complaint.contains(said) && complaint.contains(options[1]),
            "{options:?}: {complaint}"
        );
    }
}

#[test]
fn environment_and_file_say_the_same_as_a_flag() {
    let files = Files::new();
    let model = files.chatty();
    let greedy = answer(&model, &["--temperature", "0"]);
    let asked = |config: &str, variable: &str| -> Ended {
        let config = files.bytes("c.toml", config.as_bytes());
        let mut command = program();
        command.args([
            "run",
            "--model",
            argument(&model),
            "--prompt",
            "Hello",
            "--config",
            argument(&config),
        ]);
        command.args(["--max-tokens", "12", "--seed", "1", "--temperature", "3"]);
        run(command.env("WICK_TOP_K", variable))
    };
    assert_eq!(asked("", "1").text(), greedy);
    assert_eq!(asked("top_p = 0", "").text(), greedy);
    let refused = asked("", "many");
    assert!(
        refused.complaint().contains("WICK_TOP_K is \"many\""),
        "{refused:?}"
    );
}

#[test]
fn a_chat_sets_them_and_tells_them() {
    let files = Files::new();
    let model = files.chatty();
    let arguments = [
        "chat",
        "--model",
        argument(&model),
        "--max-tokens",
        "6",
        "--top-p",
        "0.5",
    ];
    let input = b"/set top_k 1\n/set temperature 3\nHello\n/set top_p\n/set top_p 2\n/set min_p much\n\
        /set penalty_window -1\n/set\n/set top_p default\n";
    let ended = wick_with_input(&arguments, input);
    let greedy = wick_with_input(&[&arguments[..5], &["--temperature", "0"]].concat(), b"Hello\n").text();
    assert_eq!(String::from_utf8_lossy(&ended.stdout), greedy);
    for said in [
        "top_p is 2, expected 0 to 1",
        "min_p is \"much\", expected 0 to 1, 0 for all or default",
        "penalty_window      -1 ",
        "top_k               1 ",
        "default: min_p typical_p top_n_sigma repetition_penalty",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let shown = ended.stderr.matches("0.5").count();
    assert!(shown >= 3, "{}", ended.stderr);
}
