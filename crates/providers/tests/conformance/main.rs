//! What every provider has to keep, held against a local model and against the same model behind a server.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod laws;
mod serving;
#[path = "../remote/server.rs"]
#[allow(dead_code, reason = "its other tests make servers fail in more ways")]
mod server;

use engine::{CandleCompletionModel, CandlePrompt, Engine};
use models::synth::{self, Shape};
use providers::remote::{RemoteConfig, RemoteProvider};
use providers::{LocalProvider, ProgressHub};
use tempfile::TempDir;

/// A provider, and the engine of the model behind it.
struct Subject<'a> {
    provider: &'a dyn CandleCompletionModel,
    model: &'a Engine,
}

fn local() -> (TempDir, LocalProvider) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("model.gguf");
    synth::write(Shape::TinyQwen3, 11, &path).expect("the model can be written");
    let provider = LocalProvider::load(&path, &ProgressHub::new()).expect("the model loads");
    (folder, provider)
}

fn remote(local: &LocalProvider) -> RemoteProvider {
    let server = serving::serve(local.clone());
    RemoteProvider::connect(RemoteConfig::new(server.address)).expect("the server can be connected to")
}

#[test]
fn a_local_provider_keeps_every_law() {
    let (_folder, local) = local();
    for law in laws::ALL {
        law(&Subject {
            provider: &local,
            model: local.engine(),
        });
    }
}

#[test]
fn a_remote_provider_keeps_every_law() {
    let (_folder, local) = local();
    let remote = remote(&local);
    for law in laws::ALL {
        law(&Subject {
            provider: &remote,
            model: local.engine(),
        });
    }
}

#[test]
fn a_model_says_the_same_behind_a_server() {
    let (_folder, local) = local();
    let remote = remote(&local);
    assert_eq!(
        (remote.name(), remote.context_length()),
        (local.name(), local.context_length())
    );
    for prompt in [CandlePrompt::from("Hello"), CandlePrompt::raw("Once upon")] {
        for params in [laws::greedy(24), laws::seeded(24, 5)] {
            let here = laws::read(&local, prompt.clone(), &params);
            let there = laws::read(&remote, prompt.clone(), &params);
            assert_eq!(here.texts, there.texts);
            assert_eq!(here.tokens, there.tokens);
            assert_eq!(here.finishes, there.finishes);
            assert_eq!(here.usage.total_tokens(), there.usage.total_tokens());
            // The server had the same prompt before, and says so.
            assert!(there.usage.cached_tokens > 0);
        }
    }
}
