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

/// Threads of kernels of our own: as many as the environment says, the fewest where it says two numbers, or as there are
/// cores. Two threads that share a core's units of arithmetic would share its speed.
pub(crate) fn kernel_threads(device: Device) -> usize {
    let said = Device::THREADS
        .iter()
        .filter_map(|name| std::env::var(name).ok()?.parse().ok());
    match said.filter(|&threads| threads > 0).min() {
        Some(threads) => threads,
        None => device.threads().min(cores().unwrap_or(usize::MAX)),
    }
}

/// Cores of the machine, where the system says which of its processors share one: only Linux does.
fn cores() -> Option<usize> {
    let mut cores = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir("/sys/devices/system/cpu").ok()?.flatten() {
        let siblings = entry.path().join("topology/thread_siblings_list");
        if let Ok(siblings) = std::fs::read_to_string(siblings) {
            cores.insert(siblings);
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
        }
    }
}
