//! Loading a model with progress bars on the terminal, and Ctrl-C to stop it.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use engine::CandleCompletionModel;
use models::{Checkpoint, LoadOptions, ModelFactory};
use providers::family::PLAIN;
use providers::progress::bars::Bars;
use providers::remote::{RemoteConfig, RemoteProvider};
use providers::{Family, LocalProvider, ProgressEvent, ProgressHub};

use crate::arguments::ModelArguments;
#[cfg(feature = "demo")]
use crate::failure;
use crate::interrupt::{self, Outcome};
use crate::pulling;
use crate::source::Source;

/// A loaded model.
pub(crate) struct Model {
    pub(crate) provider: Arc<dyn CandleCompletionModel>,
    /// The same, where the model runs on this machine.
    pub(crate) local: Option<LocalProvider>,
    /// How long loading took.
    pub(crate) elapsed: Duration,
}

/// Loads the model that `arguments` name; the bars are gone when it returns.
///
/// # Errors
///
/// What the provider reports.
pub(crate) async fn load(arguments: &ModelArguments) -> anyhow::Result<Outcome<Model>> {
    let started = Instant::now();
    if let Some(config) = arguments.remote()? {
        return connect(config, started).await;
    }
    let hub = ProgressHub::new();
    let bars = bars(&hub)?;
    let (source, family, options) = (arguments.source()?, arguments.family(), arguments.options());
    // A thread of its own: it is left behind when Ctrl-C ends the program.
    let loading = tokio::task::spawn_blocking(move || provider(&source, family, options, &hub));
    let outcome = interrupt::or_interrupt(loading).await;
    drop(bars);
    Ok(match outcome? {
        Outcome::Interrupted => Outcome::Interrupted,
        Outcome::Done(loaded) => {
            let provider = loaded.context("loading the model panicked")??;
            Outcome::Done(Model {
                provider: Arc::new(provider.clone()),
                local: Some(provider),
                elapsed: started.elapsed(),
            })
        }
    })
}

/// Asks a server what it serves.
async fn connect(config: RemoteConfig, started: Instant) -> anyhow::Result<Outcome<Model>> {
    let connecting = tokio::task::spawn_blocking(|| RemoteProvider::connect(config));
    Ok(match interrupt::or_interrupt(connecting).await? {
        Outcome::Interrupted => Outcome::Interrupted,
        Outcome::Done(connected) => Outcome::Done(Model {
            provider: Arc::new(connected.context("connecting panicked")??),
            local: None,
            elapsed: started.elapsed(),
        }),
    })
}

fn provider(
    source: &Source,
    family: Option<&'static Family>,
    options: LoadOptions,
    hub: &ProgressHub,
) -> anyhow::Result<LocalProvider> {
    match source {
        Source::Hub { model, offline } => {
            let path = pulling::path(model, *offline, hub)?;
            Ok(LocalProvider::load_family(
                path,
                family.unwrap_or(&PLAIN),
                options,
                hub,
            )?)
        }
        Source::Path(path) => {
            let family = family.unwrap_or(&PLAIN);
            Ok(LocalProvider::load_family(path, family, options, hub)?)
        }
        #[cfg(feature = "demo")]
        Source::Demo => {
            anyhow::ensure!(
                family.is_none(),
                "the demo model is of a family of its own; leave --provider out"
            );
            let provider = providers::demo::load(options, hub)?;
            failure::complain(DEMO);
            Ok(provider)
        }
    }
}

/// What is said of the demo model before it answers.
#[cfg(feature = "demo")]
const DEMO: &str = "wick: this is the built-in demo model, very small; for a real one get a GGUF file of Qwen3, Llama or Kimi K2 \
                    and name it with --model\n";

/// Loads the forward pass alone, without a tokenizer and a generator around it.
///
/// # Errors
///
/// What the factory reports.
pub(crate) fn forward_pass(
    checkpoint: &Checkpoint,
    options: LoadOptions,
) -> anyhow::Result<Box<dyn models::Model>> {
    let hub = ProgressHub::new();
    let _bars = bars(&hub)?;
    hub.send(&ProgressEvent::Map {
        path: checkpoint.path().to_owned(),
        bytes: checkpoint.file_bytes(),
    });
    let model = ModelFactory::load(checkpoint, options, &mut |load| {
        hub.send(&ProgressEvent::Load {
            done: load.done,
            total: load.total,
        });
    });
    model.with_context(|| format!("cannot load {}", checkpoint.path().display()))
}

/// Progress bars for a person; none in a pipe.
pub(crate) fn bars(hub: &ProgressHub) -> anyhow::Result<Option<Bars>> {
    if !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    Bars::show(hub).map(Some).context("cannot draw progress")
}
