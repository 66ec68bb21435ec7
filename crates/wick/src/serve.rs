//! `wick serve`: a model behind HTTP.
//!
//! It listens before the model is loaded, so that `/health` tells how far that is. Ctrl-C lets what was begun come to its
//! end; a second one does not.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use engine::{CandleCompletionModel as _, EngineConfig};
use generator::Limits;
use providers::family::PLAIN;
use providers::remote::{RemoteConfig, RemoteProvider};
use providers::{LocalProvider, ProgressHub, Serving};
use server::metrics::Meters;
use server::{Keys, Loading, Served, Server, Settings};
use tokio::sync::oneshot;

use crate::arguments::ServeArguments;
use crate::source::Source;
use crate::{failure, interrupt, loading, output, pulling, settings};

/// Threads that read requests and write answers; models have threads of their own.
const THREADS: usize = 2;

/// Serves until it is told to end.
///
/// # Errors
///
/// Keys that cannot be used, an address that cannot be had, a model that cannot be loaded.
pub(crate) fn serve(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let load = Load::of(arguments)?;
    let settings = serving(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(run(arguments, load, settings));
    // A model that is still being loaded is left behind.
    runtime.shutdown_background();
    result
}

async fn run(arguments: &ServeArguments, load: Load, settings: Settings) -> anyhow::Result<ExitCode> {
    let open = settings.keys.is_none();
    let server = Server::bind(arguments.address(), settings).await?;
    let address = server.address();
    output::write(&format!("listening on http://{address}\n"))?;
    if open && !address.ip().is_loopback() {
        failure::complain(
            "wick: everybody who reaches this address may ask; --api-key-file FILE says who may\n",
        );
    }
    let loading = server.loading();
    let bars = loading::bars(loading.progress())?;
    let (told, loaded) = oneshot::channel();
    std::thread::Builder::new()
        .name("loader".to_owned())
        .spawn(move || {
            // Whoever has been told to end meanwhile hears no more of it.
            let _ = told.send(load.run(&loading));
        })
        .context("cannot start the thread that loads the model")?;
    let (end, ended) = oneshot::channel::<()>();
    let mut serving = tokio::spawn(server.serve(async {
        // The sender's end is an end as well.
        let _ = ended.await;
    }));
    let interrupted = tokio::select! {
        loaded = loaded => {
            drop(bars);
            let id = loaded.context("loading the model panicked")??;
            failure::complain(&format!("wick: {} is ready\n", failure::one_line(&id)));
            told_to_end().await
        }
        interrupted = told_to_end() => interrupted,
    };
    interrupted?;
    drop(end);
    failure::complain("wick: finishing what was begun; Ctrl-C ends at once\n");
    tokio::select! {
        ended = &mut serving => {
            ended.context("the server panicked")?;
            Ok(ExitCode::SUCCESS)
        }
        interrupted = told_again() => {
            interrupted?;
            Ok(ExitCode::from(failure::INTERRUPTED))
        }
    }
}

/// [`told_to_end`] once more, after the time in which it is the same one.
async fn told_again() -> anyhow::Result<()> {
    tokio::time::sleep(interrupt::TOGETHER).await;
    told_to_end().await
}

/// Waits for Ctrl-C, or for what a system sends in its place.
async fn told_to_end() -> anyhow::Result<()> {
    const CANNOT: &str = "cannot listen for Ctrl-C";
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::SignalKind::terminate();
        let mut terminated = tokio::signal::unix::signal(terminate).context(CANNOT)?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.context(CANNOT),
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context(CANNOT)
}

fn serving(arguments: &ServeArguments) -> anyhow::Result<Settings> {
    let keys = arguments.keys.as_deref().map(Keys::read).transpose()?;
    let log: Option<server::Log> = arguments.log_requests.then(|| Arc::new(log) as server::Log);
    let conversations = match (&arguments.conversations, arguments.no_conversations) {
        (_, true) => None,
        (Some(folder), false) => Some(folder.clone()),
        (None, false) => settings::conversations(),
    };
    Ok(Settings {
        keys,
        cors_origins: arguments.cors_origins.clone(),
        conversations,
        meters: Some(Meters::install()?),
        log,
        ..Settings::default()
    })
}

fn log(served: &Served) {
    let Served {
        method,
        route,
        status,
        elapsed,
        whole,
    } = served;
    let cut = if *whole { "" } else { ", broken off" };
    failure::complain(&format!(
        "{method} {route} {status} {:.1} ms{cut}\n",
        elapsed.as_secs_f64() * 1e3
    ));
}

/// What is to be loaded, and how much it takes on.
enum Load {
    Remote(Box<RemoteConfig>),
    Local(Box<LocalLoad>),
}

/// A model on this machine.
struct LocalLoad {
    source: Source,
    family: Option<&'static providers::Family>,
    options: models::LoadOptions,
    serving: Serving,
}

impl Load {
    fn of(arguments: &ServeArguments) -> anyhow::Result<Self> {
        let place = |config: EngineConfig| EngineConfig {
            max_running: arguments.max_concurrency.map_or(config.max_running, usize::from),
            max_waiting: arguments.max_queue.unwrap_or(config.max_waiting),
            ..config
        };
        if let Some(config) = arguments.model.remote()? {
            return Ok(Self::Remote(Box::new(RemoteConfig {
                context_length: arguments.ctx.map(usize::from),
                engine: place(config.engine.clone()),
                ..config
            })));
        }
        let engine = place(EngineConfig::default());
        let limits = Limits::default();
        let limits = Limits {
            // What the engine lets in has a place.
            running: limits.running.max(engine.max_running),
            waiting: limits.waiting.max(engine.max_running),
            ..limits
        };
        Ok(Self::Local(Box::new(LocalLoad {
            source: arguments.model.source()?,
            family: arguments.model.family(),
            options: arguments.model.options(),
            serving: Serving {
                engine,
                limits,
                context: arguments.ctx.map(usize::from),
            },
        })))
    }

    /// Loads it and tells the server; gives the id by which it is asked for.
    fn run(self, loading: &Loading) -> anyhow::Result<String> {
        let loaded = match self {
            Self::Remote(config) => RemoteProvider::connect(*config)
                .map(|provider| {
                    let engine = provider.engine().clone();
                    let id = provider.name().to_owned();
                    server::Model::new(id, Arc::new(provider)).with_engine(engine)
                })
                .map_err(Into::into),
            Self::Local(load) => load.run(loading.progress()),
        };
        match loaded {
            Ok(model) => {
                let id = model.id().to_owned();
                loading.ready(model);
                Ok(id)
            }
            Err(error) => {
                loading.failed();
                Err(error)
            }
        }
    }
}

impl LocalLoad {
    fn run(self, hub: &ProgressHub) -> anyhow::Result<server::Model> {
        let Self {
            source,
            family,
            options,
            serving,
        } = self;
        let load = |path: PathBuf| {
            LocalProvider::load_serving(path, family.unwrap_or(&PLAIN), options, serving.clone(), hub)
        };
        let provider = match source {
            Source::Path(path) => load(path)?,
            Source::Hub { model, offline } => load(pulling::path(&model, offline, hub)?)?,
            #[cfg(feature = "demo")]
            Source::Demo => {
                anyhow::ensure!(
                    family.is_none(),
                    "the demo model is of a family of its own; leave --provider out"
                );
                let provider = providers::demo::load_serving(options, serving, hub)?;
                return Ok(server::Model::local(providers::demo::ID, provider));
            }
        };
        Ok(server::Model::local(provider.name().to_owned(), provider))
    }
}
