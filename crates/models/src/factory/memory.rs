//! Whether a model's weights are decoded once or stay in their file.

use crate::backend::candle::Holding;

/// Decoded weights may take this share of the memory that is free: one half.
const SHARE: u64 = 2;

/// Decoded where `bytes` leave as much memory free again, else mapped; decoded where the system does not say how
/// much it has and they are no more than a gibibyte.
pub(super) fn holding(bytes: u64) -> Holding {
    let limit = free_memory().map_or(1 << 30, |free| free / SHARE);
    if bytes <= limit {
        Holding::Decoded
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
