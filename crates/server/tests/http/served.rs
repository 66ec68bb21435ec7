//! Servers for tests.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use models::LoadOptions;
use providers::{LocalProvider, ProgressHub, demo};
use server::{Loading, Model, Server, Settings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::scripted::Scripted;

/// The demo model, loaded once.
static DEMO: LazyLock<LocalProvider> =
    LazyLock::new(|| demo::load(LoadOptions::default(), &ProgressHub::new()).expect("the demo model loads"));

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) loading: Loading,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Tells it to end, and gives what waits for that.
    pub(crate) fn end(mut self) -> JoinHandle<()> {
        drop(self.end.take());
        self.task
    }
}

/// A server without a model.
pub(crate) async fn bare(settings: Settings) -> Running {
    let address = "127.0.0.1:0".parse().expect("it is an address");
    let server = Server::bind(address, settings).await.expect("a port is free");
    let (end, ended) = oneshot::channel::<()>();
    Running {
        address: server.address(),
        loading: server.loading(),
        end: Some(end),
        task: tokio::spawn(server.serve(async {
            let _ = ended.await;
        })),
    }
}

/// A server of the demo model.
pub(crate) async fn demo(settings: Settings) -> Running {
    let running = bare(settings).await;
    running.loading.ready(Model::local("demo", DEMO.clone()));
    running
}

/// The demo model itself.
pub(crate) fn demo_model() -> LocalProvider {
    DEMO.clone()
}

/// A server of a scripted provider.
pub(crate) async fn scripted(settings: Settings, provider: &Arc<Scripted>) -> Running {
    let running = bare(settings).await;
    let model = Model::new("scripted", Arc::clone(provider) as Arc<_>).with_engine(provider.engine.clone());
    running.loading.ready(model);
    running
}
