//! Many streams at once, of which many are cut off: counts balance, and nothing is left behind.
//!
//! What is held is compared while nothing runs: before the load, and after each of its rounds. What is allocated is counted
//! to the byte; what is resident also tells of the system's allocator. `LOAD_SECONDS` says for how
//! long; two minutes unless it does.
#![allow(unsafe_code, reason = "a global allocator that counts")]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot be set up has failed; it prints what it measured"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::{EngineConfig, EngineState, Statistics};
use generator::Limits;
use models::LoadOptions;
use providers::{LocalProvider, ProgressHub, Serving, demo};
use server::metrics::Meters;
use server::{Model, Server, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Streams at once, all of which the model runs together.
const STREAMS: usize = 64;
/// Bytes of prompts that are kept; few, so that they are full before what is held is measured.
const KEPT: usize = 16 << 20;
/// Rounds of the load: a leak grows from one to the next.
const ROUNDS: u64 = 6;
/// Bytes that may be allocated after the last round beyond what was after any of the first half: less than 60 of each of the
/// requests between them.
const SLACK: usize = 1 << 20;
/// The same of what is resident, which goes up and down by tens of megabytes as the system's allocator gives back what it has
/// or not; it bounds what is mapped past the allocator.
const MAPPED: usize = 64 << 20;
/// Width of the buckets of times.
const BUCKET: Duration = Duration::from_micros(100);

/// Bytes that are allocated.
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; growing a block goes through both.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout` is the one that is needed.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `alloc` above, so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one stream saw.
#[derive(Default)]
struct Seen {
    whole: u64,
    cut: u64,
    gaps: Gaps,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.whole += other.whole;
        self.cut += other.cut;
        self.gaps.add(&other.gaps);
    }
}

/// Times between pieces of text, by their length: as many buckets however many there are.
struct Gaps(Box<[u64; 65_536]>);

impl Default for Gaps {
    fn default() -> Self {
        Self(Box::new([0; 65_536]))
    }
}

impl Gaps {
    fn count(&mut self, gap: Duration) {
        let place = (gap.as_nanos() / BUCKET.as_nanos()).min(self.0.len() as u128 - 1);
        self.0[place as usize] += 1;
    }

    fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0.iter()) {
            *count += more;
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that this share of them is below, in milliseconds.
    fn at(&self, share: f64) -> f64 {
        let wanted = self.total() as f64 * share;
        let mut below = 0;
        let place = self.0.iter().position(|count| {
            below += count;
            below as f64 >= wanted
        });
        (place.unwrap_or_default() + 1) as f64 * BUCKET.as_secs_f64() * 1e3
    }
}

/// Numbers that look random, the same ones each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

async fn client(address: SocketAddr, number: u64, until: Instant) -> Seen {
    let mut chance = Chance(number);
    let mut seen = Seen::default();
    while Instant::now() < until {
        let length = 8 + chance.below(56);
        let cut = (chance.below(3) == 0).then(|| chance.below(40));
        let body = format!(
            "{{\"model\":\"demo\",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":{length},\"messages\":\
             [{{\"role\":\"user\",\"content\":\"Tell me story {} of {number}.\"}}]}}",
            chance.below(50)
        );
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let mut reader = BufReader::new(stream);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        reader
            .get_mut()
            .write_all(head.as_bytes())
            .await
            .expect("the server reads");
        if cut == Some(0) {
            seen.cut += 1;
            continue;
        }
        let (mut line, mut events, mut last, mut done) = (String::new(), 0, None, false);
        while reader.read_line(&mut line).await.expect("the server writes") > 0 {
            if line.starts_with("data: ") {
                assert!(!line.contains("\"error\""), "{line}");
                events += 1;
                // Neither the piece that tells why it ended nor the end is a token.
                if line.contains("\"content\"") {
                    let came = Instant::now();
                    if let Some(last) = last.replace(came) {
                        seen.gaps.count(came - last);
                    }
                }
                done |= line.starts_with("data: [DONE]");
            } else if line.starts_with("HTTP/1.1 ") {
                assert!(line.starts_with("HTTP/1.1 200"), "{line}");
            }
            line.clear();
            if cut.is_some_and(|cut| events >= cut) {
                break;
            }
        }
        if done {
            seen.whole += 1;
        } else {
            assert!(
                cut.is_some(),
                "a stream ended without its end after {events} events"
            );
            seen.cut += 1;
        }
    }
    seen
}

/// What a process has.
#[derive(Debug)]
struct Held {
    /// Descriptors that are open, where the system tells.
    open: Option<usize>,
    /// Bytes that are allocated.
    allocated: usize,
    /// Bytes that are resident, where the system tells.
    resident: Option<usize>,
    /// Tasks of the runtime.
    tasks: usize,
}

impl Held {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").ok();
        let resident = status.and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()
        });
        Self {
            allocated: LIVE.load(Ordering::Relaxed),
            open: std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
            resident: resident.map(|kilobytes| kilobytes << 10),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        }
    }
}

/// Keeps all streams busy for so long.
async fn load(address: SocketAddr, seconds: u64) -> Seen {
    let until = Instant::now() + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..STREAMS as u64)
        .map(|number| tokio::spawn(client(address, number, until)))
        .collect();
    let mut seen = Seen::default();
    for client in clients {
        seen.add(&client.await.expect("no client panics"));
    }
    seen
}

/// Waits until nothing runs and every connection is closed.
async fn settle(provider: &LocalProvider, meters: &Meters, idle: &Held) -> (Statistics, Held) {
    let began = Instant::now();
    loop {
        let (counts, held) = (provider.engine().statistics(), Held::now());
        let running =
            counts.in_flight + counts.waiting > 0 || figure(meters, "http_requests_in_flight") > 0.0;
        let open = held.open > idle.open || held.tasks > idle.tasks;
        if !running && !open || began.elapsed() > Duration::from_secs(10) {
            return (counts, held);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The sum of the series that begin like this.
fn figure(meters: &Meters, series: &str) -> f64 {
    let text = meters.render();
    let lines = text.lines().filter(|line| line.starts_with(series));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn check_counts(counts: &Statistics, meters: &Meters, seen: &Seen) {
    assert_eq!(
        (counts.in_flight, counts.waiting, counts.failed, counts.rejected),
        (0, 0, 0, 0),
        "{counts:?}"
    );
    assert_eq!(counts.requests, counts.completed + counts.cancelled, "{counts:?}");
    // One that is cut off may have been at its end, or not have been read.
    assert!(
        counts.completed >= seen.whole && counts.cancelled <= seen.cut,
        "{counts:?}"
    );
    // Outwardly the same, but for requests whose client was gone before they came to the model.
    for (series, count) in [
        ("engine_running", 0),
        ("engine_waiting", 0),
        ("http_requests_in_flight", 0),
        ("engine_requests_total{", counts.requests),
        (
            "engine_requests_total{engine=\"demo\",outcome=\"completed\"}",
            counts.completed,
        ),
        (
            "engine_requests_total{engine=\"demo\",outcome=\"cancelled\"}",
            counts.cancelled,
        ),
    ] {
        assert_eq!(figure(meters, series), count as f64, "{series}");
    }
    let asked = figure(meters, "http_requests_total");
    let sent = (seen.whole + seen.cut) as f64;
    assert!(
        counts.requests as f64 <= asked && asked <= sent,
        "{} of the engine, {asked} of the server, {sent} sent",
        counts.requests
    );
    let streamed = "http_requests_total{method=\"POST\",route=\"/v1/chat/completions\",status=\"200\"}";
    let gone = "http_requests_total{method=\"POST\",route=\"/v1/chat/completions\",status=\"499\"}";
    assert_eq!(
        figure(meters, streamed) + figure(meters, gone),
        asked,
        "no other status"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes: cargo xtask ci --full"]
async fn streams_that_are_cut_off_leave_nothing_behind() {
    let seconds: u64 = std::env::var("LOAD_SECONDS")
        .ok()
        .and_then(|said| said.parse().ok())
        .unwrap_or(120);
    let serving = Serving {
        engine: EngineConfig {
            max_running: STREAMS,
            ..EngineConfig::default()
        },
        limits: Limits {
            running: STREAMS,
            prefix_bytes: KEPT,
            ..Limits::default()
        },
        context: None,
    };
    let provider = demo::load_serving(LoadOptions::default(), serving, &ProgressHub::new())
        .expect("the demo model loads");
    let meters = Meters::install().expect("no other test installs a recorder");
    let settings = Settings {
        meters: Some(meters.clone()),
        ..Settings::default()
    };
    let address = "127.0.0.1:0".parse().expect("it is an address");
    let server = Server::bind(address, settings).await.expect("a port is free");
    let address = server.address();
    server.loading().ready(Model::local("demo", provider.clone()));
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        let _ = ended.await;
    }));
    let idle = Held::now();
    let mut seen = Seen::default();
    let (mut allocated, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        seen.add(&load(address, seconds.div_ceil(ROUNDS)).await);
        let (counts, held) = settle(&provider, &meters, &idle).await;
        check_counts(&counts, &meters, &seen);
        assert_eq!((held.open, held.tasks), (idle.open, idle.tasks));
        allocated.push(held.allocated);
        resident.extend(held.resident);
    }
    println!(
        "{} whole, {} cut off, {} gaps between tokens of {STREAMS} streams: median {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
        seen.whole,
        seen.cut,
        seen.gaps.total(),
        seen.gaps.at(0.5),
        seen.gaps.at(0.99),
        seen.gaps.at(0.999)
    );
    let kilobytes: Vec<_> = allocated.iter().map(|bytes| bytes >> 10).collect();
    println!("allocated after each round, in KiB: {kilobytes:?}");
    let megabytes = |bytes: &usize| bytes >> 20;
    println!(
        "at first {idle:?}; resident after each round, in MiB: {:?}",
        resident.iter().map(megabytes).collect::<Vec<_>>()
    );
    assert!(seen.whole > 0 && seen.cut > 0 && seen.gaps.total() > 0);
    for (held, slack) in [(&allocated, SLACK), (&resident, MAPPED)] {
        let (early, late) = held.split_at(held.len() / 2);
        if let (Some(early), Some(late)) = (early.iter().max(), late.last()) {
            assert!(*late < early + slack, "{held:?}");
        }
    }
    drop(end);
    serving.await.expect("the server does not panic");
    assert_eq!(provider.engine().statistics().state, EngineState::Stopped);
}
