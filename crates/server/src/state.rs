//! What all requests share: settings, the model or how far its loading is, and the stores of conversations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::http::StatusCode;
use providers::{ProgressEvent, ProgressHub, ProgressListener};

use crate::conversations::Stores;
use crate::error::Failure;
use crate::model::Model;
use crate::settings::Settings;

/// A handle to what all requests share.
#[derive(Clone)]
pub(crate) struct State(Arc<Shared>);

struct Shared {
    settings: Settings,
    phase: RwLock<Phase>,
    hub: ProgressHub,
    progress: Mutex<Progress>,
    stores: Option<Stores>,
    ids: AtomicU64,
}

/// How far the server is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    Loading,
    Ready(Arc<Model>),
    /// Loading failed; its message is for the log, not for clients.
    Failed,
    /// What there is, is served to its end; nothing else is.
    Draining,
}

struct Progress {
    listener: ProgressListener,
    last: Option<ProgressEvent>,
}

impl State {
    pub(crate) fn new(settings: Settings) -> Self {
        let hub = ProgressHub::new();
        let progress = Progress {
            listener: hub.subscribe(),
            last: None,
        };
        let stores = settings.conversations.clone().map(Stores::new);
        Self(Arc::new(Shared {
            settings,
            phase: RwLock::new(Phase::Loading),
            hub,
            progress: Mutex::new(progress),
            stores,
            ids: AtomicU64::new(0),
        }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn hub(&self) -> &ProgressHub {
        &self.0.hub
    }

    pub(crate) fn phase(&self) -> Phase {
        let phase = self.0.phase.read();
        phase.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another phase, unless the server drains already.
    pub(crate) fn enter(&self, next: impl FnOnce(&Phase) -> Phase) {
        let mut phase = self.0.phase.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*phase, Phase::Draining) {
            *phase = next(&phase);
        }
    }

    /// The model, if it is ready.
    pub(crate) fn model(&self) -> Result<Arc<Model>, Failure> {
        let (code, message) = match self.phase() {
            Phase::Ready(model) => return Ok(model),
            Phase::Loading => ("loading", "the model is being loaded"),
            Phase::Failed => ("load_failed", "the model could not be loaded"),
            Phase::Draining => ("draining", "the server is going down"),
        };
        Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
            .coded(code)
            .after(1))
    }

    /// The model, if it is ready and has this name.
    pub(crate) fn model_named(&self, name: &str) -> Result<Arc<Model>, Failure> {
        let model = self.model()?;
        model.check_name(name)?;
        Ok(model)
    }

    /// What the loader did last.
    pub(crate) fn progress(&self) -> Option<ProgressEvent> {
        let mut progress = lock(&self.0.progress);
        while let Some(event) = progress.listener.try_recv() {
            progress.last = Some(event);
        }
        progress.last.clone()
    }

    /// Where conversations are kept, if they are.
    pub(crate) fn stores(&self) -> Option<&Stores> {
        self.0.stores.as_ref()
    }

    /// An id that no other answer of this process has, and hardly one of another: `prefix` and 24 hexadecimal digits.
    pub(crate) fn id(&self, prefix: &str) -> String {
        let number = self.0.ids.fetch_add(1, Ordering::Relaxed);
        let chance = fastrand(number);
        format!("{prefix}{chance:016x}{number:08x}")
    }
}

/// A number that others do not guess; no secret.
fn fastrand(number: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(number)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is locked here is changed by single assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
