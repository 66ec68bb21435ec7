//! Where a model computes.

use std::fmt;

/// The device that holds a model's weights and runs its forward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The host's processor.
    #[default]
    Cpu,
}

impl Device {
    /// Environment variables that bound the threads that compute on the host's processor. All of them have to be set,
    /// before the process starts: each is read once, by a library beneath.
    pub const THREADS: [&'static str; 2] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"];

    /// The most threads that compute at the same time.
    #[must_use]
    pub fn threads(self) -> usize {
        match self {
            // One pool multiplies, the other decodes mapped weights.
            Self::Cpu => candle_core::utils::get_num_threads().max(rayon::current_num_threads()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
        }
    }
}
