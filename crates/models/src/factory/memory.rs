//! Whether a model's weights are taken into memory or stay in their file.

use crate::backend::Holding;

/// In memory where `bytes` leave so many eighths of what is free, else mapped; in memory where the system does not say how
/// much it has and they are no more than a gibibyte.
pub(super) fn holding(bytes: u64, left: u64) -> Holding {
    let limit = free_memory().map_or(1 << 30, |free| free / 8 * (8 - left));
    if bytes <= limit {
        Holding::Memory
    } else {
        Holding::Mapped
    }
}

/// Bytes that this process could be given without swapping: what the system has free, or less where the control
/// group that it runs in is limited to less.
///
/// `None` where the system does not say: only Linux does.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let free = kibibytes.saturating_mul(1024);
    Some(group_limit().map_or(free, |limit| free.min(limit)))
}

/// Bytes left to the control group of this process, where the second version of control groups limits it.
fn group_limit() -> Option<u64> {
    let number = |file: &str| -> Option<u64> {
        std::fs::read_to_string(format!("/sys/fs/cgroup/{file}"))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}
