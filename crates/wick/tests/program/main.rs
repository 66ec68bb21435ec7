//! The program as its users run it: arguments in, text and an exit status out.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod bad_input;
mod bench;
mod chat;
#[cfg(feature = "demo")]
mod demo;
mod eval;
mod files;
mod inspect;
mod process;
mod pulling;
mod remote;
mod run;
mod serve;
#[cfg(unix)]
mod terminal;
#[allow(dead_code, reason = "it can do more than is asked of it here")]
#[path = "../../../providers/tests/remote/server.rs"]
mod engine_server;
#[allow(dead_code, reason = "it can do more than is asked of it here")]
#[path = "../../../providers/tests/hub/server.rs"]
mod hub_server;
mod tokenize;
#[cfg(feature = "demo")]
mod tools;
