//! An HTTP server for any provider: OpenAI's and Anthropic's interfaces, tokens, figures, kept conversations, a page.
//!
//! A [`Server`] listens at once and is told of its [`Model`] when that is loaded; `/health` tells how far it is. It runs
//! inside a tokio runtime, and installs nothing but what its [`Settings`] bring along.
//!
//! ```no_run
//! use server::{Model, Server, Settings};
//! use providers::LocalProvider;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind("127.0.0.1:8080".parse()?, Settings::default()).await?;
//! let loading = server.loading();
//! std::thread::spawn(move || match LocalProvider::load("model.gguf", loading.progress()) {
//!     Ok(provider) => loading.ready(Model::local("model", provider)),
//!     Err(_) => loading.failed(),
//! });
//! server.serve(async { std::future::pending().await }).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! * **Every field of a request is honoured, or refused by name with status 400, or listed in `x-unused-fields`**; only
//!   what cannot change the answer is listed.
//! * **Admission, deadlines and the breaker are the engine's**: there is no queue here.
//! * **A client that goes away drops its request**, and with it its sequence before the next step.
//! * **A failure never looks like a finish.** In a stream it is an event of its own, which ends it.
//! * **What is sent is bounded** in bytes and time, as is the time that a client may leave an answer unread.
//! * **Nothing is told of this machine**: no path and no address of another server in an answer, no prompt in a log.
//! * **`/openapi.json` is made of the types that requests are read into.**

#![forbid(unsafe_code)]

mod server;
mod settings;
mod keys;
mod model;

mod state;
mod patience;
mod socket;
mod unread;
mod routes;
mod access;
mod body;
mod bounds;
mod error;
mod shape;
mod sse;

mod draws;
mod format;
mod tools;
mod calls;
mod answer;
mod logprobs;
mod chat_completions;
mod completions;
mod responses;
mod messages;
mod embeddings;

mod catalogue;
mod tokens;
mod conversations;
mod health;
mod gateway;
pub mod metrics;
mod openapi;
mod page;

pub use keys::{Keys, KeysError};
pub use model::Model;
pub use openapi::document;
pub use server::{Loading, Server, ServerError};
pub use settings::{Log, Served, Settings};
