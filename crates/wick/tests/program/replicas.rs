//! Replicas behind SGLang's router, with a remote provider before it: a replica that is killed under load breaks off its
//! own answers and no others, and has its share again when it is back.
//!
//! Run by `cargo xtask gateway`, which installs the router and names its interpreter in `ROUTER_PYTHON`.
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine::{
    BackendErrorKind, CandleCompletionChunk, CandleCompletionModel as _, CandleCompletionParams,
    CandlePrompt, EngineError, FinishReason, Message, Usage,
};
use providers::RemoteProvider;
use providers::remote::{Dialect, RemoteConfig};
use serde_json::Value;

use crate::process::{LIMIT, alone, wait};

const SCRIPT: &str = "../server/cluster/replicas.py";
/// Clients at once.
const CLIENTS: u64 = 12;
/// Seconds before a replica that has ended is started again.
const PAUSE: u64 = 4;
/// Turns of a conversation.
const TURNS: u64 = 5;

/// Two replicas and the router, which end with this.
struct Cluster {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The script ends what it has started, if it is asked.
        let _ = signal("-TERM", self.child.id());
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Cluster {
    fn start(folder: &Path, policy: &str) -> Self {
        let python = std::env::var("ROUTER_PYTHON").expect("ROUTER_PYTHON names the router's interpreter");
        let (port, folder) = (free_ports(4), folder.join(policy));
        let mut command = Command::new(python);
        alone(&mut command);
        let child = command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT))
            .args(["--port", &port.to_string(), "--policy", policy, "--wick"])
            .arg(env!("CARGO_BIN_EXE_wick"))
            .args(["--pause", &PAUSE.to_string(), "--folder"])
            .arg(&folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("the script starts");
        let cluster = Self { child, port, folder };
        cluster.until("both replicas are there", || cluster.healthy() == 2);
        cluster
    }

    /// Replicas that the router sends requests to.
    fn healthy(&self) -> usize {
        let Some(body) = get(self.port, "/workers") else {
            return 0;
        };
        let listed: Value = serde_json::from_str(&body).unwrap_or_default();
        let workers = listed["workers"].as_array().cloned().unwrap_or_default();
        workers
            .iter()
            .filter(|worker| worker["is_healthy"] == true)
            .count()
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) -> Instant {
        let began = Instant::now();
        while !is_so() {
            assert!(
                began.elapsed() < LIMIT,
                "not within {LIMIT:?}: {what}; {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Instant::now()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("router.log")).unwrap_or_default()
    }

    /// The process id of a replica, from 0.
    fn replica(&self, index: u16) -> u32 {
        let file = self.folder.join(format!("replica-{}.pid", self.port + 1 + index));
        let text = std::fs::read_to_string(&file).expect("the script writes process ids");
        text.trim().parse().expect("it is a number")
    }

    /// The sum of a replica's series that begin like this; 0 where it does not answer.
    fn figure(&self, index: u16, series: &str) -> f64 {
        let text = get(self.port + 1 + index, "/metrics").unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    fn provider(&self) -> RemoteProvider {
        let address = format!("http://127.0.0.1:{}", self.port);
        let provider = RemoteProvider::connect(RemoteConfig::new(address)).expect("the router answers");
        assert_eq!((provider.name(), provider.dialect()), ("demo", Dialect::Sglang));
        provider
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) {
        signal("-TERM", self.child.id()).expect("it runs");
        let status = wait(&mut self.child);
        assert!(status.success(), "{status}");
        for port in self.port..self.port + 3 {
            assert!(
                TcpStream::connect(("127.0.0.1", port)).is_err(),
                "{port} still listens"
            );
        }
    }
}

/// The first of so many ports in a row that are free.
fn free_ports(count: u16) -> u16 {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = first.local_addr().expect("it is bound").port();
        let rest: Vec<_> = (1..count)
            .map_while(|index| port.checked_add(index))
            .filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
            .collect();
        if rest.len() + 1 == usize::from(count) {
            return port;
        }
    }
    panic!("no {count} ports in a row are free");
}

/// A body, if the status is 200.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ')
        .nth(1)?
        .starts_with("200")
        .then(|| body.to_owned())
}

fn signal(name: &str, process: u32) -> std::io::Result<()> {
    let status = Command::new("kill").args([name, &process.to_string()]).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("no process {process}")))
    }
}

/// What came of a request.
struct Outcome {
    began: Instant,
    ended: Instant,
    /// Whether something of the answer came.
    begun: bool,
    result: Result<Usage, EngineError>,
}

/// Asks for an answer of just so many tokens; what it says goes to `text`.
fn ask(provider: &RemoteProvider, messages: &[Message], length: u32, text: &mut String) -> Outcome {
    let params = CandleCompletionParams {
        max_tokens: Some(length),
        ignore_eos: true,
        ..CandleCompletionParams::default()
    };
    let began = Instant::now();
    let (mut begun, mut result, mut reason) = (false, None, None);
    for chunk in provider
        .prompt(CandlePrompt::chat(messages), &params)
        .blocking_iter()
    {
        assert!(result.is_none(), "something comes after the end");
        match chunk {
            Ok(CandleCompletionChunk::Complete { usage, .. }) => result = Some(Ok(usage)),
            Ok(CandleCompletionChunk::Finish { finish, .. }) => reason = Some(finish),
            Ok(chunk) => {
                begun = true;
                text.push_str(chunk.text().unwrap_or_default());
            }
            Err(error) => result = Some(Err(error)),
        }
    }
    let result = result.expect("every stream has an end");
    if let Ok(usage) = &result {
        // What was broken off would be shorter.
        assert_eq!(
            (usage.completion_tokens, reason),
            (length as usize, Some(FinishReason::Length))
        );
    }
    Outcome {
        began,
        ended: Instant::now(),
        begun,
        result,
    }
}

/// A conversation of some turns; it ends with the first error.
fn converse(provider: &RemoteProvider, number: u64, turns: u64, mut told: impl FnMut(Outcome)) {
    let story = format!(
        "Tell me story {number}: {}",
        format!("number {number}, ").repeat(20)
    );
    let mut messages = vec![Message::user(story)];
    for turn in 0..turns {
        let mut text = String::new();
        let length = 16 + u32::try_from((number * 7 + turn * 13) % 32).unwrap_or_default();
        let outcome = ask(provider, &messages, length, &mut text);
        let failed = outcome.result.is_err();
        told(outcome);
        if failed {
            return;
        }
        messages.push(Message::assistant(text));
        messages.push(Message::user("Go on."));
    }
}

/// The share of prompt tokens that caches held, in conversations of several clients at once.
fn cached_share(folder: &Path, policy: &str) -> f64 {
    let cluster = Cluster::start(folder, policy);
    let provider = cluster.provider();
    let total = Mutex::new((0, 0));
    std::thread::scope(|scope| {
        for client in 0..6 {
            let (provider, total) = (&provider, &total);
            scope.spawn(move || {
                for number in 0..3 {
                    converse(provider, 100 * client + number, TURNS, |outcome| {
                        let usage = outcome.result.expect("every request succeeds");
                        let mut total = total.lock().expect("no client panics");
                        *total = (total.0 + usage.cached_tokens, total.1 + usage.prompt_tokens);
                    });
                }
            });
        }
    });
    let (cached, prompt) = *total.lock().expect("no client panics");
    let sum = |series| cluster.figure(0, series) + cluster.figure(1, series);
    assert_eq!(
        sum("engine_cached_tokens_total"),
        cached as f64,
        "as the replicas count"
    );
    assert_eq!(
        sum("engine_prompt_tokens_total"),
        prompt as f64,
        "as the replicas count"
    );
    let asked = [0, 1].map(|index| cluster.figure(index, "engine_requests_total"));
    println!(
        "{policy}: {cached} of {prompt} tokens of prompts were cached; {} and {} requests",
        asked[0], asked[1]
    );
    assert!(asked.iter().all(|asked| *asked > 0.0), "both replicas are asked");
    cluster.end();
    cached as f64 / prompt as f64
}

#[test]
#[ignore = "needs SGLang's router: cargo xtask gateway"]
fn conversations_stay_where_their_beginning_is_cached() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let aware = cached_share(folder.path(), "cache_aware");
    let turns = cached_share(folder.path(), "round_robin");
    println!(
        "cached: {:.1} % cache-aware, {:.1} % in turns",
        aware * 100.0,
        turns * 100.0
    );
    assert!(aware > turns + 0.05, "{aware} and {turns}");
}

/// Clients that talk until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    clients: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(provider: &RemoteProvider) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let clients = (0..CLIENTS)
            .map(|client| {
                let (provider, stop, outcomes) = (provider.clone(), Arc::clone(&stop), Arc::clone(&outcomes));
                std::thread::spawn(move || {
                    let mut number = client * 1_000;
                    while !stop.load(Ordering::Relaxed) {
                        converse(&provider, number, TURNS, |outcome| {
                            outcomes.lock().expect("no client panics").push(outcome);
                        });
                        number += 1;
                    }
                })
            })
            .collect();
        Self {
            stop,
            outcomes,
            clients,
        }
    }

    fn end(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no client panics");
        }
        std::mem::take(&mut *self.outcomes.lock().expect("no client panics"))
    }
}

/// When what happened.
struct Times {
    killed: Instant,
    noticed: Instant,
    asked_again: Instant,
    told_to_end: Instant,
}

/// Kills a replica and ends the other in its turn, while they are asked.
fn disturb(cluster: &Cluster) -> Times {
    const CHATS: &str = "http_requests_total{method=\"POST\",route=\"/v1/chat/completions\",status=\"200\"}";
    std::thread::sleep(Duration::from_secs(4));
    let first = cluster.replica(0);
    // An answer of the small model is short: one that is asked next to nothing would be killed between two of them.
    cluster.until("answers run where they are broken off", || {
        cluster.figure(0, "engine_running") >= 3.0
    });
    signal("-KILL", first).expect("the replica runs");
    let killed = Instant::now();
    let noticed = cluster.until("the router notices", || cluster.healthy() == 1);
    cluster.until("it is started again", || cluster.replica(0) != first);
    let asked_again = cluster.until("it is asked again", || cluster.figure(0, CHATS) > 0.0);
    cluster.until("both are there again", || cluster.healthy() == 2);
    std::thread::sleep(Duration::from_secs(2));
    let second = cluster.replica(1);
    signal("-TERM", second).expect("the replica runs");
    let told_to_end = Instant::now();
    cluster.until("it ends and is started again", || cluster.replica(1) != second);
    cluster.until("it is asked again", || cluster.figure(1, CHATS) > 0.0);
    std::thread::sleep(Duration::from_secs(1));
    Times {
        killed,
        noticed,
        asked_again,
        told_to_end,
    }
}

#[test]
#[ignore = "needs SGLang's router: cargo xtask gateway"]
fn a_replica_that_is_killed_breaks_off_its_own_answers_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let cluster = Cluster::start(folder.path(), "cache_aware");
    let provider = cluster.provider();
    let load = Load::start(&provider);
    let times = disturb(&cluster);
    let outcomes = load.end();
    report(&times, &outcomes);
    for outcome in &outcomes {
        let Err(error) = &outcome.result else { continue };
        let kind = match error {
            EngineError::Backend { kind, .. } => Some(*kind),
            _ => None,
        };
        assert_eq!(kind, Some(BackendErrorKind::Unavailable), "{error:?}");
        // Before the first token it is tried again; after it, it is not.
        assert!(outcome.begun, "{error:?}");
        let running = outcome.began <= times.killed && outcome.ended >= times.killed;
        assert!(running, "of no request that ran at the kill: {error:?}");
    }
    let broken = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    assert!(broken > 0, "nothing ran on the replica that was killed");
    for index in [0, 1] {
        let figure = |series| cluster.figure(index, series);
        cluster.until("nothing runs", || {
            figure("engine_running") + figure("engine_waiting") == 0.0
        });
        let asked =
            figure("http_requests_total{method=\"POST\",route=\"/v1/chat/completions\",status=\"200\"}");
        assert_eq!(figure("engine_requests_total"), asked, "replica {index}");
        assert_eq!(
            figure("engine_requests_total{engine=\"demo\",outcome=\"completed\"}"),
            asked,
            "replica {index}"
        );
        // This request itself.
        assert_eq!(figure("http_requests_in_flight"), 1.0, "replica {index}");
    }
    assert_eq!(provider.engine().statistics().in_flight, 0);
    drop(provider);
    cluster.end();
}

fn report(times: &Times, outcomes: &[Outcome]) {
    let since = |instant: Instant| instant.saturating_duration_since(times.killed).as_secs_f64();
    let broken = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    let whole_after: Vec<f64> = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_ok() && outcome.began > times.killed)
        .map(|outcome| since(outcome.ended))
        .collect();
    let slowest = |from: Instant, to: Instant| {
        let among = outcomes
            .iter()
            .filter(|outcome| outcome.began > from && outcome.began < to);
        let times = among.map(|outcome| (outcome.ended - outcome.began).as_secs_f64());
        times.fold(0.0, f64::max)
    };
    println!(
        "{} requests of {CLIENTS} clients, {broken} broken off by the kill, none else; the router noticed after {:.1} s; \
         the first request begun after the kill was answered {:.2} s after it; the replica, started again after \
         {PAUSE} s, was asked again {:.1} s after the kill",
        outcomes.len(),
        since(times.noticed),
        whole_after.iter().copied().fold(f64::INFINITY, f64::min),
        since(times.asked_again),
    );
    println!(
        "slowest answer: {:.2} s begun after the kill and before it was noticed, {:.2} s later, {:.2} s after the other \
         replica was told to end, which broke off none",
        slowest(times.killed, times.noticed),
        slowest(times.noticed, times.told_to_end),
        slowest(times.told_to_end, Instant::now()),
    );
}
