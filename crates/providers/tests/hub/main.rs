//! Models from a hub, against a server on this machine that speaks the hub's API, well and badly.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]
#![cfg(feature = "hub")]

mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use providers::hub::{Cancel, Hub, HubError, HubModel, HubSettings, Plan, Token};
use providers::{ProgressEvent, ProgressHub};

use server::{Answer, COMMIT, Server, checksum};

/// Bytes that are not all alike.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn settings(server: &Server, cache: &Path) -> HubSettings {
    HubSettings {
        endpoint: server.url(),
        cache: cache.to_owned(),
        token: None,
        offline: false,
        patience: Duration::from_secs(5),
        attempts: 3,
    }
}

fn hub(server: &Server, cache: &Path) -> Hub {
    Hub::new(settings(server, cache)).expect("a hub")
}

fn model(text: &str) -> HubModel {
    text.parse().expect("a model")
}

fn plan(hub: &Hub, text: &str) -> Result<Plan, HubError> {
    hub.plan(&model(text), &ProgressHub::new())
}

fn pull(hub: &Hub, text: &str) -> Result<PathBuf, HubError> {
    let plan = plan(hub, text)?;
    hub.fetch(&plan, &ProgressHub::new(), &Cancel::new())
}

#[test]
fn a_file_is_downloaded_once_and_lies_as_other_libraries_lay_it() {
    let bytes = noise(300_000);
    let server = Server::usual(&[("m-Q4_K_M.gguf", &bytes), ("README.md", b"hi")]);
    let cache = tempfile::tempdir().expect("a folder");
    let hub = hub(&server, cache.path());
    let progress = ProgressHub::new();
    let listener = progress.subscribe();
    let plan = hub.plan(&model("a/m:Q4_K_M"), &progress).expect("a plan");
    assert_eq!((plan.commit(), plan.needs().download_bytes), (COMMIT, 300_000));
    let path = hub.fetch(&plan, &progress, &Cancel::new()).expect("the file");
    let folder = cache.path().join("models--a--m");
    assert_eq!(path, folder.join("snapshots").join(COMMIT).join("m-Q4_K_M.gguf"));
    assert_eq!(fs::read(&path).expect("it is there"), bytes);
    assert_eq!(
        fs::read(folder.join("blobs").join(checksum(&bytes))).expect("the blob"),
        bytes
    );
    assert_eq!(
        fs::read_to_string(folder.join("refs/main")).expect("the commit"),
        COMMIT
    );
    let mut told = Vec::new();
    while let Some(event) = listener.try_recv() {
        told.push(event);
    }
    assert!(matches!(&told[0], ProgressEvent::Look { model } if model == "a/m:Q4_K_M"));
    let done = |event: &ProgressEvent| {
        matches!(
            event,
            ProgressEvent::Download {
                done: 300_000,
                total: 300_000,
                ..
            }
        )
    };
    assert!(told.iter().any(done), "{told:?}");
    assert!(
        told.iter()
            .any(|event| matches!(event, ProgressEvent::Verify { done: 300_000, .. }))
    );

    let again = hub.plan(&model("a/m:Q4_K_M"), &progress).expect("a plan");
    assert_eq!((again.needs().download_bytes, again.needs().bytes), (0, 300_000));
    assert_eq!(
        hub.fetch(&again, &progress, &Cancel::new()).expect("the file"),
        path
    );
    assert_eq!(server.files_asked().len(), 1);
}

#[test]
fn a_connection_that_breaks_is_gone_on_with_where_it_broke() {
    let bytes = noise(100_000);
    let whole = bytes.clone();
    let server = Server::new(&[("m.gguf", &bytes)], move |asked, before| {
        let file = asked.path.contains("/resolve/");
        (file && before < 4).then(|| Answer::bytes(&whole, asked.from).cut_after(20_000))
    });
    let cache = tempfile::tempdir().expect("a folder");
    // Each attempt gains something, so that their number is not limited.
    let path = pull(&hub(&server, cache.path()), "a/m").expect("the file");
    assert_eq!(fs::read(path).expect("it is there"), bytes);
    let asked: Vec<_> = server.files_asked().iter().map(|asked| asked.from).collect();
    assert_eq!(
        asked,
        [None, Some(20_000), Some(40_000), Some(60_000), Some(80_000)]
    );
}

#[test]
fn a_download_of_yesterday_is_gone_on_with() {
    let bytes = noise(50_000);
    let server = Server::usual(&[("m.gguf", &bytes)]);
    let cache = tempfile::tempdir().expect("a folder");
    let blobs = cache.path().join("models--a--m/blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    fs::write(
        blobs.join(format!("{}.incomplete", checksum(&bytes))),
        &bytes[..30_000],
    )
    .expect("a file");
    let path = pull(&hub(&server, cache.path()), "a/m").expect("the file");
    assert_eq!(fs::read(path).expect("it is there"), bytes);
    assert_eq!(server.files_asked()[0].from, Some(30_000));
    assert_eq!(server.files_asked().len(), 1);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let bytes = noise(50_000);
    let whole = bytes.clone();
    let server = Server::new(&[("m.gguf", &bytes)], move |asked, before| {
        let file = asked.path.contains("/resolve/");
        file.then(|| match before {
            0 => Answer::bytes(&whole, None).cut_after(10_000),
            _ => Answer::bytes(&whole, None),
        })
    });
    let cache = tempfile::tempdir().expect("a folder");
    let path = pull(&hub(&server, cache.path()), "a/m").expect("the file");
    assert_eq!(fs::read(path).expect("it is there"), bytes);
}

#[test]
fn a_file_that_is_not_what_the_hub_said_is_thrown_away() {
    let bytes = noise(1000);
    for (sent, size) in [(noise(999), true), ([noise(999), vec![7]].concat(), false)] {
        let server = Server::new(&[("m.gguf", &bytes)], move |asked, _| {
            asked
                .path
                .contains("/resolve/")
                .then(|| Answer::bytes(&sent, None))
        });
        let cache = tempfile::tempdir().expect("a folder");
        let error = pull(&hub(&server, cache.path()), "a/m").expect_err("it is another file");
        match error {
            HubError::Size { expected, found, .. } if size => assert_eq!((expected, found), (1000, 999)),
            HubError::Checksum { expected, .. } if !size => assert_eq!(expected, checksum(&bytes)),
            other => panic!("{other}"),
        }
        let blobs = fs::read_dir(cache.path().join("models--a--m/blobs")).expect("a folder");
        assert_eq!(blobs.count(), 0);
    }
}

#[test]
fn what_a_hub_refuses_is_told_apart() {
    for (answer, token, expected) in [
        (
            Answer::status(404),
            false,
            "the hub has no repository, revision or file a/m",
        ),
        (
            Answer::status(404).with("x-error-code", "RevisionNotFound"),
            false,
            "the hub has no such revision of a/m",
        ),
        (
            Answer::status(401),
            false,
            "the hub refuses a/m: it may need a token, in HF_TOKEN, or not exist",
        ),
        (
            Answer::status(403).with("x-error-code", "GatedRepo"),
            true,
            "the hub refuses a/m: the token has no access; ask for it on the model's page",
        ),
        (
            Answer::status(401).with("x-error-code", "RepoNotFound"),
            true,
            "the hub has no repository a/m",
        ),
        (
            Answer::status(429).with("retry-after", "3600"),
            false,
            "the hub has been asked too often; it wants 3600 s of patience",
        ),
        (
            Answer::bytes(b"<html>", None),
            false,
            "the hub's answer for a/m makes no sense: expected value at line 1 column 1",
        ),
    ] {
        let server = Server::new(&[], move |_, _| Some(answer.clone()));
        let cache = tempfile::tempdir().expect("a folder");
        let settings = HubSettings {
            token: Token::new(if token { "hf_secret" } else { "" }),
            ..settings(&server, cache.path())
        };
        let error = plan(&Hub::new(settings).expect("a hub"), "a/m").expect_err("it refuses");
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("hf_secret"));
        assert_eq!(server.count(), 1, "nothing is asked again");
    }
}

#[test]
fn what_passes_is_waited_for() {
    let bytes = noise(10);
    let server = Server::new(&[("m.gguf", &bytes)], |_, before| match before {
        0 => Some(Answer::status(429).with("retry-after", "1")),
        1 => Some(Answer::status(503)),
        _ => None,
    });
    let cache = tempfile::tempdir().expect("a folder");
    let began = std::time::Instant::now();
    pull(&hub(&server, cache.path()), "a/m").expect("the file");
    assert!(
        began.elapsed() >= Duration::from_secs(3),
        "three were told to wait a second"
    );
}

#[test]
fn a_hub_that_fails_for_ever_is_given_up() {
    let server = Server::new(&[], |_, _| Some(Answer::status(500)));
    let cache = tempfile::tempdir().expect("a folder");
    let error = plan(&hub(&server, cache.path()), "a/m").expect_err("it fails");
    assert!(matches!(error, HubError::Status { status: 500, .. }), "{error}");
    assert_eq!(server.count(), 3);
}

#[test]
fn the_token_goes_to_the_hub_and_not_where_it_leads() {
    let bytes = noise(1000);
    let far = Server::usual(&[("m.gguf", &bytes)]);
    let there = far.url();
    let server = Server::new(&[("m.gguf", &bytes)], move |asked, _| {
        let file = asked.path.contains("/resolve/");
        file.then(|| Answer::status(302).with("location", &format!("{there}{}", asked.path)))
    });
    let cache = tempfile::tempdir().expect("a folder");
    let settings = HubSettings {
        token: Token::new("hf_secret"),
        ..settings(&server, cache.path())
    };
    pull(&Hub::new(settings).expect("a hub"), "a/m").expect("the file");
    assert_eq!(
        server.files_asked()[0].authorization.as_deref(),
        Some("Bearer hf_secret")
    );
    assert_eq!(far.files_asked().len(), 1);
    assert_eq!(far.files_asked()[0].authorization, None);
}

#[test]
fn two_at_once_download_once() {
    let bytes = noise(400_000);
    let whole = bytes.clone();
    let server = Server::new(&[("m.gguf", &bytes)], move |asked, _| {
        asked.path.contains("/resolve/").then(|| {
            std::thread::sleep(Duration::from_millis(200));
            Answer::bytes(&whole, asked.from)
        })
    });
    let cache = tempfile::tempdir().expect("a folder");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| pull(&hub(&server, cache.path()), "a/m").expect("the file"));
        }
    });
    assert_eq!(server.files_asked().len(), 1);
}

#[test]
fn a_split_set_is_had_whole_and_opened_by_its_first_part() {
    let (one, two) = (noise(10), noise(20));
    let server = Server::usual(&[
        ("Q8_0/m-Q8_0-00001-of-00002.gguf", &one),
        ("Q8_0/m-Q8_0-00002-of-00002.gguf", &two),
        ("m-Q4_K_M.gguf", &one),
    ]);
    let cache = tempfile::tempdir().expect("a folder");
    let path = pull(&hub(&server, cache.path()), "a/m:Q8_0").expect("the files");
    assert!(path.ends_with("Q8_0/m-Q8_0-00001-of-00002.gguf"));
    let second = path.with_file_name("m-Q8_0-00002-of-00002.gguf");
    assert_eq!(fs::read(second).expect("it is there"), two);
    let error = plan(&hub(&server, cache.path()), "a/m:*gguf").expect_err("a choice");
    assert!(matches!(error, HubError::Ambiguous { .. }), "{error}");
}

#[test]
fn without_a_hub_what_is_cached_is_found_and_the_rest_refused() {
    let bytes = noise(10);
    let server = Server::usual(&[("m-Q8_0.gguf", &bytes), ("m-Q4_0.gguf", &bytes)]);
    let cache = tempfile::tempdir().expect("a folder");
    let path = pull(&hub(&server, cache.path()), "a/m:Q8_0").expect("the file");
    let asked = server.count();
    let settings = HubSettings {
        offline: true,
        ..settings(&server, cache.path())
    };
    let offline = Hub::new(settings).expect("a hub");
    assert_eq!(pull(&offline, "a/m:Q8_0").expect("the file"), path);
    assert!(matches!(
        pull(&offline, "a/m:Q4_0"),
        Err(HubError::NoMatch { .. })
    ));
    let error = pull(&offline, "a/other").expect_err("it is not there");
    assert_eq!(
        error.to_string(),
        "a/other is not in the cache, and the hub is not to be asked"
    );
    assert_eq!(server.count(), asked);
}

#[test]
fn a_download_that_is_stopped_goes_on_the_next_time() {
    let bytes = noise(200_000);
    let server = Server::usual(&[("m.gguf", &bytes)]);
    let cache = tempfile::tempdir().expect("a folder");
    let hub = hub(&server, cache.path());
    let (plan, cancel) = (plan(&hub, "a/m").expect("a plan"), Cancel::new());
    cancel.cancel();
    let stopped = hub.fetch(&plan, &ProgressHub::new(), &cancel);
    assert!(matches!(stopped, Err(HubError::Cancelled)), "{stopped:?}");
    hub.fetch(&plan, &ProgressHub::new(), &Cancel::new())
        .expect("the file");
}

#[test]
fn what_is_cached_can_be_listed_and_removed() {
    let (one, two) = (noise(10), noise(20));
    let server = Server::usual(&[
        ("m-Q8_0.gguf", &one),
        ("m-Q4_0.gguf", &two),
        ("copy-Q5_0.gguf", &one),
    ]);
    let cache = tempfile::tempdir().expect("a folder");
    let hub = hub(&server, cache.path());
    assert_eq!(hub.cached().expect("a list"), []);
    for of in ["Q8_0", "Q4_0", "Q5_0"] {
        pull(&hub, &format!("a/m:{of}")).expect("the file");
    }
    let cached = hub.cached().expect("a list");
    let files: Vec<_> = cached[0]
        .files
        .iter()
        .map(|(path, bytes)| (path.as_str(), *bytes))
        .collect();
    assert_eq!(
        files,
        [("copy-Q5_0.gguf", 10), ("m-Q4_0.gguf", 20), ("m-Q8_0.gguf", 10)]
    );
    assert_eq!((cached.len(), cached[0].bytes), (1, 30));
    // Its bytes are those of another file.
    assert_eq!(hub.remove(&model("a/m:Q8_0")).expect("it goes"), 0);
    assert_eq!(hub.remove(&model("a/m:Q5_0")).expect("it goes"), 10);
    assert!(matches!(
        hub.remove(&model("a/m:Q5_0")),
        Err(HubError::NotCached { .. })
    ));
    assert_eq!(hub.remove(&model("a/m")).expect("it goes"), 20);
    assert!(matches!(
        hub.remove(&model("a/m")),
        Err(HubError::NotCached { .. })
    ));
}

#[test]
fn a_revision_is_removed_alone() {
    let bytes = noise(10);
    let server = Server::new(&[("m.gguf", &bytes)], |asked, _| {
        asked
            .path
            .contains("/revision/v1")
            .then(|| Answer::bytes(br#"{"sha": "aaaa"}"#, None))
            .or_else(|| {
                let tree = asked.path.contains("/tree/aaaa");
                let old = format!(
                    r#"[{{"type": "file", "path": "old.gguf", "size": 3, "oid": "{}"}}]"#,
                    "b".repeat(40)
                );
                tree.then(|| Answer::bytes(old.as_bytes(), None))
            })
            .or_else(|| {
                asked
                    .path
                    .contains("/resolve/aaaa/")
                    .then(|| Answer::bytes(b"old", None))
            })
    });
    let cache = tempfile::tempdir().expect("a folder");
    let hub = hub(&server, cache.path());
    let path = pull(&hub, "a/m").expect("the file");
    let old = pull(&hub, "a/m@v1").expect("the file");
    assert_eq!(fs::read(&old).expect("it is there"), b"old");
    assert!(matches!(
        hub.remove(&model("a/m@v2")),
        Err(HubError::NotCached { .. })
    ));
    assert_eq!(hub.remove(&model("a/m@v1")).expect("it goes"), 3);
    assert!(!old.exists() && path.exists());
}

#[test]
fn a_server_that_always_cuts_at_the_same_place_is_given_up() {
    let bytes = noise(50_000);
    let whole = bytes.clone();
    let server = Server::new(&[("m.gguf", &bytes)], move |asked, _| {
        let file = asked.path.contains("/resolve/");
        file.then(|| Answer::bytes(&whole, None).cut_after(10_000))
    });
    let cache = tempfile::tempdir().expect("a folder");
    let error = pull(&hub(&server, cache.path()), "a/m").expect_err("it never comes");
    assert!(matches!(error, HubError::Network { .. }), "{error}");
    assert!(server.files_asked().len() <= 4, "{:?}", server.files_asked());
}

#[test]
fn what_is_there_in_part_needs_no_room_again() {
    let bytes = noise(50_000);
    let server = Server::usual(&[("m.gguf", &bytes)]);
    let cache = tempfile::tempdir().expect("a folder");
    let blobs = cache.path().join("models--a--m/blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    fs::write(
        blobs.join(format!("{}.incomplete", checksum(&bytes))),
        &bytes[..30_000],
    )
    .expect("a file");
    let plan = plan(&hub(&server, cache.path()), "a/m").expect("a plan");
    assert_eq!(plan.needs().download_bytes, 20_000);
}

#[test]
fn an_update_that_is_only_planned_leaves_what_there_is() {
    let bytes = noise(10);
    let server = Server::new(&[("m.gguf", &bytes)], |asked, before| {
        let moved = asked.path.contains("/revision/main") && before > 0;
        let empty = asked.path.contains("/tree/bbbb");
        moved
            .then(|| Answer::bytes(br#"{"sha": "bbbb"}"#, None))
            .or_else(|| {
                let new = format!(
                    r#"[{{"type": "file", "path": "m.gguf", "size": 9, "oid": "{}"}}]"#,
                    "c".repeat(40)
                );
                empty.then(|| Answer::bytes(new.as_bytes(), None))
            })
    });
    let cache = tempfile::tempdir().expect("a folder");
    let path = pull(&hub(&server, cache.path()), "a/m").expect("the file");
    let update = plan(&hub(&server, cache.path()), "a/m").expect("a plan");
    assert_eq!(update.commit(), "bbbb");
    let settings = HubSettings {
        offline: true,
        ..settings(&server, cache.path())
    };
    assert_eq!(
        pull(&Hub::new(settings).expect("a hub"), "a/m").expect("the file"),
        path
    );
}

#[test]
fn a_hub_may_go_within_a_task() {
    let server = Server::usual(&[]);
    let cache = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let hub = hub(&server, cache.path());
        assert!(matches!(plan(&hub, "a/m"), Err(HubError::NoModel { .. })));
    });
}
