//! Many streams at once, of which many are cut off: counts balance, and nothing is left behind.
//!
//! `LOAD_SECONDS` says for how long; two minutes unless it does.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot be set up has failed; it prints what it measured"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use engine::EngineState;
use models::LoadOptions;
use providers::{ProgressHub, demo};
use server::{Model, Server, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const STREAMS: u64 = 64;

/// What one stream saw.
#[derive(Default)]
struct Seen {
    whole: u64,
    cut: u64,
    gaps: Vec<Duration>,
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
                let came = Instant::now();
                seen.gaps.extend(last.replace(came).map(|last| came - last));
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

/// Descriptors that are open and bytes that are resident, where the system tells.
fn held() -> (Option<usize>, Option<usize>) {
    let open = std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    let status = std::fs::read_to_string("/proc/self/status").ok();
    let resident = status.and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()
    });
    (open, resident.map(|kilobytes| kilobytes << 10))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes: cargo xtask ci --full"]
async fn streams_that_are_cut_off_leave_nothing_behind() {
    let seconds = std::env::var("LOAD_SECONDS")
        .ok()
        .and_then(|said| said.parse().ok())
        .unwrap_or(120);
    let provider = demo::load(LoadOptions::default(), &ProgressHub::new()).expect("the demo model loads");
    let address = "127.0.0.1:0".parse().expect("it is an address");
    let server = Server::bind(address, Settings::default())
        .await
        .expect("a port is free");
    let address = server.address();
    server.loading().ready(Model::local("demo", provider.clone()));
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        let _ = ended.await;
    }));
    // What is kept of prompts fills up first.
    let warm = Instant::now() + Duration::from_secs(seconds / 8 + 1);
    let until = Instant::now() + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..STREAMS)
        .map(|number| tokio::spawn(client(address, number, until)))
        .collect();
    tokio::time::sleep_until(warm.into()).await;
    let before = held();
    let mut seen = Seen::default();
    for client in clients {
        let one = client.await.expect("no client panics");
        seen.whole += one.whole;
        seen.cut += one.cut;
        seen.gaps.extend(one.gaps);
    }
    let began = Instant::now();
    let counts = loop {
        let counts = provider.engine().statistics();
        if counts.in_flight + counts.waiting == 0 || began.elapsed() > Duration::from_secs(10) {
            break counts;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let after = held();
    seen.gaps.sort();
    let at = |share: f64| {
        seen.gaps
            .get((seen.gaps.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{} whole, {} cut off, {} events; between two: median {:.1} ms, p99 {:.1} ms; resident {:?} to {:?}",
        seen.whole,
        seen.cut,
        seen.gaps.len(),
        at(0.5).as_secs_f64() * 1e3,
        at(0.99).as_secs_f64() * 1e3,
        before.1,
        after.1
    );
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
    assert!(seen.whole > 0 && seen.cut > 0);
    drop(end);
    serving.await.expect("the server does not panic");
    assert_eq!(provider.engine().statistics().state, EngineState::Stopped);
    if let ((Some(open), Some(resident)), (Some(open_after), Some(resident_after))) = (before, after) {
        assert!(open_after <= open, "{open_after} descriptors after {open}");
        assert!(
            resident_after < resident + resident / 2,
            "{resident_after} bytes after {resident}"
        );
    }
}
