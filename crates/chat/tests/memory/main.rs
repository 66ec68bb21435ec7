//! The archive and what is carried out of it and into it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it measured"
)]

mod folder;

mod archive;
mod forgetting;
mod opening;
mod portable;
