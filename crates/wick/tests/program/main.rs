//! The program as its users run it: arguments in, text and an exit status out.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod bad_input;
mod bench;
mod chat;
mod configuration;
#[cfg(unix)]
mod confirmation;
#[cfg(feature = "demo")]
mod demo;
mod eval;
mod files;
#[cfg(all(unix, feature = "demo"))]
mod guide;
mod input;
mod inspect;
mod manual;
mod memory;
mod process;
mod pulling;
mod remote;
#[cfg(all(unix, feature = "demo"))]
mod replicas;
mod run;
mod sampling;
mod schema;
#[cfg(unix)]
mod screen;
mod serve;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod terminal_answers;
#[cfg(unix)]
mod terminal_memory;
#[allow(dead_code, reason = "it can do more than is asked of it here")]
#[path = "../../../providers/tests/remote/server.rs"]
mod engine_server;
#[allow(dead_code, reason = "it can do more than is asked of it here")]
#[path = "../../../providers/tests/hub/server.rs"]
mod hub_server;
mod threads;
mod tokenize;
#[cfg(unix)]
mod tool_programs;
#[cfg(feature = "demo")]
mod tools;
