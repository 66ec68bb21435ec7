//! The number of threads that compute, as `run` and `chat` are told it.

use serde_json::Value;

use crate::files::Files;
use crate::process::{argument, program, run, wick};

fn ids(threads: &str, model: &str) -> Value {
    let asking = [
        "run",
        "--model",
        model,
        "--prompt",
        "Hello",
        "--temperature",
        "0",
        "--max-tokens",
        "6",
        "--json",
        "--threads",
    ];
    let record = wick(&[&asking[..], &[threads]].concat()).text();
    serde_json::from_str::<Value>(&record).expect("one object")["token_ids"].clone()
}

#[test]
fn an_answer_does_not_depend_on_the_threads() {
    let files = Files::new();
    let model = files.chatty();
    assert_eq!(ids("1", argument(&model)), ids("3", argument(&model)));
}

#[test]
fn no_threads_and_too_many_are_refused() {
    for (threads, said) in [
        ("0", "zero"),
        ("1025", "at most 1024"),
        ("-1", "-1"),
        ("two", "two"),
    ] {
        for command in ["run", "chat"] {
            let ended = wick(&[command, "--model", "missing.gguf", "--threads", threads]);
            assert_eq!(ended.status.code(), Some(2), "{ended:?}");
            assert!(ended.complaint().contains(said), "{ended:?}");
        }
    }
}

/// Told by what the program's own environment becomes, whatever it was before.
#[cfg(target_os = "linux")]
#[test]
fn the_libraries_beneath_are_told_as_well() {
    use std::io::Read as _;
    use std::process::Stdio;
    let files = Files::new();
    let model = crate::files::with_long_context(&files, &files.plain());
    let config = files.bytes("config.toml", b"threads = 5");
    for (arguments, expected) in [
        (&["--threads", "3"][..], "3"),
        (&["--config", argument(&config)], "5"),
    ] {
        let mut child = program()
            .args([
                "run",
                "--model",
                argument(&model),
                "--raw",
                "--max-tokens",
                "90000",
            ])
            .args(arguments)
            .env("RAYON_NUM_THREADS", "7")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // What was piped in before the program began again is not lost.
        std::io::Write::write_all(&mut stdin, b"abc").expect("it reads");
        drop(stdin);
        let mut begun = [0; 8];
        let answered = child
            .stdout
            .as_mut()
            .expect("stdout is piped")
            .read_exact(&mut begun);
        let told = std::fs::read(format!("/proc/{}/environ", child.id())).expect("it runs");
        let threads = std::fs::read_dir(format!("/proc/{}/task", child.id()))
            .expect("it runs")
            .count();
        child.kill().expect("it can be ended");
        child.wait().expect("it can be waited for");
        answered.expect("the answer streams");
        let told = String::from_utf8_lossy(&told);
        for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
            assert!(
                told.split('\0').any(|line| line == format!("{name}={expected}")),
                "{told}"
            );
        }
        assert!(
            threads >= expected.parse::<usize>().expect("a number"),
            "{threads} threads"
        );
    }
}

#[test]
fn a_variable_says_it_too() {
    let files = Files::new();
    let model = files.chatty();
    let asking = [
        "run",
        "--model",
        argument(&model),
        "--prompt",
        "Hello",
        "--max-tokens",
        "2",
    ];
    assert!(
        run(program().args(asking).env("WICK_THREADS", "2"))
            .status
            .success()
    );
}
