//! The server: an address, connections within bounds of number and time, and an end that drains.
//!
//! **Nobody is cut off by the end**: what was asked before is answered, as long as whoever runs the server waits for it.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use providers::ProgressHub;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounds::{HEADER_BYTES, HEADERS};
use crate::model::Model;
use crate::patience::Patient;
use crate::routes;
use crate::settings::Settings;
use crate::socket::Socket;
use crate::state::{Phase, State};
use crate::unread::Explained;

/// Pause after a connection could not be accepted, as when there are no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: axum::Router,
    state: State,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at `address`; nothing is answered before [`Server::serve`]. Port 0 takes any that is free.
    ///
    /// # Errors
    ///
    /// [`ServerError::Bind`] if the address cannot be had, [`ServerError::Origin`] of an origin that is none.
    pub async fn bind(address: SocketAddr, settings: Settings) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let state = State::new(settings);
        let router = routes::router(&state, address)?;
        Ok(Self {
            listener,
            address,
            router,
            state,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// By which it is told of its model, while it serves.
    pub fn loading(&self) -> Loading {
        Loading {
            state: self.state.clone(),
        }
    }

    /// Serves until `shutdown` completes and then every answer that was begun is sent. Requests that come meanwhile are
    /// refused.
    ///
    /// **Cancellation:** dropping the future ends the server at once, with every connection.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self {
            listener,
            router,
            state,
            ..
        } = self;
        let permits = Arc::new(Semaphore::new(state.settings().connections.max(1)));
        let ending = GracefulShutdown::new();
        let mut tasks = tokio::task::JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = accept(&listener, &permits) => accepted,
            };
            while tasks.try_join_next().is_some() {}
            let Some((stream, permit)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let settings = state.settings();
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(settings.header_time)
                .max_headers(HEADERS)
                .max_header_size(HEADER_BYTES)
                .max_buf_size(HEADER_BYTES);
            let socket = Socket::new(stream);
            let left = socket.left();
            let stream = TokioIo::new(Explained::new(Patient::new(socket, settings.write_time)));
            let service = TowerToHyperService::new(router.clone());
            let connection = ending.watch(http.serve_connection(stream, service));
            tasks.spawn(async move {
                tokio::select! {
                    biased;
                    // Whoever broke the connection off needs no answer.
                    _ = connection => {}
                    () = left => {}
                }
                drop(permit);
            });
        }
        drop(listener);
        drain(&state);
        ending.shutdown().await;
    }
}

/// The next connection, once there is room for it; nothing where it was gone again.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    // Pieces of an answer are small, and each is waited for.
    stream.set_nodelay(true).ok()?;
    Some((stream, permit))
}

fn drain(state: &State) {
    state.enter(|phase| {
        if let Phase::Ready(model) = phase
            && let Some(engine) = model.engine()
        {
            engine.drain();
        }
        Phase::Draining
    });
}

/// By which a server is told of its model.
#[derive(Clone)]
pub struct Loading {
    state: State,
}

impl std::fmt::Debug for Loading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loading").finish_non_exhaustive()
    }
}

impl Loading {
    /// What the loader should tell its progress to.
    pub fn progress(&self) -> &ProgressHub {
        self.state.hub()
    }

    /// Serves `model` from now on.
    pub fn ready(&self, model: Model) {
        self.state.enter(|_| Phase::Ready(Arc::new(model)));
    }

    /// There will be no model; clients are told so, and not why.
    pub fn failed(&self) {
        self.state.enter(|_| Phase::Failed);
    }
}

/// Why a server cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be had: it is taken, or none of this machine's.
    #[error("cannot listen at {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An origin for CORS is none.
    #[error("{origin:?} is no origin such as https://example.org")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// Another recorder of metrics was installed before.
    #[error("the metrics of this program go elsewhere already")]
    Recorder,
}
