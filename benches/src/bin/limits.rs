//! Prints the machine's limits as one line of JSON; `limits T` takes T threads for all.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program: it prints what it measured")]

use std::num::NonZeroUsize;

use anyhow::Context as _;
use benches::Limits;

fn main() -> anyhow::Result<()> {
    let threads: NonZeroUsize = match std::env::args().nth(1) {
        Some(given) => given
            .parse()
            .with_context(|| format!("{given} is no number of threads"))?,
        None => std::thread::available_parallelism().context("the number of cores is not known")?,
    };
    println!("{}", serde_json::to_string(&Limits::measure(threads))?);
    Ok(())
}
