//! Models of a hub, which is a server on this machine: pulled, used, listed and removed.

use std::path::Path;

use crate::files::Files;
use crate::hub_server::Server;
use crate::process::{Ended, argument, program, run};

/// Runs the program with this hub and a cache in `home`.
fn with_hub(server: &Server, home: &Path, arguments: &[&str]) -> Ended {
    let mut command = program();
    command
        .args(arguments)
        .env("HF_ENDPOINT", server.url())
        .env("HF_HOME", home);
    for unset in ["HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"] {
        command.env_remove(unset);
    }
    run(&mut command)
}

#[test]
fn a_model_of_a_hub_is_pulled_used_listed_and_removed() {
    let files = Files::new();
    let bytes = std::fs::read(files.plain()).expect("the model");
    let server = Server::usual(&[("tiny-Q8_0.gguf", &bytes), ("tiny-Q4_0.gguf", &bytes)]);
    let home = files.path("home");
    let wick = |arguments: &[&str]| with_hub(&server, &home, arguments);

    let pulled = wick(&["pull", "a/m:Q8_0"]);
    assert!(pulled.status.success(), "{pulled:?}");
    assert!(pulled.stderr.contains("a/m:Q8_0: downloading "), "{pulled:?}");
    let path = String::from_utf8(pulled.stdout).expect("a path");
    assert_eq!(std::fs::read(path.trim_end()).expect("it lies there"), bytes);
    assert_eq!(wick(&["pull", "a/m:Q8_0", "--offline"]).text(), path);

    let answer = [
        "run",
        "--model",
        "a/m:Q8_0",
        "--raw",
        "--prompt",
        "a",
        "--temperature",
        "0",
        "--max-tokens",
        "4",
    ];
    let there = wick(&[&answer[..], &["--offline"]].concat()).text();
    let local = files.plain();
    let mut same = answer;
    same[2] = argument(&local);
    assert_eq!(wick(&same).text(), there);
    assert_eq!(server.files_asked().len(), 1);

    let list = wick(&["list"]).text();
    assert!(list.contains("a/m ") && list.contains("tiny-Q8_0.gguf"), "{list}");
    let listed: serde_json::Value =
        serde_json::from_str(&wick(&["list", "--json"]).text()).expect("one object");
    assert_eq!(listed["files"][0]["path"], "tiny-Q8_0.gguf");
    assert!(
        list.lines()
            .next()
            .is_some_and(|line| line.ends_with("  just now")),
        "{list}"
    );
    assert!(
        listed["modified"]
            .as_u64()
            .is_some_and(|seconds| seconds > 1_700_000_000)
    );

    let unsure = wick(&["rm", "a/m"]);
    assert!(unsure.complaint().contains("wants --yes"), "{unsure:?}");
    let rest = wick(&["rm", "a/gone", "a/m", "a/absent", "--yes"]);
    assert!(!rest.status.success(), "{rest:?}");
    assert_eq!(rest.stderr.lines().count(), 2, "{rest:?}");
    assert!(
        rest.stderr.contains("a/gone") && rest.stderr.contains("a/absent"),
        "{rest:?}"
    );
    assert!(rest.stdout.starts_with(b"a/m is gone"), "{rest:?}");
    assert_eq!(wick(&["list"]).text(), "");
    wick(&["pull", "a/m:Q8_0"]);
    wick(&["pull", "a/m:Q4_0"]);
    let gone = wick(&["rm", "a/m:Q8_0", "a/m:Q4_0", "--yes"]).text();
    assert!(
        gone.contains("a/m:Q8_0 is gone") && gone.contains("a/m:Q4_0 is gone"),
        "{gone}"
    );
    wick(&["pull", "a/m:Q8_0"]);
    assert!(wick(&["rm", "a/m", "--yes"]).text().contains("a/m is gone"));
    assert_eq!(wick(&["list"]).text(), "");
    let gone = wick(&[&answer[..], &["--offline"]].concat());
    assert!(gone.complaint().contains("is not in the cache"), "{gone:?}");
}

#[test]
fn what_is_wrong_with_a_model_of_a_hub_is_one_line() {
    let files = Files::new();
    let server = Server::usual(&[("m-Q8_0.gguf", b"x"), ("m-Q2_K.gguf", b"y")]);
    let home = files.path("home");
    for (arguments, said) in [
        (&["pull", "a/m"][..], "name one of m-Q2_K.gguf, m-Q8_0.gguf"),
        (&["pull", "a/m:Q5_K"], "there are m-Q2_K.gguf, m-Q8_0.gguf"),
        (&["pull", "a/other"], "the hub has no repository"),
        (&["pull", "other"], "is no model of a hub"),
        (
            &["run", "--model", "a/other", "--prompt", "x"],
            "the hub has no repository",
        ),
    ] {
        let ended = with_hub(&server, &home, arguments);
        assert!(ended.complaint().contains(said), "{ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn packed_weights_are_kept_used_counted_and_removed_with_their_model() {
    use std::os::unix::fs::MetadataExt as _;
    let files = Files::new();
    let bytes = std::fs::read(files.plain()).expect("the model");
    let server = Server::usual(&[("tiny-Q8_0.gguf", &bytes)]);
    let home = files.path("home");
    let wick = |arguments: &[&str]| with_hub(&server, &home, arguments);
    let path = String::from_utf8(wick(&["pull", "a/m:Q8_0"]).stdout).expect("a path");
    let kept = format!("{}.packed", path.trim_end());
    let run = [
        "run",
        "--offline",
        "--model",
        "a/m:Q8_0",
        "--raw",
        "--prompt",
        "a",
        "--temperature",
        "0",
        "--max-tokens",
        "4",
    ];
    let keeping = || wick(&[&run[..], &["--keep-packed"]].concat()).text();
    let counted = || {
        let listed = wick(&["list", "--json"]).text();
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("one object");
        assert_eq!(listed["files"].as_array().map(Vec::len), Some(1), "{listed}");
        listed["bytes"].as_u64().expect("a count")
    };

    let plain = wick(&run).text();
    assert!(!Path::new(&kept).exists(), "nothing is kept unasked");
    let alone = counted();
    assert_eq!(keeping(), plain);
    let first = std::fs::metadata(&kept).expect("it is kept");
    assert_eq!(counted(), alone + first.len());
    assert_eq!(keeping(), plain);
    let second = std::fs::metadata(&kept).expect("it is kept");
    assert_eq!(
        (first.ino(), first.mtime_nsec()),
        (second.ino(), second.mtime_nsec())
    );
    // A start that did not read it would not see that it is damaged.
    let whole = std::fs::read(&kept).expect("it can be read");
    std::fs::write(&kept, &whole[..whole.len() / 2]).expect("it can be written");
    assert_eq!(keeping(), plain);
    assert_eq!(std::fs::read(&kept).expect("it can be read"), whole);

    assert!(wick(&["rm", "a/m", "--yes"]).text().contains("a/m is gone"));
    assert!(!Path::new(&kept).exists());
    assert_eq!(wick(&["list"]).text(), "");
}
