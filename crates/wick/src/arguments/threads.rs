//! How many threads compute.

use std::num::NonZeroUsize;

use clap::Args;

use super::model::ModelArguments;
use crate::failure::Usage;
use crate::settings::Settings;
use crate::threads::{Bounded, ThreadsError, bound};

/// Threads that may be asked for; more than a machine could give are a slip of the hand.
pub(crate) const MOST_THREADS: usize = 1024;

/// Threads of what answers.
#[derive(Debug, Args)]
pub(crate) struct ThreadArguments {
    /// Threads that compute at the same time, those of the libraries beneath included [default: one for each core, or what
    /// RAYON_NUM_THREADS says]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true, conflicts_with = "remote")]
    threads: Option<NonZeroUsize>,
    /// The same, where anything computes here.
    #[arg(skip)]
    wanted: Option<NonZeroUsize>,
}

impl ThreadArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read; threads that were asked for where a server computes.
    pub(crate) fn settle(&mut self, model: &ModelArguments, settings: &mut Settings) -> anyhow::Result<()> {
        if self.threads.is_some() && model.is_remote() {
            let said = "--threads cannot be used with a server, which `remote` names; --remote= asks none";
            return Err(Usage(said.to_owned()).into());
        }
        settings.fill("threads", &mut self.threads)?;
        self.wanted = self.threads.filter(|_| !model.is_remote());
        Ok(())
    }

    /// Bounds the threads of this process, or starts one in which they are bound.
    ///
    /// # Errors
    ///
    /// Where the program cannot be started again.
    pub(crate) fn bound(&self) -> Result<Bounded, ThreadsError> {
        match self.wanted {
            Some(threads) => bound(threads.get()),
            None => Ok(Bounded::Here),
        }
    }
}

/// A number of threads.
pub(crate) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(threads) if threads.get() <= MOST_THREADS => Ok(threads),
        Ok(_) => Err(format!("at most {MOST_THREADS} may be asked for")),
        Err(error) => Err(error.to_string()),
    }
}
