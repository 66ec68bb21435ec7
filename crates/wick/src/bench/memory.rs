//! The most memory that this process has held at once.

/// Bytes resident at the peak, pages of mapped files included; `None` where the system does not say.
pub(super) fn peak_resident() -> Option<u64> {
    peak(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The high-water mark in the text of `/proc/self/status`, as Linux writes it.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_read_in_bytes() {
        assert_eq!(
            peak("Name:\twick\nVmHWM:\t    1234 kB\nVmRSS:\t 9 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(peak("VmHWM:\tmany kB\n"), None);
        assert_eq!(peak("Name:\twick\n"), None);
    }
}
